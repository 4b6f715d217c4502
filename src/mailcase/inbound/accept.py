"""The one door through which mail becomes ours.

Rules that hold here:
1. A mail is ours when its raw bytes are committed to the inbox. Only after `accept` has returned may anybody say `250`,
   set a flag or move the mail.
2. Taking the same mail twice changes nothing; the source keeps the pair (mailbox, source) unique.
3. Whatever fails here fails before the acknowledgement: the server or the sender offers the mail again.
4. No mail is taken into the last of the disk (S19).
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import datetime
from typing import Any, Protocol

from mailcase.clock import Clock
from mailcase.inbound.free_space import FreeSpace
from mailcase.log import get_logger
from mailcase.store.port import Mailboxes
from mailcase.store.rows.inbox import Accepted, NewMail
from mailcase.store.rows.mailboxes import FolderState

log = get_logger()

#: A sender with more mail has offered the next one by then.
OFFERED_SECONDS = 0.1


class Accepts(Protocol):
    """What the sources of mail need of the door."""

    async def accept(self, mails: Sequence[NewMail], *, folder: FolderState | None = None) -> tuple[Accepted, ...]:
        """Returns once the mails are durable. Raises StoreUnavailable when nothing was kept."""
        ...

    def has_room(self) -> bool:
        """False while the disk is too full for any mail."""
        ...


class Door:
    """Commits mail and wakes the loop that handles it."""

    def __init__(self, store: Mailboxes, wake: asyncio.Event, clock: Clock, space: FreeSpace) -> None:
        self._store = store
        self._wake = wake
        self._clock = clock
        self._space = space
        self._under_way: list[NewMail] = []
        #: Monotonic time of the last mail that somebody waits, or waited, to have accepted.
        self._offered_at = float("-inf")

    def accept(
        self, mails: Sequence[NewMail], *, folder: FolderState | None = None
    ) -> Coroutine[Any, Any, tuple[Accepted, ...]]:
        """Returns once the mails, and how far the folder was read, are durable; answers in the order given.

        Under way from the call on, not only from the first step of what is to be awaited: no window may close between.
        Raises StoreUnavailable when nothing was kept, StoreFull among them when the disk is nearly full.
        """
        self._under_way.extend(mails)
        if folder is None:
            self._offered_at = self._clock.monotonic()
        return self._commit(mails, folder)

    def has_room(self) -> bool:
        """False while the disk is too full for any mail."""
        return self._space.shortage() is None

    def is_offered(self) -> bool:
        """Senders wait for their `250`, or did a moment ago. What we fetch ourselves from a folder waits for nobody."""
        return self._clock.monotonic() - self._offered_at < OFFERED_SECONDS

    def under_way_since(self) -> datetime | None:
        """Arrival of the earliest mail that is being committed; None when there is none."""
        return min((mail.arrived_at for mail in self._under_way), default=None)

    async def _commit(self, mails: Sequence[NewMail], folder: FolderState | None) -> tuple[Accepted, ...]:
        try:
            if any(mail.raw for mail in mails):
                self._space.refuse_mail()
            accepted = await self._store.accept(mails, folder=folder)
        finally:
            for mail in mails:
                self._under_way.remove(mail)
        for mail, row in zip(mails, accepted, strict=True):
            log.info(
                "mail_accepted" if row.is_new else "mail_known",
                mail_id=row.mail_id,
                mailbox=mail.mailbox,
                size_bytes=len(mail.raw),
            )
        if any(row.is_new for row in accepted):
            self._wake.set()
        return accepted
