"""What can go wrong between us and an IMAP server, by who must act."""

from __future__ import annotations

from mailcase.errors import PermanentError, TransientError


class ImapUnavailable(TransientError):
    """The server cannot be reached, broke the connection, was too slow or says that it cannot now."""


class ImapBroken(TransientError):
    """The server's answer is not what the protocol promises; nothing of it was believed."""


class ImapRefused(TransientError):
    """The server said no to one command; the connection is as it was."""


class ServerNotTrusted(PermanentError):
    """The connection cannot be protected as configured: certificate not verified, or no STARTTLS."""


class FolderRefused(PermanentError):
    """The folder does not exist, may not be opened, or may only be read."""


class AccountChanged(PermanentError):
    """The mailbox is no longer the account that it was first read from (L10)."""


class UnfitForImap(PermanentError):
    """A text from the configuration holds characters that must not reach an IMAP server (I12)."""
