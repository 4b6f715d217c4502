"""What survives a crash. The others see `port.py` and its `rows.py`; `sqlite.py` fills the port."""
