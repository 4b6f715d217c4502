"""What the operator wrote: one YAML file, read whole, every problem named at once."""
