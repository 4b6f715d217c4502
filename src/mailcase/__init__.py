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

What a mail server is shown, password or access token, comes from `login`. Time comes in by `workers.due` and
`handlers.tick`, people by `cli`, `inbound.control` and `desk`. `app` wires all of it, `daemon` starts and stops it,
`config` is what the operator wrote. What works under one configuration is a `shift`; `reload` puts the next in its
place, `watching` keeps the mailboxes' watchers, `tasks` lets no part end in silence, and `pulse` tells the
`service_manager` that the loop lives.
"""

__version__ = "0.1.0"
