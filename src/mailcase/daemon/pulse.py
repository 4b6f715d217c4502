"""The pulse of the daemon: signs of life that only a running loop can give, and an eye on the wall clock.

Nothing here runs on a thread: when the loop is blocked, no sign of life goes out, and the service manager restarts the
daemon (R26). Nor does one while the store's threads do not come back, from a disk that hangs for one: a store that is
locked or full answers, and is waited for. The interval is short enough that one late beat is no alarm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
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

#: The store's threads have the watchdog's time to come back, and never less than this: at a lock they wait for some
#: seconds, one transaction after the other.
LEAST_PATIENCE = timedelta(seconds=20)

#: Told by how much the wall clock was set ahead, negative: back.
OnJump = Callable[[timedelta], Awaitable[None]]


class Pulse:
    """Beats until it is told to stop."""

    def __init__(
        self,
        clock: Clock,
        manager: ServiceManager,
        *,
        on_jump: OnJump,
        store_answers: Callable[[], Coroutine[None, None, None]],
        least_patience: timedelta = LEAST_PATIENCE,
    ) -> None:
        """`store_answers` returns when the store's threads have done what they have to do now."""
        self._clock = clock
        self._manager = manager
        self._on_jump = on_jump
        watchdog = manager.watchdog
        longest = timedelta(seconds=RECHECK_SECONDS)
        self._every = longest if watchdog is None else min(watchdog / _BEATS_PER_WATCHDOG, longest)
        self._offset = clock.offset()
        self._store_answers = store_answers
        self._patience_seconds = max(watchdog or LEAST_PATIENCE, least_patience).total_seconds()
        #: What the store was asked, and when.
        self._asked: asyncio.Task[None] | None = None
        self._asked_at = 0.0
        self._is_store_lost = False

    async def run(self, stopping: asyncio.Event) -> None:
        """Works until stopped."""
        try:
            while not stopping.is_set():
                await self._beat(stopping)
        finally:
            if self._asked is not None:
                self._asked.cancel()

    async def _beat(self, stopping: asyncio.Event) -> None:
        self._look_at_the_store()
        if not self._is_store_lost:
            self._manager.alive()
        await self._look_at_the_clock()
        began = self._clock.monotonic()
        await set_within(stopping, self._every)
        late_seconds = self._clock.monotonic() - began - self._every.total_seconds()
        if late_seconds > _LATE_SECONDS:
            log.warning("loop_blocked", late_s=round(late_seconds, 1))

    def _look_at_the_store(self) -> None:
        """Asks again as soon as it has answered."""
        now = self._clock.monotonic()
        if self._asked is None or self._asked.done():
            if self._is_store_lost:
                log.warning("store_answers_again", after_s=round(now - self._asked_at, 1))
            self._is_store_lost = False
            self._asked = asyncio.create_task(self._store_answers(), name="store answers")
            self._asked_at = now
        elif now - self._asked_at > self._patience_seconds and not self._is_store_lost:
            self._is_store_lost = True
            log.error("store_hangs", since_s=round(now - self._asked_at, 1))

    async def _look_at_the_clock(self) -> None:
        offset = self._clock.offset()
        jump, self._offset = offset - self._offset, offset
        if abs(jump) > JUMP_SECONDS:
            log.warning("clock_jumped", by_s=round(jump, 1))
            await self._on_jump(timedelta(seconds=jump))
