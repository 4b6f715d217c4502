"""mailcase: mail becomes cases, answers reopen them, windows close them."""

__version__ = "0.1.0"
