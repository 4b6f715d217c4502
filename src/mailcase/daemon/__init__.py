"""The daemon: everything that runs at the same time, and how it begins, changes its configuration and ends.

`daemon` starts the parts and stops them; `tasks` lets none of them end in silence. What works under one configuration
is a `shift`; `reload` puts the next one in its place. `watching` keeps a watcher for each IMAP mailbox. `pulse` tells
the `service_manager` that the loop lives.
"""
