"""How far each mailbox and each of its folders has been read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mailcase.core.case import MailboxName


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderState:
    """How far one IMAP folder has been read; saved in the same commit as the mails."""

    mailbox: MailboxName
    folder: str
    uidvalidity: int
    #: Greatest UID that is committed or was there before the start.
    last_uid: int
    #: First contact; mail that arrived earlier is before-start (L10).
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxState:
    """What is known about one mailbox as a whole."""

    mailbox: MailboxName
    #: `user@host` at first contact; a change is refused (L10). None for listeners.
    account: str | None
    #: All mail that arrived before this has been taken in; None before the first complete look.
    read_through_at: datetime | None
    checked_at: datetime | None
    #: Newest failure, None when the last look succeeded.
    last_error: str | None
