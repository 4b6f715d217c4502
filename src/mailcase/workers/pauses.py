"""Growing pauses while something that a loop needs is out of reach."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

from mailcase.wakes import Wakes

FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(seconds=15)


class Pauses:
    """The pauses of one loop, in real time; `reset` after success."""

    def __init__(self, wakes: Wakes) -> None:
        self._wakes = wakes
        self._next = FIRST_PAUSE

    def reset(self) -> None:
        """The next pause is the first again."""
        self._next = FIRST_PAUSE

    async def pause(self, *, ending_only: bool = False) -> None:
        """Waits, unless the loop is asked to end, and doubles the pause that follows; `ending_only` where only the end
        of the daemon may cut it short.
        """
        event = self._wakes.ending if ending_only else self._wakes.stopping
        pause, self._next = self._next, min(self._next * 2, LONGEST_PAUSE)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause.total_seconds()):
                await event.wait()
