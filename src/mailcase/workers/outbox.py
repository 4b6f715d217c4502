"""The outbox loop: claim, journal, send, settle. As many of them as there are connections to the relay."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from mailcase.clock import Clock
from mailcase.config.settings import Limits, Outgoing, OutgoingMode
from mailcase.entropy import Entropy
from mailcase.errors import StoreUnavailable, TransientError
from mailcase.handlers.delivery import Attempted, DeliveryHandler
from mailcase.log import get_logger
from mailcase.outbound.port import Attempt, Outlet, OutletSession
from mailcase.outbound.retry import result_of
from mailcase.outbound.wire import one_line
from mailcase.store.port import Outbox, Point
from mailcase.store.rows.changes import Changes
from mailcase.store.rows.outbox import ClaimedOutgoing, DeliveryId, DeliveryResult, DeliveryState
from mailcase.wakes import Wakes
from mailcase.workers.pauses import Pauses

log = get_logger()


class OutboxWorker:
    """One connection's worth of sending."""

    def __init__(
        self,
        *,
        store: Outbox,
        outlet: Outlet,
        handler: DeliveryHandler,
        clock: Clock,
        entropy: Entropy,
        wakes: Wakes,
        limits: Limits,
        outgoing: Outgoing,
    ) -> None:
        """What `outgoing` says of a trial run holds for every mail, whenever it was queued."""
        self._store = store
        self._outgoing = outgoing
        self._outlet = outlet
        self._handler = handler
        self._clock = clock
        self._entropy = entropy
        self._wakes = wakes
        self._limits = limits
        self._pauses = Pauses(wakes, limits)
        #: Saves what became of the last attempt.
        self._settling: asyncio.Task[None] | None = None
        #: Claimed and not begun.
        self._in_hand: tuple[ClaimedOutgoing, ...] = ()
        #: The time up to which the last claim looked.
        self._looked_at = clock.now()

    async def run(self) -> None:
        """Works until stopped; mails claimed and not begun are given back."""
        async with self._outlet.session() as session:
            while not self._wakes.stopping.is_set():
                try:
                    worked = await self.work_once(session)
                    until = await self._next_look()
                except StoreUnavailable as error:
                    if times := self._wakes.paused.count("outbox"):
                        log.warning("outbox_paused", error=str(error), times=times)
                    await self._pauses.pause()
                    continue
                self._pauses.reset()
                if not worked:
                    await session.close()
                    await self._wakes.woken(self._wakes.outbox, clock=self._clock, until=until)

    async def work_once(self, session: OutletSession) -> bool:
        """Claims due mails and tries each once; False when there was nothing to send."""
        await self._give_back()
        self._looked_at = now = self._clock.now()
        claimed = await self._store.claim_outbox(
            now=now,
            limit_count=self._limits.outbox_batch,
            lease_until=now + self._limits.lease,
            holds_others=self._outgoing.mode is OutgoingMode.HOLD,
        )
        if len(claimed) == self._limits.outbox_batch:
            # There may be more than one connection's worth; the loops share one event.
            self._wakes.outbox.set()
        self._in_hand = claimed
        try:
            while self._in_hand and not self._wakes.stopping.is_set():
                mail, *rest = self._in_hand
                self._in_hand = tuple(rest)
                await self._send(session, self._redirected(mail))
            await self._settled()
            await self._give_back()
        except (asyncio.CancelledError, StoreUnavailable):
            with contextlib.suppress(StoreUnavailable):
                await self._give_back()
            raise
        finally:
            await self._settled()
        return bool(claimed)

    async def _give_back(self) -> None:
        """Queues again what is in hand. Where the store cannot be had, it stays in hand for the next time."""
        results = tuple(
            DeliveryResult(id=delivery.id, state=DeliveryState.QUEUED, reply="given back untried")
            for mail in self._in_hand
            for delivery in mail.deliveries
        )
        if results:
            await self._store.save(Point.SETTLE, Changes(results=results), now=self._clock.now())
            self._in_hand = ()

    def _redirected(self, mail: ClaimedOutgoing) -> ClaimedOutgoing:
        """A mail that was queued before the operator said `redirect` must not reach its recipient either."""
        address = self._outgoing.redirect_to
        if address is None:
            return mail
        return replace(mail, deliveries=tuple(replace(delivery, address=address) for delivery in mail.deliveries))

    async def _send(self, session: OutletSession, mail: ClaimedOutgoing) -> None:
        """One attempt, journaled just before DATA and settled whatever happens to the store meanwhile.

        It is settled while the next mail is offered to the server, and before that one is journaled: a connection never
        has two attempts whose end is not kept.

        Raises:
            StoreUnavailable: the attempt could not be journaled, and the mail was given back untried.
        """
        begun: set[DeliveryId] = set()
        store_failures: list[StoreUnavailable] = []

        async def journal(delivery_ids: Sequence[DeliveryId]) -> None:
            await self._settled()
            try:
                await self._store.journal(delivery_ids, now=self._clock.now())
            except StoreUnavailable as error:
                store_failures.append(error)
                raise
            begun.update(delivery_ids)

        try:
            attempts = await session.send(mail, before_data=journal)
        except Exception as error:
            log.exception("send_failed", outgoing_id=mail.id)
            attempts = _broken_off(mail, begun, error)
        await self._settled()
        self._settling = asyncio.create_task(self._settle(mail, attempts))
        if store_failures:
            raise store_failures[0]

    async def _settled(self) -> None:
        """Returns when the last attempt is settled."""
        settling, self._settling = self._settling, None
        if settling is not None:
            await settling

    async def _settle(self, mail: ClaimedOutgoing, attempts: Sequence[Attempt]) -> None:
        """Saves what became of the attempts. Nobody else knows it: it is kept until the store takes it, or, when the
        daemon stops before, left to the next start, which calls it unknown.
        """
        deliveries = {delivery.id: delivery for delivery in mail.deliveries}
        attempted = [
            Attempted(
                result=result_of(
                    attempt,
                    created_at=mail.created_at,
                    attempts=deliveries[attempt.id].attempts + 1,
                    now=self._clock.now(),
                    limits=self._limits,
                    jitter=self._entropy.uniform(),
                ),
                outgoing_id=mail.id,
                case_id=mail.case_id,
                address=deliveries[attempt.id].address,
            )
            for attempt in attempts
        ]
        while not await self._try_to_settle(attempted):
            if self._wakes.ending.is_set():
                log.error("delivery_unsettled", outgoing_id=mail.id)
                return
            await self._pauses.pause(ending_only=True)

    async def _try_to_settle(self, attempted: Sequence[Attempted]) -> bool:
        try:
            await self._handler.handle(attempted)
        except TransientError as error:
            if times := self._wakes.paused.count("outbox"):
                log.warning("outbox_paused", error=str(error), times=times)
            return False
        except Exception:
            # Rather an effect on the case less than a mail sent twice.
            log.exception("settle_failed", outgoing_id=attempted[0].outgoing_id)
            return await self._try_to_settle_alone(attempted)
        return True

    async def _try_to_settle_alone(self, attempted: Sequence[Attempted]) -> bool:
        """The results without what they do to the case."""
        changes = Changes(results=tuple(each.result for each in attempted))
        try:
            await self._store.save(Point.SETTLE, changes, now=self._clock.now())
        except TransientError as error:
            if times := self._wakes.paused.count("outbox"):
                log.warning("outbox_paused", error=str(error), times=times)
            return False
        return True

    async def _next_look(self) -> datetime:
        """When something becomes due that the last claim did not see."""
        safety_net = self._looked_at + self._limits.loop_poll
        next_at = await self._store.next_delivery_at()
        return min(at for at in (safety_net, next_at) if at is not None and at > self._looked_at)


def _broken_off(mail: ClaimedOutgoing, begun: set[DeliveryId], error: Exception) -> tuple[Attempt, ...]:
    """What is known of an attempt that ended in an exception: whether it had begun."""
    reply = one_line(f"sending it failed: {error!r}")
    return tuple(
        Attempt(
            id=delivery.id,
            state=DeliveryState.UNKNOWN if delivery.id in begun else DeliveryState.DEFERRED,
            reply=reply,
        )
        for delivery in mail.deliveries
    )
