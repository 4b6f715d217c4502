"""What survives a crash. `port.py` is what the others see; `sqlite.py` fills it."""
