"""The operator's desk: one file per noun."""
