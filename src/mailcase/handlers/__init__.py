"""One stimulus, one transaction: load, decide, save case, timeline, outgoing mail and outcome in one commit."""
