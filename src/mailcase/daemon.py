"""Start, watch, stop."""
