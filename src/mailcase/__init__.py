"""mailcase: mail becomes cases, answers reopen them, windows close them.

The path of a mail, station by station:

1. inbound   `watcher` (IMAP) or `smtp` (SMTP, LMTP) receives it; `accept` commits it, and only then it is acknowledged.
2. workers   `inbox` claims it, in batches; a mail that failed before alone.
3. mail      `reading` makes a message of the bytes; `classify`, `bounce` and `clues` say what it is and names.
4. handlers  `mail` asks its questions in order: ours, known, a report, `matching` a case, or `opening` one.
5. core      `engine` decides by the `table` of rules what happens to the case, `react` what must go out.
6. outbound  `templates` and `compose` make finished bytes of it, through `handlers.notices`.
7. store     case, timeline, outgoing mail and the mail's outcome: one commit.
8. workers   `outbox` journals and sends by `outbound.relay`; `handlers.delivery` settles.

Beside the path:

login     what a mail server is shown: password or access token
desk      what people ask and do, from `cli` over the socket of `inbound.control`
daemon    what runs at the same time: its start and stop, and a new configuration while it runs
config    what the operator wrote
app       wires all of it

Time comes in by `workers.due` and `handlers.tick`. The other modules here serve everybody: `clock` and `entropy` are
the only sources of time and chance, `offload` the only way to block; `wakes` is how loops wait and wake each other,
`backoff` how long to leave alone what fails, `vitals` what a daemon tells the desk of itself, `keyring` the keys that
sign, `private_file` how secrets are written, `safe_text` how text from outside is shown.
"""

__version__ = "0.1.0"
