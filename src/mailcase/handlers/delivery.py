"""What became of our mail: settle the delivery, and tell the case when its requester cannot be reached (T31, C5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailcase.config.settings import Limits
from mailcase.core.case import SYSTEM, AttentionCause, CaseId, OutgoingId, reference
from mailcase.core.commands import ReportUndelivered
from mailcase.errors import StoreUnavailable
from mailcase.handlers.transaction import Transactions, again_on_conflict
from mailcase.handlers.workspace import Workspace
from mailcase.log import get_logger
from mailcase.outbound.port import Attempt
from mailcase.outbound.retry import result_of
from mailcase.store.port import Point
from mailcase.store.rows.lookup import Wanted
from mailcase.store.rows.outbox import DeliveryResult, DeliveryRow, DeliveryState

log = get_logger()

#: Reply of a delivery that the end of an earlier life of the daemon interrupted.
INTERRUPTED = "the daemon ended while it was being sent"
_CAUSES = {
    DeliveryState.FAILED: AttentionCause.MAIL_UNDELIVERABLE,
    DeliveryState.UNKNOWN: AttentionCause.MAIL_UNKNOWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempted:
    """A delivery that was attempted, with what came of it."""

    result: DeliveryResult
    outgoing_id: OutgoingId
    case_id: CaseId
    address: str


class DeliveryHandler:
    """Settles deliveries."""

    def __init__(self, transactions: Transactions, *, limits: Limits) -> None:
        self._transactions = transactions
        self._limits = limits

    async def handle(self, attempts: Sequence[Attempted]) -> None:
        """Settles all of them in one commit, with the effect on their cases.

        Raises:
            Conflict: the cases kept being saved in between; hand the attempts in again.
        """
        await again_on_conflict(lambda: self._handle_once(attempts))

    async def handle_interrupted(self, row: DeliveryRow) -> None:
        """A mail whose DATA an earlier life of the daemon began may have arrived: its case hears of it, unless the
        operator wants it sent again (`limits.resend_unknown`). One that cannot be reported keeps no daemon from
        starting.

        Raises StoreUnavailable.
        """
        result = result_of(
            Attempt(id=row.id, state=DeliveryState.UNKNOWN, reply=INTERRUPTED),
            created_at=row.created_at,
            attempts=row.attempts,
            now=self._transactions.clock.now(),
            limits=self._limits,
            jitter=0,
        )
        attempted = Attempted(result=result, outgoing_id=row.outgoing_id, case_id=row.case_id, address=row.address)
        try:
            await self.handle([attempted])
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("interrupted_unreported", delivery_id=row.id, case=reference(row.case_id))

    async def _handle_once(self, attempts: Sequence[Attempted]) -> None:
        bad = [attempted for attempted in attempts if attempted.result.state in _CAUSES]
        case_ids = frozenset(attempted.case_id for attempted in bad)
        workspace = await self._transactions.begin(Wanted(case_ids=case_ids))
        for attempted in attempts:
            workspace.add_result(attempted.result)
        for attempted in bad:
            self._report(workspace, attempted)
        await self._transactions.commit(Point.SETTLE, workspace)
        for attempted in attempts:
            _log_attempt(attempted)

    def _report(self, workspace: Workspace, attempted: Attempted) -> None:
        """Only the requester matters to the case: failed mail to an agent never moves it."""
        case = workspace.case(attempted.case_id)
        requester = workspace.party_of(case.requester) if case else None
        if case is None or requester is None or requester.address != attempted.address.lower():
            return
        workspace.decide(
            case.id,
            ReportUndelivered(
                at=workspace.moment(case, workspace.now),
                by=SYSTEM,
                mail=attempted.outgoing_id,
                cause=_CAUSES[attempted.result.state],
            ),
        )


def _log_attempt(attempted: Attempted) -> None:
    """One of the three lines that may hold an address: it is about delivery."""
    result = attempted.result
    write = log.warning if result.state in _CAUSES else log.info
    write(
        "delivery_settled",
        delivery_id=result.id,
        outgoing_id=attempted.outgoing_id,
        case=reference(attempted.case_id),
        to=attempted.address,
        state=result.state,
        reply=result.reply,
        next_at=result.next_at.isoformat() if result.next_at else None,
    )
