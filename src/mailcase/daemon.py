"""The daemon: starts its parts in order, watches them, and stops them in order. No argv, no signals, no module state.

Order of a start: what an earlier life left unfinished, then the doors through which mail and commands come, then the
loops. Order of a stop: no new mail, what is in hand is finished, the shell's socket, the store.
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
from mailcase.handlers.delivery import Attempted, DeliveryHandler
from mailcase.handlers.transaction import again_on_conflict
from mailcase.inbound.control import ControlServer
from mailcase.inbound.progress import ListenerPresence
from mailcase.inbound.smtp import Listener
from mailcase.log import get_logger
from mailcase.store.port import DeliveryResult, DeliveryState, Recovered, Store
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
        #: Set once everything has started.
        self.started = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set or a loop dies; then stops in order and raises what the loop died of."""
        loops: list[asyncio.Task[None]] = []
        watching: list[asyncio.Task[None]] = []
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            await self._begin()
            loops = [asyncio.create_task(loop.run(), name=type(loop).__name__) for loop in self._loops]
            watching = [
                asyncio.create_task(self._supervise(name, watcher), name=f"watcher {name}")
                for name, watcher in self.watchers.items()
            ]
            watching += [
                asyncio.create_task(self._keep_presence(part.presence), name=f"presence {name}")
                for name, part in self.listeners.items()
            ]
            log.info("daemon_started", mailboxes=len(self.watchers) + len(self.listeners))
            self.started.set()
            await asyncio.wait({stopping, *loops, *watching}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            await self._end(loops, watching)
        for task in (*loops, *watching):
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("daemon_failed", task=task.get_name(), error=repr(error))
                raise error
        log.info("daemon_stopped")

    async def _begin(self) -> None:
        await self._recover()
        await self._refresh()
        for part in self.listeners.values():
            await part.listener.start()
            await part.presence.begin()
        if self._control is not None:
            await self._control.start()

    async def _recover(self) -> None:
        recovered = await self._store.recover(now=self._clock.now())
        if recovered.inbox_released or recovered.outbox_released or recovered.unknown:
            log.warning(
                "store_recovered",
                inbox_released=recovered.inbox_released,
                outbox_released=recovered.outbox_released,
                unknown=len(recovered.unknown),
            )
        await self._report_unknown(recovered)

    async def _report_unknown(self, recovered: Recovered) -> None:
        """A mail whose DATA was interrupted may have arrived: its case hears of it (DESIGN 8, Outgoing mail)."""
        attempts = [
            Attempted(
                result=DeliveryResult(
                    id=row.id, state=DeliveryState.UNKNOWN, reply="the daemon ended while it was being sent"
                ),
                mail_id=row.mail_id,
                case_id=row.case_id,
                address=row.address,
            )
            for row in recovered.unknown
        ]
        if attempts:
            await again_on_conflict(lambda: self._delivery_handler.handle(attempts))

    async def _supervise(self, name: MailboxName, watcher: Watcher) -> None:
        """A watcher that dies is started again; it never takes another mailbox, or the daemon, with it (L7)."""
        while not self._wakes.stopping.is_set():
            try:
                await watcher.run()
            except Exception:
                log.exception("watcher_died", mailbox=name)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RESTART_PAUSE.total_seconds()):
                        await self._wakes.stopping.wait()

    async def _keep_presence(self, presence: ListenerPresence) -> None:
        while not self._wakes.stopping.is_set():
            await presence.save()
            self._wakes.due.set()
            until = self._clock.now() + self._limits.loop_poll
            await first_of(self._wakes.stopping, clock=self._clock, until=until)

    async def _end(self, loops: Sequence[asyncio.Task[None]], watching: Sequence[asyncio.Task[None]]) -> None:
        """Everything gets the same time to finish; what has not by then is cut, and the next start picks it up."""
        grace = self._limits.stop_within
        self._wakes.stop()
        await asyncio.gather(
            *(part.listener.stop(grace) for part in self.listeners.values()),
            *(watcher.stop() for watcher in self.watchers.values()),
        )
        tasks = {*loops, *watching}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace.total_seconds())
            for task in late:
                log.warning("task_cut", task=task.get_name())
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._control is not None:
            await self._control.stop()
