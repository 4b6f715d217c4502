"""How far each mailbox has been read, so that windows wait for the mail (docs/decisions/0002).

An IMAP mailbox has been read through to the instant before its last complete look. A listener has taken in everything
up to now while it listens; after a gap senders may still hold mail of that time, so it stays where it was until they
have had their time to try again. Mail that is being taken in, or was and is not handled yet, holds all of them back to
its arrival.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from mailcase.clock import Clock
from mailcase.config.settings import ListenerSource, MailboxSettings
from mailcase.core.case import MailboxName
from mailcase.store.port import Mailboxes
from mailcase.store.rows.mailboxes import MailboxState

#: Before every mail.
_NEVER = datetime.min.replace(tzinfo=UTC)


class ListenerPresence:
    """Since when one listener listens without a gap that matters."""

    def __init__(self, mailbox: MailboxName, source: ListenerSource, *, store: Mailboxes, clock: Clock) -> None:
        self._mailbox = mailbox
        self._source = source
        self._store = store
        self._clock = clock
        self._held_at: datetime | None = None
        self._gap_ends_at: datetime | None = None

    async def begin(self) -> None:
        """Called when the listener has started to listen."""
        stored = (await self._store.mailbox_states()).get(self._mailbox)
        if stored is not None and stored.read_through_at is not None:
            now = self._clock.now()
            # Written while the clock was ahead, it says nothing of when the gap began.
            self._held_at = stored.read_through_at if stored.read_through_at <= now else _NEVER
            self._gap_ends_at = now + self._source.sender_retry

    def is_after_gap(self) -> bool:
        """True while senders may still offer mail of a time when nobody listened."""
        return self._gap_ends_at is not None and self._clock.now() < self._gap_ends_at

    def read_through_at(self) -> datetime:
        """All mail that arrived before this has been taken in."""
        return self._held_at if self._held_at is not None and self.is_after_gap() else self._clock.now()

    async def save(self) -> None:
        """Makes it durable, so that the next start knows where the gap began."""
        now = self._clock.now()
        await self._store.save_mailbox(
            MailboxState(
                mailbox=self._mailbox,
                account=None,
                read_through_at=self.read_through_at(),
                checked_at=now,
                last_error=None,
            )
        )


class Progress:
    """Answers for any set of mailboxes how far all of them have been read."""

    def __init__(
        self,
        mailboxes: Mapping[MailboxName, MailboxSettings],
        *,
        store: Mailboxes,
        clock: Clock,
        under_way_since: Callable[[], datetime | None],
        listeners: dict[MailboxName, ListenerPresence] | None = None,
    ) -> None:
        """`under_way_since` tells the arrival of the earliest mail that is being committed; `listeners` are those known
        already, and shared.
        """
        self._mailboxes = mailboxes
        self._store = store
        self._clock = clock
        self._under_way_since = under_way_since
        self._listeners = {} if listeners is None else listeners

    def add_listener(self, mailbox: MailboxName, presence: ListenerPresence) -> None:
        """Makes a listener's presence count."""
        self._listeners[mailbox] = presence

    async def read_through(self) -> Callable[[Sequence[MailboxName]], datetime]:
        """A function from mailboxes to the moment up to which all their mail has been taken in and handled; mailboxes
        that are gone or switched off do not count."""
        # In this order no mail slips through: what arrived by now is being committed, or pending, or handled.
        now = self._clock.now()
        under_way_at = self._under_way_since()
        states = await self._store.mailbox_states()
        pending_at = await self._store.oldest_pending_at()
        ceiling = min(at for at in (now, under_way_at, pending_at) if at is not None)

        def of(names: Sequence[MailboxName]) -> datetime:
            concerned = [name for name in names if name in self._mailboxes and self._mailboxes[name].is_enabled]
            return min([ceiling, *(self._one(name, states, now) for name in concerned)])

        return of

    async def shown(self) -> dict[MailboxName, datetime | None]:
        """Each mailbox with the moment it has been read through to, for the operator; None before the first look."""
        states = await self._store.mailbox_states()
        shown: dict[MailboxName, datetime | None] = {}
        for name in self._mailboxes:
            state, presence = states.get(name), self._listeners.get(name)
            shown[name] = presence.read_through_at() if presence else state.read_through_at if state else None
        return shown

    async def forget_future(self) -> None:
        """After the clock was set back: a mailbox that is said to be read up to a time that has yet to come is read up
        to nobody knows when, and holds its windows until it has been looked at again (R14).
        """
        now = self._clock.now()
        for name, state in (await self._store.mailbox_states()).items():
            if name not in self._listeners and state.read_through_at is not None and state.read_through_at > now:
                await self._store.save_mailbox(replace(state, read_through_at=None))

    def _one(self, name: MailboxName, states: Mapping[MailboxName, MailboxState], now: datetime) -> datetime:
        presence = self._listeners.get(name)
        if presence is not None:
            return presence.read_through_at()
        state = states.get(name)
        at = state.read_through_at if state else None
        return at if at is not None and at <= now else _NEVER
