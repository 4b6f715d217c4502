"""A store that refuses one kind of commit for as long as it is told to, as a locked or full database does."""

from __future__ import annotations

import threading

from mailcase.errors import StoreUnavailable
from mailcase.store.port import Point


class Hindrance:
    """A hook for `World.hook`."""

    def __init__(self, point: Point) -> None:
        self._point = point
        self._is_on = threading.Event()
        self.refused_count = 0

    def begin(self) -> None:
        self._is_on.set()

    def end(self) -> None:
        self._is_on.clear()

    async def has_refused(self) -> bool:
        return self.refused_count > 0

    def __call__(self, point: Point, when: str) -> None:
        if point is self._point and when == "before" and self._is_on.is_set():
            self.refused_count += 1
            raise StoreUnavailable("database is locked")
