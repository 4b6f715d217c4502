"""What the shell may ask: operations by name, answered as JSON (docs/commands.md), beside a daemon or alone."""
