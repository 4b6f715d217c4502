"""The one place that knows what time it is.

Everything else is handed a `Clock`. A jump of the wall clock is noticed within `RECHECK_SECONDS`, because nothing
sleeps longer than that in one go.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

#: The longest single sleep, so that a changed wall clock is seen soon.
RECHECK_SECONDS = 15.0


class Clock(Protocol):
    """Wall time for decisions, monotonic seconds for deadlines of the network, and waiting for either."""

    def now(self) -> datetime:
        """The wall clock as an aware UTC datetime."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump; only differences mean anything."""
        ...

    async def sleep_until(self, at: datetime) -> None:
        """Returns once `now()` is at or past `at`, at once if it already is."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep_until(self, at: datetime) -> None:
        # A loop on purpose: the wall clock may jump, and no event tells.
        while (remaining := (at - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 - see above
            await asyncio.sleep(min(remaining, RECHECK_SECONDS))


class SteppedClock:
    """A wall clock that moves only when told to; used by the demo and by tests. Network deadlines stay real."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep_until(self, at: datetime) -> None:
        while self._now < at:
            await self._moved.wait()

    def step(self, by: timedelta) -> None:
        """Moves the clock and wakes whoever waits for a time that has come. Backwards is allowed."""
        self._now += by
        self._moved.set()
        self._moved = asyncio.Event()

    def step_to(self, at: datetime) -> None:
        """Moves the clock to `at`."""
        self.step(at - self._now)
