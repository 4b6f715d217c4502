"""The daemon: starts its parts in order, watches them, and stops them. No argv, no signals, no module state.

Order of a start: what an earlier life left unfinished, then the doors through which mail and commands come, then the
loops. At a stop everything is asked to end at the same time, and gets the same time: no new mail, no new command, what
is in hand is finished. The store is closed by whoever opened it. No part may end in silence: one that does takes the
daemon down, except a mailbox's watcher, which is started again (L7).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from mailcase.core.case import MailboxName
from mailcase.daemon.pulse import Pulse
from mailcase.daemon.reload import RELOAD, Reload
from mailcase.daemon.shift import Crew, Shift
from mailcase.daemon.surroundings import Renewal, Surroundings
from mailcase.daemon.tasks import OwnTasks
from mailcase.daemon.watching import RESTART_PAUSE, Watcher, Watching
from mailcase.errors import StoreUnavailable
from mailcase.handlers.refresh import refresh_deadlines
from mailcase.inbound.control import ControlServer, Request, Response
from mailcase.inbound.progress import ListenerPresence
from mailcase.inbound.smtp import Listener
from mailcase.log import get_logger
from mailcase.wakes import any_set, first_of

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerPart:
    """A listener with the record of when it listened."""

    listener: Listener
    presence: ListenerPresence


class Daemon:
    """All parts, wired by app.py. To be made on the loop that runs it."""

    def __init__(
        self,
        around: Surroundings,
        *,
        listeners: Mapping[MailboxName, ListenerPart],
        crew: Crew,
        renewal: Renewal,
        restart_pause: timedelta = RESTART_PAUSE,
    ) -> None:
        """`crew` works first; others follow it by `renewal`."""
        self._store = around.store
        self._clock = around.clock
        self._manager = around.manager
        self._vitals = around.vitals
        self.listeners = listeners
        self._tasks = OwnTasks()
        self._watching = Watching(self._tasks, restart_pause=restart_pause)
        self._control = ControlServer(crew.settings.socket, self.answer)
        self._reload = Reload(Shift(crew, self._tasks), around, renewal, tasks=self._tasks, watching=self._watching)
        #: Set once everything has started.
        self.started = asyncio.Event()
        #: Set when everything is to end.
        self._stopping = asyncio.Event()

    @property
    def watchers(self) -> Mapping[MailboxName, Watcher]:
        """By mailbox, as it is now."""
        return self._watching.watchers

    @property
    def _crew(self) -> Crew:
        return self._reload.shift.crew

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set or a part dies; then stops everything and raises what the part died of."""
        try:
            await self._begin()
            self._tell_started()
            await any_set(stop, self._tasks.has_failed)
        finally:
            await self._end()
        if self._tasks.failures:
            raise self._tasks.failures[0]
        log.info("daemon_stopped")

    async def reload(self) -> Response:
        """Takes the configuration over as it is in its file now: all of it, or nothing; the answer says why not."""
        return await self._reload.reload()

    async def answer(self, request: Request, *, uid: int | None, blobs: Sequence[bytes]) -> Response:
        """Answers the shell: what concerns the daemon itself here, all else at the desk."""
        if request.operation == RELOAD:
            return await self._reload.reload()
        return await self._reload.answer(request, uid=uid, blobs=blobs)

    # -- start

    async def _begin(self) -> None:
        await self._recover()
        await refresh_deadlines(self._store, self._crew.settings)
        self._crew.take_over()
        for name, part in self.listeners.items():
            await part.listener.start()
            await part.presence.begin()
            self._vitals.listening.add(name)
        await self._distrust_the_future()
        await self._control.start()
        await self._watching.follow(self._crew.mailboxes)
        self._reload.shift.start()
        for name, part in self.listeners.items():
            self._tasks.start(self._keep_presence(name, part), f"presence {name}", until=self._stopping)
        pulse = Pulse(self._clock, self._manager, on_jump=self._clock_was_set, store_answers=self._store.threads_answer)
        self._tasks.start(pulse.run(self._stopping), "pulse", until=self._stopping)

    def _tell_started(self) -> None:
        self._vitals.started_at = self._vitals.configured_at = self._clock.now()
        log.info("daemon_started", mailboxes=len(self.watchers) + len(self.listeners))
        self._manager.ready()
        self._reload.tell_status()
        self.started.set()

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
            await self._crew.delivery_handler.handle_interrupted(row)

    # -- at work

    async def _keep_presence(self, name: MailboxName, part: ListenerPart) -> None:
        """Writes down that we listen, as long as we do. Where the store cannot be had, the gap that a crash leaves only
        seems longer.
        """
        while not self._stopping.is_set():
            if not part.listener.is_listening:
                raise RuntimeError(f"the listener of mailbox {name} has stopped to listen")
            try:
                await part.presence.save()
            except StoreUnavailable as error:
                log.warning("presence_unsaved", mailbox=name, error=str(error))
            self._crew.wakes.due.set()
            until = self._clock.now() + self._crew.settings.limits.loop_poll
            await first_of(self._stopping, clock=self._clock, until=until)

    async def _clock_was_set(self, by: timedelta) -> None:
        """Nothing that was planned by the old time may wait for it, and nothing be believed that is yet to come."""
        if by < timedelta(0):
            try:
                await self._distrust_the_future()
            except StoreUnavailable as error:
                if times := self._crew.wakes.paused.count("timers"):
                    log.warning("timers_paused", error=str(error), times=times)
        self._crew.wakes.wake_all()
        self._watching.look_now()

    async def _distrust_the_future(self) -> None:
        """What was written down by a clock that was ahead: how far mailboxes are read, when mail is to be sent."""
        await self._crew.progress.forget_future()
        retry_for = self._crew.settings.limits.retry_for
        count = await self._store.bring_forward(now=self._clock.now(), retry_for=retry_for)
        if count:
            log.warning("deliveries_brought_forward", deliveries=count)

    # -- stop

    async def _end(self) -> None:
        """Everything gets the same time to finish; what has not by then is cut, and the next start picks it up."""
        self._manager.stopping()
        grace = self._crew.settings.limits.stop_within
        self._stopping.set()
        self._vitals.listening.clear()
        endings = [
            *(part.listener.stop(grace) for part in self.listeners.values()),
            self._reload.stop(),
            self._watching.stop(),
            self._tasks.finish(grace),
            self._control.stop(grace),
        ]
        # One that fails to stop must not keep the others from it.
        for failure in await asyncio.gather(*endings, return_exceptions=True):
            if isinstance(failure, BaseException):
                log.error("stop_failed", error=repr(failure), exc_info=failure)
