"""The inbox loop: accepted mail to its outcome, in order of arrival; poison is tried alone and parked (R6, L5)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from mailcase.clock import Clock
from mailcase.config.settings import Limits
from mailcase.core.case import MailId
from mailcase.errors import Conflict, PermanentError, StoreUnavailable, TransientError
from mailcase.handlers.mail import MailHandler
from mailcase.handlers.probe import probe
from mailcase.handlers.read import ReadMail
from mailcase.log import get_logger
from mailcase.offload import Offload
from mailcase.store.port import Inbox, Point
from mailcase.store.rows.changes import Changes
from mailcase.store.rows.inbox import ClaimedMail, MailOutcome, Outcome, Reason
from mailcase.wakes import Wakes
from mailcase.workers.pauses import Pauses

log = get_logger()


class Reads(Protocol):
    """Reads one claimed mail; called on a thread of its own."""

    def read(self, claimed: ClaimedMail, *, now: datetime) -> ReadMail: ...


class InboxWorker:
    """Takes accepted mail to its outcome, in order of arrival."""

    def __init__(
        self,
        *,
        store: Inbox,
        reader: Reads,
        handler: MailHandler,
        clock: Clock,
        offload: Offload,
        wakes: Wakes,
        limits: Limits,
    ) -> None:
        self._store = store
        self._reader = reader
        self._handler = handler
        self._clock = clock
        self._offload = offload
        self._thread = offload("reader")
        self._wakes = wakes
        self._limits = limits
        self._pauses = Pauses(wakes)
        #: Claimed, and neither ended nor given back yet.
        self._in_hand: tuple[MailId, ...] = ()

    async def run(self) -> None:
        """Works until stopped; a cancellation gives back what was claimed, attempts included."""
        try:
            while not self._wakes.stopping.is_set():
                try:
                    worked = await self.work_once()
                except TransientError as error:
                    log.warning("inbox_paused", error=str(error))
                    await self._pauses.pause()
                    continue
                self._pauses.reset()
                if not worked:
                    until = self._clock.now() + self._limits.loop_poll
                    await self._wakes.woken(self._wakes.inbox, clock=self._clock, until=until)
        finally:
            await self._try_to_give_back()
            self._thread.abandon()

    async def work_once(self) -> bool:
        """Claims one batch and settles it; False when there was nothing to do.

        Raises:
            TransientError: the store, or a process to read a suspect mail in, cannot be had now.
        """
        await self._give_back()
        claimed = await self._claim()
        if not claimed:
            return False
        try:
            await self._work(claimed)
        except (asyncio.CancelledError, TransientError):
            await self._try_to_give_back()
            raise
        self._in_hand = ()
        # A window may have waited for this mail.
        self._wakes.due.set()
        return True

    # -- claims

    async def _claim(self) -> tuple[ClaimedMail, ...]:
        """The next batch, in hand. What the database has begun it ends (store/sqlite.py, rule 1), also when nobody
        waits any more: a claim that came too late for us is given back.
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
                self._in_hand = tuple(mail.id for mail in await claiming)
            await self._try_to_give_back()
            raise
        self._in_hand = tuple(mail.id for mail in claimed)
        return claimed

    async def _give_back(self) -> None:
        """Releases what is in hand, attempts included; what has ended meanwhile stays as it is."""
        if self._in_hand:
            await self._store.release_inbox(self._in_hand, attempt_counts=False)
            self._in_hand = ()

    async def _try_to_give_back(self) -> None:
        """As `_give_back`; where the store cannot be had, the mails stay in hand for the next time."""
        with contextlib.suppress(StoreUnavailable):
            await self._give_back()

    # -- work

    async def _work(self, claimed: Sequence[ClaimedMail]) -> None:
        if claimed[0].attempts > 1:
            return await self._work_suspect(claimed[0])
        reads = [read for mail in claimed if (read := await self._read(mail)) is not None]
        if not reads:
            return None
        try:
            await self._handle(reads)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - rule 1 of the loops
            log.warning("batch_failed", mails=len(reads), error=repr(error))
            await self._handle_singly(reads)
        return None

    async def _handle_singly(self, reads: Sequence[ReadMail]) -> None:
        """What failed together may succeed apart; only the mail that fails alone is at fault."""
        for read in reads:
            try:
                await self._handle([read])
            except StoreUnavailable:
                raise
            except Exception as error:  # noqa: BLE001 - rule 1 of the loops
                await self._failed(read.claimed, error)

    async def _work_suspect(self, mail: ClaimedMail) -> None:
        """A mail whose attempt did not finish: alone, and read in a process of its own first (DESIGN 8, Poison)."""
        if mail.attempts > self._limits.attempts:
            return await self._park(mail, Reason.ATTEMPTS_USED_UP, "its handling did not finish in any attempt")
        trouble = await self._probe(mail)
        if trouble is not None:
            return await self._failed(mail, PermanentError(trouble))
        read = await self._read(mail)
        if read is not None:
            await self._handle_singly([read])
        return None

    async def _probe(self, mail: ClaimedMail) -> str | None:
        try:
            return await probe(mail.raw, limit=self._limits.read_timeout, memory_bytes=self._limits.read_memory_bytes)
        except OSError as error:
            # Not the fault of the mail: no attempt is counted.
            raise TransientError(f"no process can be had to read a suspect mail in: {error.strerror}") from error

    async def _read(self, mail: ClaimedMail) -> ReadMail | None:
        """The mail as read; None when that failed, which is then settled. A thread that does not come back is left to
        itself: nothing can end it, but the next attempt is made in a process that can be ended.
        """
        now = self._clock.now()
        limit = self._limits.read_timeout.total_seconds()
        try:
            async with asyncio.timeout(limit):
                return await self._thread.run(lambda: self._reader.read(mail, now=now))
        except TimeoutError as error:
            self._thread.abandon()
            self._thread = self._offload("reader")
            error.add_note(f"reading it takes longer than {limit:g} s")
            await self._failed(mail, error)
        except Exception as error:  # noqa: BLE001 - rule 1 of the loops
            await self._failed(mail, error)
        return None

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
    if isinstance(error, PermanentError):
        return str(error)
    notes = getattr(error, "__notes__", ())
    return "; ".join(notes) or repr(error)
