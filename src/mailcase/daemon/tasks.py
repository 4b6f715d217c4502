"""Tasks that must not end by themselves: whatever ends one before it was asked to is told to whoever runs them.

A daemon one part of which has died in silence is worse than one that is down: nobody starts it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from typing import Any

from mailcase.log import get_logger

log = get_logger()


class EndedEarly(RuntimeError):
    """A part of the daemon ended although nobody had asked it to."""


class OwnTasks:
    """The running parts of one daemon. To be made on its loop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: list[BaseException] = []
        #: Set with the first part that ends as it should not.
        self.has_failed = asyncio.Event()

    @property
    def failures(self) -> Sequence[BaseException]:
        """What parts have died of, in that order."""
        return tuple(self._failures)

    def start(self, part: Coroutine[Any, Any, None], name: str, *, until: asyncio.Event) -> asyncio.Task[None]:
        """Runs a part that may end once `until` is set, and not before."""
        task = asyncio.create_task(part, name=name)
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._has_ended(ended, may_end=until.is_set()))
        return task

    def _has_ended(self, task: asyncio.Task[None], *, may_end: bool) -> None:
        self._tasks.discard(task)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if may_end and (error is None or isinstance(error, asyncio.CancelledError)):
            return
        if error is None or isinstance(error, asyncio.CancelledError):
            error = EndedEarly(f"{task.get_name()} ended although nobody had asked it to")
        log.error("daemon_failed", task=task.get_name(), error=repr(error), exc_info=error)
        self._failures.append(error)
        self.has_failed.set()

    async def finish(self, within: timedelta) -> None:
        """Waits until all have ended, then cuts those that have not."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=within.total_seconds())
        for task in late:
            log.warning("task_cut", task=task.get_name())
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        # Their callbacks run in the next round of the loop.
        await asyncio.sleep(0)
