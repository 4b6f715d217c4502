"""Growing pauses while something that a loop needs is out of reach."""

from __future__ import annotations

from mailcase.backoff import doubled
from mailcase.config.settings import Limits
from mailcase.wakes import Wakes, set_within


class Pauses:
    """The pauses of one loop, in real time; `reset` after success."""

    def __init__(self, wakes: Wakes, limits: Limits) -> None:
        self._wakes = wakes
        self._limits = limits
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
        await set_within(event, doubled(self._limits.pause_first, self._failures_count, self._limits.pause_longest))
