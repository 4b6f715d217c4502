"""Growing pauses while something that a loop needs is out of reach."""

from __future__ import annotations

from datetime import timedelta

from mailcase.backoff import doubled
from mailcase.wakes import Wakes, set_within

FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(seconds=15)


class Pauses:
    """The pauses of one loop, in real time; `reset` after success."""

    def __init__(self, wakes: Wakes) -> None:
        self._wakes = wakes
        self._failures_count = 0

    def reset(self) -> None:
        """The next pause is the first again."""
        self._failures_count = 0

    async def pause(self, *, ending_only: bool = False) -> None:
        """Waits, unless the loop is asked to end, and longer each time; `ending_only` where only the end
        of the daemon may cut it short.
        """
        event = self._wakes.ending if ending_only else self._wakes.stopping
        self._failures_count += 1
        await set_within(event, doubled(FIRST_PAUSE, self._failures_count, LONGEST_PAUSE))
