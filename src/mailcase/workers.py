"""The loops: inbox, due cases, outbox. Each claims, works, settles; waits when there is nothing; never gives up.

This is the one place where any exception is caught: the row that caused it is tried again or parked, the loop goes on.
A store that is out of reach is waited for with growing pauses; no attempt is counted for that.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from mailcase.clock import Clock
from mailcase.config.settings import Limits
from mailcase.core.case import CaseId, reference
from mailcase.entropy import Entropy
from mailcase.errors import PermanentError, StoreUnavailable
from mailcase.handlers.delivery import Attempted, DeliveryHandler
from mailcase.handlers.mail import MailHandler
from mailcase.handlers.outcome import Reason
from mailcase.handlers.probe import probe
from mailcase.handlers.read import Reader, ReadMail
from mailcase.handlers.tick import ReadThrough, TickHandler
from mailcase.handlers.transaction import again_on_conflict
from mailcase.inbound.progress import Progress
from mailcase.log import get_logger
from mailcase.offload import Worker
from mailcase.outbound.port import Attempt, Outlet, OutletSession
from mailcase.outbound.retry import next_attempt_at
from mailcase.store.port import (
    Changes,
    ClaimedMail,
    ClaimedOutgoing,
    DeliveryId,
    DeliveryResult,
    DeliveryState,
    MailOutcome,
    Outcome,
    Point,
    Store,
)
from mailcase.wakes import Wakes, woken

log = get_logger()

#: Cases handed to one tick transaction, and mails to one connection, at a time.
DUE_BATCH = 50
OUTBOX_BATCH = 10
#: Pauses while the store is out of reach: the first, and the longest.
FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(seconds=15)


class Pauses:
    """Growing pauses for one loop, in real time; `reset` after success."""

    def __init__(self, wakes: Wakes) -> None:
        self._wakes = wakes
        self._next = FIRST_PAUSE

    def reset(self) -> None:
        """The next pause is the first again."""
        self._next = FIRST_PAUSE

    async def pause(self) -> None:
        """Waits, unless the daemon stops, and doubles the pause that follows."""
        pause, self._next = self._next, min(self._next * 2, LONGEST_PAUSE)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause.total_seconds()):
                await self._wakes.stopping.wait()


class InboxWorker:
    """Takes accepted mail to its outcome, in order of arrival."""

    def __init__(
        self,
        *,
        store: Store,
        reader: Reader,
        handler: MailHandler,
        clock: Clock,
        thread: Worker,
        wakes: Wakes,
        limits: Limits,
    ) -> None:
        self._store = store
        self._reader = reader
        self._handler = handler
        self._clock = clock
        self._thread = thread
        self._wakes = wakes
        self._limits = limits
        self._pauses = Pauses(wakes)

    async def run(self) -> None:
        """Works until stopped; a cancellation gives back what was claimed, attempts included."""
        while not self._wakes.stopping.is_set():
            try:
                worked = await self.work_once()
            except StoreUnavailable as error:
                log.warning("inbox_paused", error=str(error))
                await self._pauses.pause()
                continue
            self._pauses.reset()
            if not worked:
                until = self._clock.now() + self._limits.loop_poll
                await woken(self._wakes.inbox, clock=self._clock, until=until)

    async def work_once(self) -> bool:
        """Claims one batch and settles it; False when there was nothing to do."""
        now = self._clock.now()
        claimed = await self._store.claim_inbox(
            now=now,
            limit_count=self._limits.inbox_batch,
            limit_bytes=self._limits.inbox_batch_bytes,
            lease_until=now + self._limits.lease,
        )
        if not claimed:
            return False
        try:
            await self._work(claimed)
        except (asyncio.CancelledError, StoreUnavailable):
            await self._store.release_inbox([mail.id for mail in claimed], attempt_counts=False)
            raise
        return True

    async def _work(self, claimed: Sequence[ClaimedMail]) -> None:
        if claimed[0].attempts > 1:
            return await self._work_suspect(claimed[0])
        try:
            await self._handle([await self._read(mail) for mail in claimed])
        except (StoreUnavailable, asyncio.CancelledError):
            raise
        except Exception as error:  # noqa: BLE001 - rule of this module: a row's failure never ends the loop
            log.warning("batch_failed", mails=len(claimed), error=repr(error))
            await self._work_singly(claimed)
        return None

    async def _work_singly(self, claimed: Sequence[ClaimedMail]) -> None:
        """What failed together may succeed apart; only the mail that fails alone is at fault."""
        for mail in claimed:
            try:
                await self._handle([await self._read(mail)])
            except (StoreUnavailable, asyncio.CancelledError):
                raise
            except Exception as error:  # noqa: BLE001 - rule of this module
                await self._failed(mail, error)

    async def _work_suspect(self, mail: ClaimedMail) -> None:
        """A mail whose attempt did not finish: alone, and read in a process of its own first (DESIGN 8, Poison)."""
        if mail.attempts > self._limits.attempts:
            return await self._park(mail, "its handling did not finish in any attempt")
        trouble = await probe(mail.raw, limit=self._limits.read_timeout, memory_bytes=self._limits.read_memory_bytes)
        if trouble is not None:
            return await self._failed(mail, PermanentError(trouble))
        return await self._work_singly([mail])

    async def _read(self, mail: ClaimedMail) -> ReadMail:
        now = self._clock.now()
        return await self._thread.run(lambda: self._reader.read(mail, now=now))

    async def _handle(self, batch: list[ReadMail]) -> None:
        await again_on_conflict(lambda: self._handler.handle(batch))

    async def _failed(self, mail: ClaimedMail, error: Exception) -> None:
        if mail.attempts >= self._limits.attempts or isinstance(error, PermanentError):
            return await self._park(mail, repr(error) if not isinstance(error, PermanentError) else str(error))
        log.error("mail_failed", mail_id=mail.id, attempts=mail.attempts, error=repr(error), exc_info=error)
        return await self._store.release_inbox([mail.id], attempt_counts=True)

    async def _park(self, mail: ClaimedMail, why: str) -> None:
        """Sets the mail aside with its bytes and reason; `mailcase mail retry` brings it back."""
        outcome = MailOutcome(
            mail_id=mail.id,
            outcome=Outcome.PARKED,
            reason=f"{Reason.ATTEMPTS_USED_UP}: {why}",
            kind=None,
            message_id=None,
            from_address=None,
            subject=None,
            trace=(),
            case_ids=(),
            handled_at=self._clock.now(),
        )
        await self._store.save(Point.SAVE_MAIL, Changes(outcomes=(outcome,)), now=self._clock.now())
        log.error("mail_parked", mail_id=mail.id, mailbox=mail.mailbox, attempts=mail.attempts, error=why)


class DueWorker:
    """Hands cases that time has come for to the core: deadlines first, then the windows that all mail was read for."""

    def __init__(
        self,
        *,
        store: Store,
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
        self._pauses = Pauses(wakes)
        self._told_held: frozenset[CaseId] = frozenset()

    async def run(self) -> None:
        """Works until stopped."""
        while not self._wakes.stopping.is_set():
            try:
                worked = await self.work_once()
                until = await self._next_look()
            except StoreUnavailable as error:
                log.warning("timers_paused", error=str(error))
                await self._pauses.pause()
                continue
            self._pauses.reset()
            if not worked:
                await woken(self._wakes.due, clock=self._clock, until=until)

    async def work_once(self) -> bool:
        """One round over what is due; False when nothing fired."""
        read_through = await self._progress.read_through()
        now = self._clock.now()
        due = await self._store.due_cases(now=now, windows_through=None, limit_count=DUE_BATCH)
        fired = await self._tick([case.id for case in due], read_through)
        windows = await self._store.held_windows(now=now)
        for start in range(0, len(windows), DUE_BATCH):
            chunk = [case_id for case_id, _ in windows[start : start + DUE_BATCH]]
            fired += await self._tick(chunk, read_through)
        self._tell_held(await self._store.held_windows(now=now) if windows else ())
        return fired > 0

    async def _tick(self, case_ids: Sequence[CaseId], read_through: ReadThrough) -> int:
        if not case_ids:
            return 0
        try:
            return await again_on_conflict(lambda: self._handler.handle(case_ids, read_through=read_through))
        except (StoreUnavailable, asyncio.CancelledError):
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
        now = self._clock.now()
        safety_net = now + self._limits.loop_poll
        wake_at, window_at = await self._store.next_wake()
        return min([safety_net, *(at for at in (wake_at, window_at) if at is not None and at > now)])


class OutboxWorker:
    """One connection's worth of sending: claim, journal, send, settle."""

    def __init__(
        self,
        *,
        store: Store,
        outlet: Outlet,
        handler: DeliveryHandler,
        clock: Clock,
        entropy: Entropy,
        wakes: Wakes,
        limits: Limits,
    ) -> None:
        self._store = store
        self._outlet = outlet
        self._handler = handler
        self._clock = clock
        self._entropy = entropy
        self._wakes = wakes
        self._limits = limits
        self._pauses = Pauses(wakes)

    async def run(self) -> None:
        """Works until stopped; mails claimed and not begun are given back."""
        async with self._outlet.session() as session:
            while not self._wakes.stopping.is_set():
                try:
                    worked = await self.work_once(session)
                    until = await self._next_look()
                except StoreUnavailable as error:
                    log.warning("outbox_paused", error=str(error))
                    await self._pauses.pause()
                    continue
                self._pauses.reset()
                if not worked:
                    await session.close()
                    await woken(self._wakes.outbox, clock=self._clock, until=until)

    async def work_once(self, session: OutletSession) -> bool:
        """Claims due mails and tries each once; False when there was nothing to send."""
        now = self._clock.now()
        claimed = await self._store.claim_outbox(
            now=now, limit_count=OUTBOX_BATCH, lease_until=now + self._limits.lease
        )
        for index, mail in enumerate(claimed):
            if self._wakes.stopping.is_set():
                await self._give_back(claimed[index:])
                break
            try:
                await self._send(session, mail)
            except (asyncio.CancelledError, StoreUnavailable):
                await self._give_back(claimed[index + 1 :])
                raise
        return bool(claimed)

    async def _send(self, session: OutletSession, mail: ClaimedOutgoing) -> None:
        async def journal(delivery_ids: Sequence[DeliveryId]) -> None:
            await self._store.journal(delivery_ids, now=self._clock.now())

        attempts = await session.send(mail, before_data=journal)
        await self._settle(mail, attempts)

    async def _settle(self, mail: ClaimedOutgoing, attempts: Sequence[Attempt]) -> None:
        addresses = {delivery.id: delivery for delivery in mail.deliveries}
        attempted = [
            Attempted(
                result=self._result(mail, attempt, tries=addresses[attempt.id].attempts + 1),
                mail_id=mail.id,
                case_id=mail.case_id,
                address=addresses[attempt.id].address,
            )
            for attempt in attempts
        ]
        await again_on_conflict(lambda: self._handler.handle(attempted))

    def _result(self, mail: ClaimedOutgoing, attempt: Attempt, *, tries: int) -> DeliveryResult:
        """Turns what the relay said into what follows: again later, or never."""
        is_again = attempt.state is DeliveryState.DEFERRED or (
            attempt.state is DeliveryState.UNKNOWN and self._limits.resend_unknown
        )
        if not is_again:
            return DeliveryResult(id=attempt.id, state=attempt.state, reply=attempt.reply)
        next_at = next_attempt_at(
            created_at=mail.created_at,
            attempts=tries,
            now=self._clock.now(),
            step=self._limits.retry_step,
            retry_for=self._limits.retry_for,
            jitter=self._entropy.uniform(),
        )
        if next_at is None:
            return DeliveryResult(
                id=attempt.id, state=DeliveryState.FAILED, reply=f"given up, last answer: {attempt.reply}"
            )
        return DeliveryResult(id=attempt.id, state=DeliveryState.DEFERRED, reply=attempt.reply, next_at=next_at)

    async def _give_back(self, mails: Sequence[ClaimedOutgoing]) -> None:
        results = tuple(
            DeliveryResult(id=delivery.id, state=DeliveryState.QUEUED, reply="given back untried")
            for mail in mails
            for delivery in mail.deliveries
        )
        if results:
            await self._store.save(Point.SETTLE, Changes(results=results), now=self._clock.now())

    async def _next_look(self) -> datetime:
        now = self._clock.now()
        next_at = await self._store.next_delivery_at()
        return min(at for at in (now + self._limits.loop_poll, next_at) if at is not None and at > now)
