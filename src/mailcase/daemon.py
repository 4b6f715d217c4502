"""The daemon: starts its parts in order, watches them, and stops them. No argv, no signals, no module state.

Order of a start: what an earlier life left unfinished, then the doors through which mail and commands come, then the
loops. At a stop everything is asked to end at the same time, and gets the same time: no new mail, no new command, what
is in hand is finished. The store is closed by whoever opened it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from mailcase.clock import Clock
from mailcase.config.settings import Limits
from mailcase.core.case import MailboxName
from mailcase.errors import StoreUnavailable
from mailcase.handlers.delivery import DeliveryHandler
from mailcase.inbound.control import ControlServer
from mailcase.inbound.progress import ListenerPresence
from mailcase.inbound.smtp import Listener
from mailcase.log import get_logger
from mailcase.store.port import Store
from mailcase.wakes import Wakes, first_of

log = get_logger()

#: Pause before a mailbox's watcher that died is started again.
RESTART_PAUSE = timedelta(seconds=5)


class Watcher(Protocol):
    """Watches one mailbox until it is stopped; a network that fails is its everyday business."""

    async def run(self) -> None: ...

    async def stop(self) -> None: ...

    def look_now(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerPart:
    """A listener with the record of when it listened."""

    listener: Listener
    presence: ListenerPresence


class Loop(Protocol):
    """A worker's loop; ends when the wakes say stop."""

    async def run(self) -> None: ...


class Daemon:
    """All parts, wired by app.py."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        wakes: Wakes,
        limits: Limits,
        delivery_handler: DeliveryHandler,
        listeners: Mapping[MailboxName, ListenerPart],
        watchers: Mapping[MailboxName, Watcher],
        loops: Sequence[Loop],
        control: ControlServer | None,
        refresh: Callable[[], Awaitable[None]],
        restart_pause: timedelta = RESTART_PAUSE,
    ) -> None:
        self._store = store
        self._clock = clock
        self._wakes = wakes
        self._limits = limits
        self._delivery_handler = delivery_handler
        self.listeners = listeners
        self.watchers = watchers
        self._loops = loops
        self._control = control
        self._refresh = refresh
        self._restart_pause = restart_pause
        #: Set once everything has started.
        self.started = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set or a loop dies; then stops everything and raises what the loop died of."""
        tasks: list[asyncio.Task[None]] = []
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            await self._begin()
            tasks += self._start_loops()
            log.info("daemon_started", mailboxes=len(self.watchers) + len(self.listeners))
            self.started.set()
            await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            await self._end(tasks)
        if failures := _failures(tasks):
            raise failures[0]
        log.info("daemon_stopped")

    # -- start

    async def _begin(self) -> None:
        await self._recover()
        await self._refresh()
        for part in self.listeners.values():
            await part.listener.start()
            await part.presence.begin()
        if self._control is not None:
            await self._control.start()

    def _start_loops(self) -> list[asyncio.Task[None]]:
        return [
            *(asyncio.create_task(loop.run(), name=type(loop).__name__) for loop in self._loops),
            *(
                asyncio.create_task(self._supervise(name, watcher), name=f"watcher {name}")
                for name, watcher in self.watchers.items()
            ),
            *(
                asyncio.create_task(self._keep_presence(name, part.presence), name=f"presence {name}")
                for name, part in self.listeners.items()
            ),
        ]

    async def _recover(self) -> None:
        recovered = await self._store.recover()
        if recovered.inbox_released or recovered.outbox_released or recovered.unknown:
            log.warning(
                "store_recovered",
                inbox_released=recovered.inbox_released,
                outbox_released=recovered.outbox_released,
                unknown=len(recovered.unknown),
            )
        for row in recovered.unknown:
            await self._delivery_handler.handle_interrupted(row)

    # -- at work

    async def _supervise(self, name: MailboxName, watcher: Watcher) -> None:
        """A watcher that dies is started again; it never takes another mailbox, or the daemon, with it (L7)."""
        while not self._wakes.stopping.is_set():
            try:
                await watcher.run()
            except Exception:
                log.exception("watcher_died", mailbox=name)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._restart_pause.total_seconds()):
                        await self._wakes.stopping.wait()

    async def _keep_presence(self, name: MailboxName, presence: ListenerPresence) -> None:
        """Writes down that we listen. Where the store cannot be had, the gap that a crash leaves only seems longer."""
        while not self._wakes.stopping.is_set():
            try:
                await presence.save()
            except StoreUnavailable as error:
                log.warning("presence_unsaved", mailbox=name, error=str(error))
            self._wakes.due.set()
            until = self._clock.now() + self._limits.loop_poll
            await first_of(self._wakes.stopping, clock=self._clock, until=until)

    # -- stop

    async def _end(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Everything gets the same time to finish; what has not by then is cut, and the next start picks it up."""
        grace = self._limits.stop_within
        self._wakes.stop()
        endings = [
            *(part.listener.stop(grace) for part in self.listeners.values()),
            *(watcher.stop() for watcher in self.watchers.values()),
            _finish(tasks, grace),
        ]
        if self._control is not None:
            endings.append(self._control.stop(grace))
        # One that fails to stop must not keep the others from it.
        for failure in await asyncio.gather(*endings, return_exceptions=True):
            if isinstance(failure, BaseException):
                log.error("stop_failed", error=repr(failure), exc_info=failure)


async def _finish(tasks: Sequence[asyncio.Task[None]], grace: timedelta) -> None:
    """Waits for the tasks, then cuts those that have not ended."""
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=grace.total_seconds())
    for task in late:
        log.warning("task_cut", task=task.get_name())
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)


def _failures(tasks: Sequence[asyncio.Task[None]]) -> Sequence[BaseException]:
    """What ended tasks died of, each logged."""
    failures: list[BaseException] = []
    for task in tasks:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("daemon_failed", task=task.get_name(), error=repr(error), exc_info=error)
            failures.append(error)
    return failures
