"""What `make bench` measures: the daemon beside the script that a good engineer would write, in one run, on the same
servers. `__main__` plays everything; every figure is a ratio within one run, or a limit (docs/performance.md).

1. corpus    mail of mixed sizes and kinds, the same for every peer.
2. peers     the IMAP server, the SMTP sink, and the daemon, each in a process of its own; `bare_loop` and `bare_lmtp`
             are what the daemon is compared with.
3. rates     a mailbox full of mail to cases with their acknowledgements, rounds alternating.
4. latency   one mail at a time, from the server's announcement to the acknowledgement.
5. lmtp      mail offered on eight connections.
6. scale     the same with 100,000 cases stored, and the shell beside it.
7. stations  where the time goes, from samples of the daemon's threads.
8. report    the table, `var/bench.json`, and the figures of docs/performance.md.
"""
