"""How a mail ended and why: the closed vocabulary of reasons, and the trace that is written while deciding."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime

from mailcase.core.case import CaseId
from mailcase.handlers.read import ReadMail
from mailcase.store.rows.inbox import MailOutcome, Outcome, Reason, TraceStep

#: Characters of evidence, and of what came of it.
TEXT_LIMIT = 300
#: Lines of one rule; a mail may name a hundred ancestors.
LINES_PER_RULE = 10


class Trace:
    """The rules tried on one mail, in order."""

    def __init__(self) -> None:
        self._steps: list[TraceStep] = []
        #: Number of the step that decides, as things stand; None where nothing has been decided yet.
        self.deciding: int | None = None

    def add(self, rule: str, evidence: str, result: str) -> None:
        """Notes one rule: what it looked at and what came of it."""
        self._steps.append(TraceStep(rule=rule, evidence=evidence[:TEXT_LIMIT], result=result[:TEXT_LIMIT]))

    def decide(self, rule: str, evidence: str, result: str) -> None:
        """As `add`, for the rule that decides how the mail ends, unless a later one does."""
        self.deciding = len(self._steps)
        self.add(rule, evidence, result)

    @property
    def steps(self) -> tuple[TraceStep, ...]:
        """All steps so far, of each rule the first and the one that decides; how many are left out stands at the end.

        Exactly one is decisive, none where nothing has been decided yet.
        """
        kept: list[TraceStep] = []
        lines: Counter[str] = Counter()
        for number, step in enumerate(self._steps):
            lines[step.rule] += 1
            if number == self.deciding:
                kept.append(replace(step, is_decisive=True))
            elif lines[step.rule] <= LINES_PER_RULE:
                kept.append(step)
        left_out = lines - Counter(step.rule for step in kept)
        more = (
            TraceStep(rule=rule, evidence="", result=f"{count} more, not shown") for rule, count in left_out.items()
        )
        return (*kept, *more)


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
