"""One module per step, oldest first by name."""
