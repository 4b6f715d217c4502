"""Telling the server that a mail is ours: moved, marked or left, as set; always after the commit (L11)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

from mailcase.config.settings import AfterTaking, ImapSource
from mailcase.core.case import MailboxName
from mailcase.inbound.imap import Acknowledged
from mailcase.inbound.imap_errors import ImapRefused
from mailcase.inbound.imap_line import ImapLine
from mailcase.log import get_logger

log = get_logger()


class Acknowledger:
    """Acknowledges in sets: one move costs the server as much as hundreds."""

    def __init__(self, mailbox: MailboxName, source: ImapSource) -> None:
        self._mailbox = mailbox
        self._source = source
        #: Why the server would not, logged once per change.
        self._reason: str | None = None

    async def acknowledge(self, line: ImapLine, uids: Sequence[int]) -> bool:
        """False when the server refuses: the mail stays as it is until a later look. Raises ImapUnavailable."""
        if not uids or self._source.after is AfterTaking.LEAVE:
            return True
        try:
            hindrance = await self._tell(line, uids)
        except ImapRefused as error:
            self._note(str(error), len(uids))
            return False
        self._note(hindrance, len(uids))
        return True

    async def _tell(self, line: ImapLine, uids: Sequence[int]) -> str | None:
        """What kept us from doing as set, although the mail is marked now."""
        if self._source.after is AfterTaking.FLAG:
            await line.call(partial(line.session.flag, uids))
            return None
        done = await line.call(partial(line.session.move, uids, self._source.move_to))
        if done is Acknowledged.FLAGGED:
            return "the server can neither move nor expunge single mails; they are marked and left"
        return None

    async def outstanding(self, line: ImapLine, uids: Collection[int]) -> Sequence[int]:
        """Those of our mails in the folder that bear no sign of it yet."""
        if not uids or self._source.after is AfterTaking.LEAVE:
            return ()
        if self._source.after is AfterTaking.FLAG:
            unmarked = await line.call(line.session.unmarked_uids)
            return sorted(set(uids).intersection(unmarked))
        return sorted(uids)

    def _note(self, reason: str | None, count: int) -> None:
        if reason is not None and reason != self._reason:
            log.warning("mail_not_acknowledged", mailbox=self._mailbox, reason=reason, mails_count=count)
        self._reason = reason
