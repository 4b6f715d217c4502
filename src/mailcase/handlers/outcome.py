"""How a mail ended and why: the closed vocabulary of reasons, and the trace that is written while deciding."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from mailcase.core.case import CaseId
from mailcase.handlers.read import ReadMail
from mailcase.store.rows import MailOutcome, Outcome, TraceStep

EVIDENCE_LIMIT = 300


class Reason(StrEnum):
    """Why a mail ended as it did (docs/mail.md explains each). That of a parked mail has its detail after a colon."""

    # new-case
    ROUTED = "routed"
    CLOSED_CASE = "closed-case"
    WINDOW_OVER = "window-over"
    STRANGER = "stranger"
    # appended
    REPLY_ADDRESS = "reply-address"
    IN_REPLY_TO = "in-reply-to"
    REFERENCES = "references"
    NAMED_BEFORE = "named-before"
    SUBJECT_TAG = "subject-tag"
    # filed
    MACHINE_MAIL = "machine-mail"
    BOUNCE_OF_OURS = "bounce-of-ours"
    DELAY_OF_OURS = "delay-of-ours"
    AGENT_NOTE = "agent-note"
    # duplicate, own
    SAME_CONTENT = "same-content"
    SENT_BY_US = "sent-by-us"
    # unhandled
    NO_ROUTE = "no-route"
    NOT_ADDRESSED = "not-addressed"
    BOUNCE_UNMATCHED = "bounce-unmatched"
    # parked
    ATTEMPTS_USED_UP = "attempts-used-up"
    CANNOT_BE_HANDLED = "cannot-be-handled"


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
