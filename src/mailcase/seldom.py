"""What goes on happening is told now and then, with how often it has happened (R13)."""

from __future__ import annotations

import asyncio

#: From one line about a source to the next.
SAID_EVERY_SECONDS = 10.0


class Seldom:
    """Counts per source what has not been told yet. Used on the loop alone."""

    def __init__(self, every_seconds: float = SAID_EVERY_SECONDS) -> None:
        self._every_seconds = every_seconds
        self._counts: dict[str, int] = {}
        self._said_at: dict[str, float] = {}

    def count(self, source: str) -> int:
        """It has happened again: how often since it was told last, which it now is; 0 while it is too soon for that."""
        now = asyncio.get_running_loop().time()
        count = self._counts.get(source, 0) + 1
        if now - self._said_at.get(source, float("-inf")) < self._every_seconds:
            self._counts[source] = count
            return 0
        self._counts[source] = 0
        self._said_at[source] = now
        return count
