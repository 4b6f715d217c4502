"""What wakes the loops: an event each, set by whoever has made work for it. Polling is only a safety net."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from mailcase.clock import Clock
from mailcase.seldom import Seldom


@dataclass(frozen=True, slots=True)
class Wakes:
    """One event per kind of work, and one for the end."""

    #: Mail has been accepted.
    inbox: asyncio.Event = field(default_factory=asyncio.Event)
    #: Deadlines have changed, or a mailbox has been read further.
    due: asyncio.Event = field(default_factory=asyncio.Event)
    #: Mail has been queued.
    outbox: asyncio.Event = field(default_factory=asyncio.Event)
    #: The loops end after what they have in hand: the daemon stops, or others take over under another configuration.
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    #: The daemon stops: what could be tried again is left to the next start.
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    #: What the loops that cannot work now have told of it, by loop.
    paused: Seldom = field(default_factory=Seldom)

    def stop(self) -> None:
        """Asks every loop to end, for good, and wakes those that wait."""
        self.ending.set()
        self.stopping.set()

    def hand_over(self) -> None:
        """Asks every loop to end, because others take over."""
        self.stopping.set()

    def for_next(self) -> Wakes:
        """The same events for the loops that take over."""
        return replace(self, stopping=asyncio.Event())

    def wake_all(self) -> None:
        """Makes every loop look again."""
        for event in (self.inbox, self.due, self.outbox):
            event.set()

    async def woken(self, event: asyncio.Event, *, clock: Clock, until: datetime) -> None:
        """Returns when the event is set, the time has come or the daemon stops, whichever is first. Clears the event,
        so that what is set while the work is done wakes again.
        """
        await first_of(event, self.stopping, clock=clock, until=until)
        event.clear()


async def first_of(*events: asyncio.Event, clock: Clock, until: datetime) -> None:
    """Returns when one of the events is set or the time has come by this clock, whichever is first."""
    if not any(event.is_set() for event in events):
        await _first_done(*(event.wait() for event in events), clock.sleep_until(until))


async def any_set(*events: asyncio.Event) -> None:
    """Returns when one of the events is set."""
    await _first_done(*(event.wait() for event in events))


async def set_within(event: asyncio.Event, limit: timedelta) -> bool:
    """Whether the event is set before so much real time has gone by; returns as soon as it is."""
    with suppress(TimeoutError):
        async with asyncio.timeout(limit.total_seconds()):
            await event.wait()
    return event.is_set()


async def _first_done(*waits: Coroutine[Any, Any, object]) -> None:
    waiting = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for future in waiting:
            future.cancel()


async def done_before(event: asyncio.Event, work: Coroutine[None, None, None]) -> bool:
    """Whether the work ends before the event is set; otherwise it is cancelled. Raises what the work raises."""
    working, waiting = asyncio.ensure_future(work), asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            return False
        await working
        return True
    finally:
        working.cancel()
        waiting.cancel()
