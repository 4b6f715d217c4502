"""The operator's desk: one file per noun."""

from mailcase.cli.root import main

__all__ = ["main"]
