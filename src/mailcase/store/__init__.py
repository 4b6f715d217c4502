"""What survives a crash. The others see `port.py` and its `rows`; `sqlite.py` fills the port."""
