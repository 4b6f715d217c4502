"""The inbox loop: accepted mail to its outcome. Mailboxes take turns (R18), each in order of arrival; poison is tried
alone and parked (R6, L5).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mailcase.clock import Clock
from mailcase.config.settings import Limits
from mailcase.core.case import MailId
from mailcase.errors import Conflict, PermanentError, StoreUnavailable, TransientError
from mailcase.handlers.mail import MailHandler
from mailcase.handlers.read import ReadMail
from mailcase.handlers.reading_process import NotRead, ReadingLost
from mailcase.log import get_logger
from mailcase.store.port import Inbox, Point
from mailcase.store.rows.changes import Changes
from mailcase.store.rows.inbox import ClaimedMail, MailOutcome, Outcome, Reason
from mailcase.wakes import Wakes
from mailcase.workers.pauses import Pauses

log = get_logger()

#: How much longer than its work the loop rests while senders wait: it keeps a fifth of the time.
REST_FACTOR = 4
#: How soon the end of a rush is noticed.
REST_STEP_SECONDS = 0.02


class Reads(Protocol):
    """Reads claimed mail, outside the daemon's own process (`handlers.reading_process`)."""

    async def read(self, mails: Sequence[ClaimedMail], *, now: datetime) -> tuple[ReadMail | Exception, ...]:
        """What was read of each mail, in order, or what kept it from being read. Raises TransientError."""
        ...

    async def make_ready(self) -> None:
        """Returns when the next mail can be read without delay. Raises TransientError."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    claimed: tuple[ClaimedMail, ...]
    #: One for each mail that was claimed; none where it is not read any more.
    results: tuple[ReadMail | Exception, ...]


class InboxWorker:
    """Takes accepted mail to its outcome."""

    def __init__(
        self,
        *,
        store: Inbox,
        reader: Reads,
        handler: MailHandler,
        is_offered: Callable[[], bool],
        clock: Clock,
        wakes: Wakes,
        limits: Limits,
    ) -> None:
        """`is_offered` says whether senders wait for mail to be accepted."""
        self._store = store
        self._reader = reader
        self._handler = handler
        self._is_offered = is_offered
        self._clock = clock
        self._wakes = wakes
        self._limits = limits
        self._pauses = Pauses(wakes, limits)
        #: Claimed, and neither ended nor given back yet.
        self._in_hand: frozenset[MailId] = frozenset()
        #: The batch that comes next, being claimed and read while this one is settled.
        self._ahead: asyncio.Task[_Batch] | None = None

    async def run(self) -> None:
        """Works until stopped; a cancellation gives back what was claimed, attempts included."""
        loop = asyncio.get_running_loop()
        try:
            with contextlib.suppress(TransientError):
                # Or the first mail tries it again, and says what is wrong.
                await self._reader.make_ready()
            while not self._wakes.stopping.is_set():
                started = loop.time()
                try:
                    worked = await self.work_once()
                except TransientError as error:
                    if times := self._wakes.paused.count("inbox"):
                        log.warning("inbox_paused", error=str(error), times=times)
                    await self._pauses.pause()
                    continue
                self._pauses.reset()
                if worked:
                    await self._let_senders_go_first(loop.time() - started)
                else:
                    until = self._clock.now() + self._limits.loop_poll
                    await self._wakes.woken(self._wakes.inbox, clock=self._clock, until=until)
        finally:
            await self._let_go()
            await self._reader.close()

    async def _let_senders_go_first(self, worked_seconds: float) -> None:
        """What is durable can wait, who waits for a `250` cannot: while mail is offered, a batch is followed by a rest
        of some times its length. With that the batches grow, and cost less for each mail.
        """
        rest = min(worked_seconds * REST_FACTOR, self._limits.inbox_rest.total_seconds())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(rest):
                while self._is_offered() and not self._wakes.stopping.is_set():
                    await self._pause(REST_STEP_SECONDS)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wakes.stopping.wait()

    async def work_once(self) -> bool:
        """Claims, reads and settles one batch; False when there was nothing to do. While there is a backlog, the next
        batch is read meanwhile.

        Raises:
            TransientError: the store, or a process to read mail in, cannot be had now.
        """
        try:
            batch = await self._next_batch()
            if not batch.claimed:
                return False
            if len(batch.claimed) == self._limits.inbox_batch:
                self._ahead = asyncio.create_task(self._take())
            await self._settle(batch)
        except (asyncio.CancelledError, TransientError):
            await self._let_go()
            raise
        self._in_hand -= {mail.id for mail in batch.claimed}
        # A window may have waited for this mail.
        self._wakes.due.set()
        return True

    # -- claims

    async def _next_batch(self) -> _Batch:
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            return await ahead
        await self._give_back()
        return await self._take()

    async def _take(self) -> _Batch:
        """Claims and reads. A mail whose attempts are used up is not read again."""
        claimed = await self._claim()
        if not claimed or claimed[0].attempts > self._limits.attempts:
            return _Batch(claimed=claimed, results=())
        return _Batch(claimed=claimed, results=await self._reader.read(claimed, now=self._clock.now()))

    async def _claim(self) -> tuple[ClaimedMail, ...]:
        """The next mails, in hand. What the database has begun it ends (store/sqlite.py, rule 1), also when nobody
        waits any more: then they are in hand all the same, to be given back.
        """
        now = self._clock.now()
        claiming = asyncio.ensure_future(
            self._store.claim_inbox(
                now=now,
                limit_count=self._limits.inbox_batch,
                limit_bytes=self._limits.inbox_batch_bytes,
                lease_until=now + self._limits.lease,
            )
        )
        try:
            claimed = await asyncio.shield(claiming)
        except asyncio.CancelledError:
            with contextlib.suppress(StoreUnavailable):
                self._in_hand |= {mail.id for mail in await claiming}
            raise
        self._in_hand |= {mail.id for mail in claimed}
        return claimed

    async def _let_go(self) -> None:
        """Ends what is under way and gives everything back that can be; the rest stays in hand for the next time."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.cancel()
            with contextlib.suppress(asyncio.CancelledError, TransientError):
                await ahead
        with contextlib.suppress(StoreUnavailable):
            await self._give_back()

    async def _give_back(self) -> None:
        """Releases what is in hand, attempts included; what has ended meanwhile stays as it is."""
        if self._in_hand:
            await self._store.release_inbox(sorted(self._in_hand), attempt_counts=False)
            self._in_hand = frozenset()

    # -- work

    async def _settle(self, batch: _Batch) -> None:
        if not batch.results:
            await self._park(batch.claimed[0], Reason.ATTEMPTS_USED_UP, "its handling did not finish in any attempt")
            return
        for mail, result in zip(batch.claimed, batch.results, strict=True):
            if isinstance(result, Exception):
                await self._not_read(mail, result)
        reads = [result for result in batch.results if isinstance(result, ReadMail)]
        if not reads:
            return
        try:
            await self._handle(reads)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - rule 1 of the loops
            if len(reads) > 1:
                log.warning("batch_failed", mails=len(reads), error=repr(error))
            await self._handle_singly(reads)

    async def _not_read(self, mail: ClaimedMail, error: Exception) -> None:
        if isinstance(error, ReadingLost) and mail.attempts > 1:
            # Not by accident: it was alone this time (docs/decisions/0012).
            error = PermanentError(str(error))
        await self._failed(mail, error)

    async def _handle_singly(self, reads: Sequence[ReadMail]) -> None:
        """What failed together may succeed apart; only the mail that fails alone is at fault."""
        for read in reads:
            try:
                await self._handle([read])
            except StoreUnavailable:
                raise
            except Exception as error:  # noqa: BLE001 - rule 1 of the loops
                await self._failed(read.claimed, error)

    async def _handle(self, batch: list[ReadMail]) -> None:
        await self._handler.handle(batch)

    # -- what fails

    async def _failed(self, mail: ClaimedMail, error: Exception) -> None:
        if isinstance(error, PermanentError):
            return await self._park(mail, Reason.CANNOT_BE_HANDLED, _words(error))
        if mail.attempts >= self._limits.attempts:
            return await self._park(mail, Reason.ATTEMPTS_USED_UP, _words(error))
        log.error("mail_failed", mail_id=mail.id, attempts=mail.attempts, error=_words(error), exc_info=error)
        return await self._store.release_inbox([mail.id], attempt_counts=True)

    async def _park(self, mail: ClaimedMail, reason: Reason, why: str) -> None:
        """Sets the mail aside with its bytes and reason; `mailcase mail retry` brings it back."""
        now = self._clock.now()
        outcome = MailOutcome(
            mail_id=mail.id,
            outcome=Outcome.PARKED,
            reason=f"{reason}: {why}",
            kind=None,
            message_id=None,
            from_address=None,
            subject=None,
            trace=(),
            case_ids=(),
            handled_at=now,
        )
        try:
            await self._store.save(Point.SAVE_MAIL, Changes(outcomes=(outcome,)), now=now)
        except Conflict:
            log.warning("mail_ended_already", mail_id=mail.id)
            return
        log.error("mail_parked", mail_id=mail.id, mailbox=mail.mailbox, attempts=mail.attempts, error=why)


def _words(error: Exception) -> str:
    """What an operator is told: our own words where we have any."""
    return str(error) if isinstance(error, PermanentError | NotRead | ReadingLost) else repr(error)
