"""Stimuli come in: IMAP mailboxes, SMTP and LMTP listeners, the shell's socket. Durable first, acknowledge second."""
