"""One stimulus, one transaction: the one way in which every handler begins and commits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from mailcase.clock import Clock
from mailcase.config.settings import Settings
from mailcase.errors import Conflict
from mailcase.handlers.chronicle import log_workspace
from mailcase.handlers.workspace import Workspace, Writer
from mailcase.store.port import Cases, Point
from mailcase.store.rows.lookup import Wanted
from mailcase.wakes import Wakes

T = TypeVar("T")

#: How often work is done before a conflict is given up.
TRIES = 5


class Transactions:
    """Makes workspaces from one look-up and saves them in one commit."""

    def __init__(self, *, store: Cases, settings: Settings, writer: Writer, clock: Clock, wakes: Wakes) -> None:
        self._store = store
        self._wakes = wakes
        self._settings = settings
        self._writer = writer
        self.clock = clock

    async def begin(self, wanted: Wanted) -> Workspace:
        """A workspace with everything that was wanted, as it stands now."""
        known = await self._store.look_up(wanted)
        return Workspace(
            known,
            ids=self._store.ids,
            processes=self._settings.processes,
            writer=self._writer,
            now=self.clock.now(),
            ran_until=self._store.ran_until,
        )

    async def commit(self, point: Point, workspace: Workspace) -> None:
        """Saves all of it or nothing, then wakes the loops and tells the log.

        Raises:
            Conflict: somebody else saved one of the cases; begin again.
        """
        changes = workspace.changes()
        await self._store.save(point, changes, now=workspace.now)
        if changes.cases:
            self._wakes.due.set()
        if changes.outgoing:
            self._wakes.outbox.set()
        log_workspace(workspace)


async def again_on_conflict(work: Callable[[], Awaitable[T]]) -> T:
    """Does the work of a handler, and does it again when somebody else saved one of its cases in between. Raises the
    last Conflict.
    """
    for _ in range(TRIES - 1):
        try:
            return await work()
        except Conflict:
            continue
    return await work()
