"""What survives a crash. The others see `port.py` and its `rows`; `sqlite.py` fills the port.

`backup`, `restore` and `check` work on the file itself, beside a daemon or without one; `cli.store` calls them."""
