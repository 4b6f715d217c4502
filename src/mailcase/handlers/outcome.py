"""How a mail ended and why: the closed vocabulary of reasons, and the trace that is written while deciding."""

from __future__ import annotations

from datetime import datetime

from mailcase.core.case import CaseId
from mailcase.handlers.read import ReadMail
from mailcase.store.rows.inbox import MailOutcome, Outcome, Reason, TraceStep

EVIDENCE_LIMIT = 300


class Trace:
    """The rules tried on one mail, in order."""

    def __init__(self) -> None:
        self._steps: list[TraceStep] = []

    def add(self, rule: str, evidence: str, result: str) -> None:
        """Notes one rule: what it looked at and what came of it."""
        self._steps.append(TraceStep(rule=rule, evidence=evidence[:EVIDENCE_LIMIT], result=result))

    @property
    def steps(self) -> tuple[TraceStep, ...]:
        """All steps so far."""
        return tuple(self._steps)


def outcome_of(
    read: ReadMail,
    outcome: Outcome,
    reason: Reason,
    trace: Trace,
    *,
    case_ids: tuple[CaseId, ...] = (),
    handled_at: datetime,
) -> MailOutcome:
    """The row that ends a mail."""
    author = read.author
    return MailOutcome(
        mail_id=read.id,
        outcome=outcome,
        reason=reason,
        kind=read.classification.kind,
        message_id=read.message.message_id,
        from_address=author.key if author else None,
        subject=read.message.subject,
        trace=trace.steps,
        case_ids=case_ids,
        handled_at=handled_at,
    )
