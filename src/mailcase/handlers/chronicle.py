"""What the log says after a commit: one line per mail, per change of status, per notice (docs/log-events.md).

Called only once the commit is done, so that the log never tells of what did not happen.
"""

from __future__ import annotations

from mailcase.core.case import Case, reference
from mailcase.core.events import (
    AttentionRaised,
    CaseOpened,
    DueAtRisk,
    DueMissed,
    Event,
    StatusChanged,
)
from mailcase.core.refusal import Refused
from mailcase.handlers.read import ReadMail
from mailcase.handlers.workspace import Workspace
from mailcase.log import get_logger
from mailcase.store.rows.inbox import MailOutcome
from mailcase.store.rows.outbox import OutgoingMail

log = get_logger()


def log_mail(outcome: MailOutcome, read: ReadMail, *, duration_ms: float) -> None:
    """The one rich line that ends every mail."""
    log.info(
        "mail_handled",
        mail_id=outcome.mail_id,
        mailbox=read.claimed.mailbox,
        outcome=outcome.outcome,
        reason=outcome.reason,
        cases=[reference(case_id) for case_id in outcome.case_ids],
        kind=outcome.kind,
        size_bytes=len(read.claimed.raw),
        attempts=read.claimed.attempts,
        defects=len(read.message.defects),
        duration_ms=round(duration_ms, 1),
    )


def log_workspace(workspace: Workspace) -> None:
    """What happened to cases, and what was queued because of it."""
    for case, event in workspace.events:
        _log_event(case, event)
    for mail in workspace.outgoing:
        _log_queued(mail)


def log_refusal(case: Case, refused: Refused, *, by: str) -> None:
    """A command that the rules do not allow."""
    log.info(
        "command_refused",
        case=reference(case.id),
        by=by,
        status=case.status,
        rule=refused.rule,
        reason=refused.reason,
    )


def _log_event(case: Case, event: Event) -> None:
    match event:
        case CaseOpened():
            log.info(
                "case_opened",
                case=reference(case.id),
                process=event.process,
                origin=event.origin,
                status=event.status,
                by=event.by,
                rule=event.rule,
            )
        case StatusChanged():
            log.info(
                "case_status_changed",
                case=reference(case.id),
                before=event.before,
                after=event.after,
                wait=event.wait.type if event.wait else None,
                reason=event.reason,
                by=event.by,
                rule=event.rule,
            )
        case AttentionRaised():
            log.warning(
                "case_attention_raised",
                case=reference(case.id),
                cause=event.attention.cause,
                by=event.by,
                rule=event.rule,
            )
        case DueAtRisk() | DueMissed():
            log.info(
                "case_due_noticed",
                case=reference(case.id),
                is_missed=isinstance(event, DueMissed),
                due_at=event.due_at.isoformat(),
                rule=event.rule,
            )
        case _:
            log.debug("case_event_recorded", case=reference(case.id), type=type(event).__name__, rule=event.rule)


def _log_queued(mail: OutgoingMail) -> None:
    log.info(
        "notice_queued",
        outgoing_id=mail.id,
        case=reference(mail.case_id),
        notice=mail.kind,
        message_id=mail.message_id,
        deliveries=len(mail.deliveries),
        size_bytes=len(mail.raw),
        is_held=mail.is_held,
    )
