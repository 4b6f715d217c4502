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
#: The wall clock is corrected by so much all the time; more is somebody setting it.
JUMP_SECONDS = 2.0


class Clock(Protocol):
    """Wall time for decisions, monotonic seconds for deadlines of the network, and waiting for either."""

    def now(self) -> datetime:
        """The wall clock as an aware UTC datetime."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump; only differences mean anything."""
        ...

    def offset(self) -> float:
        """Seconds by which the wall clock is ahead of the monotonic one; changes only when somebody sets the clock."""
        ...

    async def sleep_until(self, at: datetime) -> None:
        """Returns once `now()` is at or past `at`, at once if it already is; earlier when the clock was set back: `at`
        may be years away then, and was meant as a moment soon.
        """
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def offset(self) -> float:
        return self.now().timestamp() - self.monotonic()

    async def sleep_until(self, at: datetime) -> None:
        offset = self.offset()
        # A loop on purpose: the wall clock may jump, and no event tells.
        while (remaining := (at - self.now()).total_seconds()) > 0:
            await asyncio.sleep(min(remaining, RECHECK_SECONDS))
            if self.offset() < offset - JUMP_SECONDS:
                return


class SteppedClock:
    """A wall clock that moves only when told to; used by the demo and by tests. Network deadlines stay real."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return time.monotonic()

    def offset(self) -> float:
        # Its steps are time that passes.
        return 0.0

    async def sleep_until(self, at: datetime) -> None:
        while (seen := self._now) < at:
            await self._moved.wait()
            if self._now < seen:
                return

    def step(self, by: timedelta) -> None:
        """Moves the clock and wakes whoever waits for a time that has come. Backwards is allowed."""
        self._now += by
        self._moved.set()
        self._moved = asyncio.Event()

    def step_to(self, at: datetime) -> None:
        """Moves the clock to `at`."""
        self.step(at - self._now)
