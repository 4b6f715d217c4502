"""Time has come for a case: what that means is the core's decision (docs/decisions/0001; T20, T28, SL-17).

A case that was due several times while the daemon was down lives through each moment in order, at the moment itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from mailcase.core import deadlines
from mailcase.core.case import SYSTEM, CaseId, MailboxName, reference
from mailcase.core.commands import Tick
from mailcase.errors import PermanentError
from mailcase.handlers.transaction import Transactions, again_on_conflict
from mailcase.handlers.workspace import Workspace
from mailcase.log import get_logger
from mailcase.store.port import Point
from mailcase.store.rows.lookup import Wanted

log = get_logger()

#: No case has more deadlines than this at one time; a loop that ticks longer is a bug.
TICKS_AT_MOST = 16

#: Since when all mail of these mailboxes has been taken in.
ReadThrough = Callable[[Sequence[MailboxName]], datetime]


class TickHandler:
    """Hands due cases their ticks."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def handle(self, case_ids: Sequence[CaseId], *, read_through: ReadThrough) -> int:
        """Lets each case live through all that is due by now, in one commit; gives the number of ticks that did
        something.

        Raises:
            Conflict: the cases kept being saved in between; hand them in again.
        """
        return await again_on_conflict(lambda: self._handle_once(case_ids, read_through))

    async def _handle_once(self, case_ids: Sequence[CaseId], read_through: ReadThrough) -> int:
        workspace = await self._transactions.begin(Wanted(case_ids=frozenset(case_ids)))
        fired = sum(self._live_through(workspace, case_id, read_through) for case_id in case_ids)
        if fired:
            await self._transactions.commit(Point.TICK, workspace)
        return fired

    def _live_through(self, workspace: Workspace, case_id: CaseId, read_through: ReadThrough) -> int:
        for fired in range(TICKS_AT_MOST):
            case = workspace.case(case_id)
            if case is None:
                return fired
            read_through_at = read_through(case.mailboxes)
            now = workspace.now
            due = deadlines.next_deadline(workspace.process(case), case, now, read_through_at, now=now)
            if due is None:
                return fired
            at = max(due.at, case.last_event_at)
            workspace.decide(case_id, Tick(at=at, by=SYSTEM, now=now, read_through_at=read_through_at))
            after = workspace.case(case_id)
            if after is None or after.version == case.version:
                raise PermanentError(f"the deadline {due.kind} of {reference(case_id)} was due and nothing happened")
            log.info(
                "timer_fired",
                case=reference(case_id),
                deadline=due.kind,
                due_at=due.at.isoformat(),
                late_s=round((workspace.now - due.at).total_seconds(), 1),
            )
        raise PermanentError(f"case {reference(case_id)} stays due")
