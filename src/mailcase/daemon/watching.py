"""The watchers of the IMAP mailboxes: each supervised by itself, and taken over, stopped or begun by a new
configuration."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from mailcase.core.case import MailboxName
from mailcase.daemon.tasks import OwnTasks
from mailcase.log import get_logger
from mailcase.wakes import set_within

log = get_logger()

#: Pause before a mailbox's watcher that died is started again.
RESTART_PAUSE = timedelta(seconds=5)


class Watcher(Protocol):
    """Watches one mailbox until it is stopped; a network that fails is its everyday business."""

    async def run(self) -> None: ...

    async def stop(self) -> None: ...

    def look_now(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WatcherPlan:
    """A mailbox that is to be watched. Two plans with the same `key` are the same work."""

    key: object
    make: Callable[[], Watcher]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watched:
    key: object
    watcher: Watcher
    #: Set when this watcher is to end.
    leaving: asyncio.Event
    task: asyncio.Task[None]


class Watching:
    """Every mailbox that is watched now."""

    def __init__(self, tasks: OwnTasks, *, restart_pause: timedelta = RESTART_PAUSE) -> None:
        self._tasks = tasks
        self._restart_pause = restart_pause
        self._watched: dict[MailboxName, _Watched] = {}

    @property
    def watchers(self) -> Mapping[MailboxName, Watcher]:
        """By mailbox."""
        return {name: watched.watcher for name, watched in self._watched.items()}

    async def follow(self, plans: Mapping[MailboxName, WatcherPlan]) -> None:
        """Watches these mailboxes and no others. Those whose plan is the same go on undisturbed; one that changes is
        read by its new watcher only after the old one has ended.
        """
        gone = [name for name, watched in self._watched.items() if name not in plans or plans[name].key != watched.key]
        await asyncio.gather(*(self._leave(self._watched.pop(name)) for name in gone))
        for name, plan in plans.items():
            if name not in self._watched:
                self._watched[name] = self._begin(name, plan)

    async def stop(self) -> None:
        """Ends all of them, each after the mail that it has in hand."""
        await asyncio.gather(*(self._leave(watched) for watched in self._watched.values()))

    def look_now(self) -> None:
        """Has every mailbox looked at without delay."""
        for watched in self._watched.values():
            watched.watcher.look_now()

    def _begin(self, name: MailboxName, plan: WatcherPlan) -> _Watched:
        watcher, leaving = plan.make(), asyncio.Event()
        task = self._tasks.start(self._supervise(name, watcher, leaving), f"watcher {name}", until=leaving)
        return _Watched(key=plan.key, watcher=watcher, leaving=leaving, task=task)

    async def _leave(self, watched: _Watched) -> None:
        watched.leaving.set()
        await watched.watcher.stop()
        await asyncio.wait({watched.task})

    async def _supervise(self, name: MailboxName, watcher: Watcher, leaving: asyncio.Event) -> None:
        """A watcher that dies or ends is started again; it never takes another mailbox, or the daemon, with it (L7)."""
        while not leaving.is_set():
            try:
                await watcher.run()
            except Exception:
                log.exception("watcher_died", mailbox=name)
            else:
                if leaving.is_set():
                    return
                log.error("watcher_ended", mailbox=name)
            await set_within(leaving, self._restart_pause)
