"""The loops: inbox, due cases, outbox."""
