"""How one event changes the case. Knows no rules: whatever a rule chose stands in the event.

`evolve` never sees the process, so that an event of last year means today what it meant then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce
from typing import assert_never, cast

from mailcase.core.case import (
    SYSTEM,
    Case,
    Flag,
    MailboxName,
    PersonId,
    Reopening,
    Resolution,
    Status,
    StatusReason,
)
from mailcase.core.events import (
    AnswerSent,
    AttentionRaised,
    CaseLinked,
    CaseOpened,
    CaseReopened,
    CaseResolved,
    ClockPaused,
    ClockResumed,
    ClockStarted,
    DeliveryFailed,
    DueAtRisk,
    DueMissed,
    DueOverridden,
    Event,
    FlagCleared,
    FlagRaised,
    HolderChanged,
    MailAppended,
    MailFiled,
    NoteAdded,
    StatusChanged,
)


def evolve(case: Case | None, event: Event) -> Case:
    """The case after one more event. ValueError unless the first event, and only that, is `CaseOpened`."""
    if isinstance(event, CaseOpened) != (case is None):
        raise ValueError(f"a case has one CaseOpened, its first event; this is {type(event).__name__}")
    after = _opened(event) if isinstance(event, CaseOpened) else _apply(cast(Case, case), event)
    return replace(after, version=after.version + 1, last_event_at=event.at, updaters=_updaters(after, event))


def replay(events: Iterable[Event]) -> Case:
    """The case that its timeline gives. ValueError when there is no event."""
    case = reduce(evolve, events, cast(Case | None, None))
    if case is None:
        raise ValueError("a case has at least one event")
    return case


def _opened(event: CaseOpened) -> Case:
    return Case(
        id=event.case_id,
        process=event.process,
        origin=event.origin,
        created_at=event.at,
        version=0,
        last_event_at=event.at,
        subject=event.subject,
        requester=event.requester,
        original_requester=event.requester,
        address=event.address,
        mailboxes=_with(event.mailbox, ()),
        started_by=event.by,
        status=event.status,
        status_reason=StatusReason.NEWLY_CREATED,
        status_set_by=event.by,
        status_set_at=event.at,
    )


def _apply(case: Case, event: Event) -> Case:  # noqa: C901 - one flat case per event
    match event:
        case StatusChanged():
            return _with_status(case, event)
        case HolderChanged():
            return replace(case, holder=event.holder)
        case FlagRaised():
            return _with_flag(case, event.flag, is_up=True)
        case FlagCleared():
            return _with_flag(case, event.flag, is_up=False)
        case AttentionRaised():
            return replace(case, attention=event.attention)
        case ClockStarted() | DueOverridden():
            return replace(case, due_at=event.due_at)
        case ClockPaused():
            return replace(case, due_at=None, paused_remaining=event.remaining)
        case ClockResumed():
            return replace(case, due_at=event.due_at, paused_remaining=None)
        case DueAtRisk():
            return replace(case, at_risk_noticed_for=event.due_at)
        case DueMissed():
            return replace(case, overdue_noticed_for=event.due_at)
        case CaseResolved():
            resolution = Resolution(by=event.by, at=event.at, method=event.method, reason=event.reason)
            return replace(case, resolutions=(*case.resolutions, resolution), feedback_until=event.feedback_until)
        case CaseReopened():
            reopening = Reopening(by=event.by, at=event.at, cause=event.cause)
            return replace(case, reopenings=(*case.reopenings, reopening))
        case MailAppended() | MailFiled():
            return replace(case, mailboxes=_with(event.mailbox, case.mailboxes))
        case CaseLinked():
            return replace(case, links=(*case.links, event.link))
        case AnswerSent() | DeliveryFailed() | NoteAdded() | CaseOpened():
            # On the timeline only; CaseOpened never comes here.
            return case
        case _ as never:  # pragma: no cover
            assert_never(never)


def _with_status(case: Case, event: StatusChanged) -> Case:
    is_closed = event.after is Status.CLOSED
    return replace(
        case,
        status=event.after,
        status_reason=event.reason,
        status_set_by=event.by,
        status_set_at=event.at,
        wait=event.wait,
        # Set again by the CaseResolved that follows, where there is a window.
        feedback_until=None,
        # A clock that was paused when the case was cancelled never runs again.
        paused_remaining=None if is_closed else case.paused_remaining,
    )


def _with_flag(case: Case, flag: Flag, *, is_up: bool) -> Case:
    match flag:
        case Flag.NEW_INFORMATION:
            return replace(case, new_information=is_up)
        case Flag.WAIT_ENDED:
            return replace(case, wait_ended=is_up)
        case Flag.NEEDS_ATTENTION:
            # Raised by AttentionRaised, which says why.
            return replace(case, attention=None)
        case _ as never:  # pragma: no cover
            assert_never(never)


def _with(mailbox: MailboxName | None, mailboxes: tuple[MailboxName, ...]) -> tuple[MailboxName, ...]:
    return mailboxes if mailbox is None or mailbox in mailboxes else (*mailboxes, mailbox)


def _updaters(case: Case, event: Event) -> tuple[PersonId, ...]:
    """Who updated it, newest first (AS-4, 4): by starting it, changing status or due date, answering, or taking it.

    Reading, remarks and giving it to somebody are none.
    """
    person = PersonId(event.by)
    updates = isinstance(event, CaseOpened | StatusChanged | AnswerSent | DueOverridden)
    takes = isinstance(event, HolderChanged) and event.holder.by_hand and event.holder.assignee == person
    if event.by == SYSTEM or not (updates or takes):
        return case.updaters
    return (person, *(earlier for earlier in case.updaters if earlier != person))
