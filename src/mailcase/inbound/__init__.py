"""Stimuli come in: IMAP mailboxes, SMTP and LMTP listeners, the shell's socket. Durable first, acknowledge second.

`accept` is the one door for mail. IMAP begins at `watcher` (one mailbox, for as long as the daemon runs), which looks
with `intake` (one folder; `intake_plan` decides, `acknowledge` moves) over `imap_line` (a deadline around each call)
and `imap` (the session). SMTP and LMTP are `smtp`, which collects mail with `smtp_data`. `progress` says how far each
mailbox has been read. The shell speaks `protocol` with `control`.
"""
