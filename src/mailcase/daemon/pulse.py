"""The pulse of the daemon: signs of life that only a running loop can give, and an eye on the wall clock.

Nothing here runs on a thread: when the loop is blocked, no sign of life goes out, and the service manager restarts the
daemon (R26). The interval is short enough that one late beat is no alarm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from mailcase.clock import JUMP_SECONDS, RECHECK_SECONDS, Clock
from mailcase.daemon.service_manager import ServiceManager
from mailcase.log import get_logger
from mailcase.wakes import set_within

log = get_logger()

#: Beats in the time after which the service manager loses patience.
_BEATS_PER_WATCHDOG = 3
#: A beat that is later than this says that something held the loop up.
_LATE_SECONDS = 1.0

#: Told by how much the wall clock was set ahead, negative: back.
OnJump = Callable[[timedelta], Awaitable[None]]


class Pulse:
    """Beats until it is told to stop."""

    def __init__(self, clock: Clock, manager: ServiceManager, *, on_jump: OnJump) -> None:
        self._clock = clock
        self._manager = manager
        self._on_jump = on_jump
        watchdog = manager.watchdog
        longest = timedelta(seconds=RECHECK_SECONDS)
        self._every = longest if watchdog is None else min(watchdog / _BEATS_PER_WATCHDOG, longest)
        self._offset = clock.offset()

    async def run(self, stopping: asyncio.Event) -> None:
        """Works until stopped."""
        while not stopping.is_set():
            self._manager.alive()
            await self._look_at_the_clock()
            began = self._clock.monotonic()
            await set_within(stopping, self._every)
            late_seconds = self._clock.monotonic() - began - self._every.total_seconds()
            if late_seconds > _LATE_SECONDS:
                log.warning("loop_blocked", late_s=round(late_seconds, 1))

    async def _look_at_the_clock(self) -> None:
        offset = self._clock.offset()
        jump, self._offset = offset - self._offset, offset
        if abs(jump) > JUMP_SECONDS:
            log.warning("clock_jumped", by_s=round(jump, 1))
            await self._on_jump(timedelta(seconds=jump))
