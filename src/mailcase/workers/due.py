"""The loop over time: cases that are due get their ticks, and windows close once all mail has been read past them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mailcase.clock import Clock
from mailcase.config.settings import Limits
from mailcase.core.case import CaseId, reference
from mailcase.errors import StoreUnavailable
from mailcase.handlers.tick import ReadThrough, TickHandler
from mailcase.inbound.progress import Progress
from mailcase.log import get_logger
from mailcase.store.port import Timetable
from mailcase.wakes import Wakes
from mailcase.workers.pauses import Pauses

log = get_logger()


class DueWorker:
    """Hands cases that time has come for to the core: deadlines first, then the windows that all mail was read for."""

    def __init__(
        self,
        *,
        store: Timetable,
        handler: TickHandler,
        progress: Progress,
        clock: Clock,
        wakes: Wakes,
        limits: Limits,
    ) -> None:
        self._store = store
        self._handler = handler
        self._progress = progress
        self._clock = clock
        self._wakes = wakes
        self._limits = limits
        self._pauses = Pauses(wakes, limits)
        self._told_held: frozenset[CaseId] = frozenset()
        #: The time up to which the last round looked.
        self._looked_at = clock.now()

    async def run(self) -> None:
        """Works until stopped."""
        while not self._wakes.stopping.is_set():
            try:
                worked = await self.work_once()
                until = await self._next_look()
            except StoreUnavailable as error:
                if times := self._wakes.paused.count("timers"):
                    log.warning("timers_paused", error=str(error), times=times)
                await self._pauses.pause()
                continue
            self._pauses.reset()
            if not worked:
                await self._wakes.woken(self._wakes.due, clock=self._clock, until=until)

    async def work_once(self) -> bool:
        """One round over what is due; False when nothing fired."""
        # The clock first: what is due by then must not be later than what is known to be read.
        self._looked_at = now = self._clock.now()
        read_through = await self._progress.read_through()
        fired = await self._tick_due(now, read_through)
        fired += await self._tick_windows(now, read_through)
        return fired > 0

    async def _tick_due(self, now: datetime, read_through: ReadThrough) -> int:
        """Every case that is due, once; one that stays due, because its tick fails, keeps none behind it waiting."""
        fired = 0
        stuck: CaseId | None = None
        while not self._wakes.stopping.is_set():
            due = await self._due(now, stuck)
            if not due:
                break
            fired += await self._tick(due, read_through)
            tried = frozenset(due)
            stuck = next((case_id for case_id in reversed(await self._due(now, stuck)) if case_id in tried), stuck)
        return fired

    async def _due(self, now: datetime, after: CaseId | None) -> list[CaseId]:
        cases = await self._store.due_cases(
            now=now, windows_through=None, limit_count=self._limits.due_batch, after=after
        )
        return [case.id for case in cases]

    async def _tick_windows(self, now: datetime, read_through: ReadThrough) -> int:
        windows = await self._store.held_windows(now=now)
        fired = 0
        size = self._limits.due_batch
        for start in range(0, len(windows), size):
            if self._wakes.stopping.is_set():
                break
            fired += await self._tick([case_id for case_id, _ in windows[start : start + size]], read_through)
        self._tell_held(await self._store.held_windows(now=now) if windows else ())
        return fired

    async def _tick(self, case_ids: Sequence[CaseId], read_through: ReadThrough) -> int:
        try:
            return await self._handler.handle(case_ids, read_through=read_through)
        except StoreUnavailable:
            raise
        except Exception:
            if len(case_ids) > 1:
                return sum([await self._tick([case_id], read_through) for case_id in case_ids])
            log.exception("tick_failed", case=reference(case_ids[0]))
            return 0

    def _tell_held(self, held: Sequence[tuple[CaseId, datetime]]) -> None:
        """A window that waits for unread mail is said once, when it begins to wait."""
        for case_id, window_at in held:
            if case_id not in self._told_held:
                log.info("window_held", case=reference(case_id), window_at=window_at.isoformat())
        self._told_held = frozenset(case_id for case_id, _ in held)

    async def _next_look(self) -> datetime:
        """When something becomes due that the last round did not see. Not counted from now: what became due while that
        round went on would wait for the safety net.
        """
        safety_net = self._looked_at + self._limits.loop_poll
        wake_at, window_at = await self._store.next_wake()
        return min([safety_net, *(at for at in (wake_at, window_at) if at is not None and at > self._looked_at)])
