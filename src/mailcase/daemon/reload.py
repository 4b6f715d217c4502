"""A new configuration while the daemon runs: all of it, or nothing, and then the log and the asker hear why.

Rules that hold here:
1. Nothing of a configuration is applied before all of it has been found right, what needs a restart included.
2. What is in hand ends under the configuration that it began under: the old shift hands over before the new one works.
   Mail is taken in meanwhile, and commands of the shell wait for the new desk.
3. Deadlines are computed anew once nothing of the old shift can write one any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mailcase.config.changes import changed_parts, restart_problems
from mailcase.config.settings import Settings
from mailcase.daemon.shift import Crew, Shift
from mailcase.daemon.surroundings import Renewal, Surroundings
from mailcase.daemon.tasks import OwnTasks
from mailcase.daemon.watching import Watching
from mailcase.errors import ConfigError, StoreUnavailable
from mailcase.handlers.refresh import refresh_deadlines, refuse_lost_processes
from mailcase.inbound.control import Request, Response, refusal
from mailcase.inbound.protocol import Exit, Json
from mailcase.log import get_logger
from mailcase.workers.pauses import Pauses

log = get_logger()

#: The operation that asks for it over the shell's socket.
RELOAD = "reload"


class Reload:
    """Knows the shift at work, and puts the next one in its place."""

    def __init__(
        self,
        shift: Shift,
        around: Surroundings,
        renewal: Renewal,
        *,
        tasks: OwnTasks,
        watching: Watching,
    ) -> None:
        self.shift = shift
        self._renewal = renewal
        self._tasks = tasks
        self._watching = watching
        self._store = around.store
        self._clock = around.clock
        self._manager = around.manager
        self._offload = around.offload
        self._vitals = around.vitals
        #: One reload at a time.
        self._turn = asyncio.Lock()
        #: The one that waits for its turn.
        self._waiting: asyncio.Task[Response] | None = None
        #: Not set while the desk changes hands.
        self._desk_is_open = asyncio.Event()
        self._desk_is_open.set()
        self._refresh_turn = asyncio.Lock()
        self._at_any_time = asyncio.Event()
        self._at_any_time.set()

    async def answer(self, request: Request, *, uid: int | None, blobs: Sequence[bytes]) -> Response:
        """Has a request of the shell answered at the desk that is open."""
        await self._desk_is_open.wait()
        return await self.shift.answer(request, uid=uid, blobs=blobs)

    async def reload(self) -> Response:
        """Reads the configuration again and takes it over. What keeps it from being so is logged and answered.

        All who ask while a reload waits for its turn get that one: it will read what each of them has written. Once
        begun it goes on to its end, whoever waits for it.
        """
        if self._waiting is None:
            self._waiting = asyncio.create_task(self._reload_in_turn(), name="reload")
        return await asyncio.shield(self._waiting)

    async def _reload_in_turn(self) -> Response:
        async with self._turn:
            self._waiting = None
            if self.shift.crew.wakes.ending.is_set():
                return Response(exit=Exit.LATER, error="the daemon is stopping")
            self._manager.reloading()
            try:
                changed = await self._apply()
            except ConfigError as error:
                count = len(error.problems)
                head = f"nothing is taken over: {count} problem{'s' if count != 1 else ''} in the configuration"
                return self._refused(error, head, [str(problem) for problem in error.problems])
            except StoreUnavailable as error:
                return self._refused(error, "nothing is taken over", [str(error)])
            finally:
                self.tell_status()
                self._manager.ready()
        log.info("configuration_reloaded", changed=list(changed))
        return Response(data={"changed": [*changed]})

    def _refused(self, error: ConfigError | StoreUnavailable, head: str, problems: Sequence[str]) -> Response:
        for problem in problems:
            log.error("reload_refused", problem=problem)
        self._vitals.reload_problems = tuple(problems)
        self.tell_status()
        shown: list[Json] = [*problems]
        return Response(exit=Exit(refusal(error).exit), data={"problems": shown}, error="\n".join([head, *problems]))

    async def _apply(self) -> Sequence[str]:
        """Raises ConfigError or StoreUnavailable, and then nothing has changed."""
        old = self.shift
        settings = await self._read()
        if problems := restart_problems(old.crew.settings, settings):
            raise ConfigError(problems)
        await refuse_lost_processes(self._store, settings)
        crew = self._renewal.next_crew(settings)
        self._desk_is_open.clear()
        try:
            await old.hand_over()
            try:
                # Again: what was in hand may have opened the first case of a process that is to go.
                await refuse_lost_processes(self._store, settings)
            except BaseException:
                # Whatever it is, somebody must be at work.
                self._begin(self._renewal.next_crew(old.crew.settings))
                raise
            self._begin(crew)
        finally:
            self._desk_is_open.set()
        self._renewal.on_settings(settings)
        self._vitals.configured_at = self._clock.now()
        self._vitals.reload_problems = ()
        await self._watching.follow(crew.mailboxes)
        # What failed under the old configuration, or with an old secret, is not left to its pause.
        self._watching.look_now()
        self._tasks.start(self._refresh(old), "refresh", until=self._at_any_time)
        return changed_parts(old.crew.settings, settings)

    def _begin(self, crew: Crew) -> None:
        self.shift = Shift(crew, self._tasks)
        if not crew.wakes.ending.is_set():
            self.shift.start()
            # Time has gone by while nobody worked.
            crew.wakes.wake_all()

    async def _refresh(self, old: Shift) -> None:
        """At once, and again when the old shift was still sending: what came of that may have been saved since."""
        was_sending = old.is_sending
        await self._refresh_until_done()
        if was_sending:
            await old.sent()
            # What it had claimed and not begun is queued again.
            self.shift.crew.wakes.outbox.set()
            await self._refresh_until_done()

    async def _refresh_until_done(self) -> None:
        async with self._refresh_turn:
            crew = self.shift.crew
            pauses = Pauses(crew.wakes, crew.settings.limits)
            while not crew.wakes.ending.is_set():
                try:
                    await refresh_deadlines(self._store, crew.settings)
                except StoreUnavailable as error:
                    if times := crew.wakes.paused.count("timers"):
                        log.warning("timers_paused", error=str(error), times=times)
                    await pauses.pause(ending_only=True)
                else:
                    crew.wakes.due.set()
                    return

    async def _read(self) -> Settings:
        thread = self._offload("configuration")
        try:
            return await thread.run(self._renewal.reread)
        finally:
            thread.abandon()

    async def stop(self) -> None:
        """Asks the shift at work to end, for good."""
        self.shift.crew.wakes.stop()

    def tell_status(self) -> None:
        """How things stand, in a line for the service manager."""
        listening, watching = len(self._vitals.listening), len(self._watching.watchers)
        parts = [f"{watching} mailboxes watched", f"{listening} listening"]
        if self._vitals.reload_problems:
            parts.append(f"the last reload was refused: {self._vitals.reload_problems[0]}")
        self._manager.status("; ".join(parts))
