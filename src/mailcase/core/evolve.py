"""How one event changes the case. Knows no rules: whatever a rule chose stands in the event.

`evolve` never sees the process, so that an event of last year means today what it meant then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial, reduce
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
    return _apply(_opened(event) if isinstance(event, CaseOpened) else cast(Case, case), event)


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
    # One copy per event: copying a case is most of what an event costs.
    evolved = partial(replace, case, **_counted(case, event))
    match event:
        case StatusChanged():
            return evolved(**_status(case, event))
        case HolderChanged():
            return evolved(holder=event.holder)
        case FlagRaised():
            return evolved(**_flag(event.flag, is_up=True))
        case FlagCleared():
            return evolved(**_flag(event.flag, is_up=False))
        case AttentionRaised():
            return evolved(attention=event.attention)
        case ClockStarted() | DueOverridden():
            return evolved(due_at=event.due_at)
        case ClockPaused():
            return evolved(due_at=None, paused_remaining=event.remaining, hidden_due_at=event.due_at)
        case ClockResumed():
            return evolved(due_at=event.due_at, paused_remaining=None, hidden_due_at=None)
        case DueAtRisk():
            return evolved(at_risk_noticed_for=event.due_at)
        case DueMissed():
            return evolved(overdue_noticed_for=event.due_at)
        case CaseResolved():
            resolution = Resolution(by=event.by, at=event.at, method=event.method, reason=event.reason)
            return evolved(resolutions=(*case.resolutions, resolution), feedback_until=event.feedback_until)
        case CaseReopened():
            reopening = Reopening(by=event.by, at=event.at, cause=event.cause)
            return evolved(reopenings=(*case.reopenings, reopening))
        case MailAppended() | MailFiled():
            return evolved(mailboxes=_with(event.mailbox, case.mailboxes))
        case CaseLinked():
            return evolved(links=(*case.links, event.link))
        case AnswerSent() | DeliveryFailed() | NoteAdded() | CaseOpened():
            # On the timeline only.
            return evolved()
        case _ as never:  # pragma: no cover
            assert_never(never)


def _counted(case: Case, event: Event) -> dict[str, object]:
    """What every event changes."""
    return {"version": case.version + 1, "last_event_at": event.at, "updaters": _updaters(case, event)}


def _status(case: Case, event: StatusChanged) -> dict[str, object]:
    return {
        "status": event.after,
        "status_reason": event.reason,
        "status_set_by": event.by,
        "status_set_at": event.at,
        "wait": event.wait,
        # Set again by the CaseResolved that follows, where there is a window.
        "feedback_until": None,
        # A clock that was paused when the case was cancelled never runs again.
        "paused_remaining": None if event.after is Status.CLOSED else case.paused_remaining,
        "hidden_due_at": None if event.after is Status.CLOSED else case.hidden_due_at,
    }


def _flag(flag: Flag, *, is_up: bool) -> dict[str, object]:
    match flag:
        case Flag.NEW_INFORMATION:
            return {"new_information": is_up}
        case Flag.WAIT_ENDED:
            return {"wait_ended": is_up}
        case Flag.NEEDS_ATTENTION:
            # Raised by AttentionRaised, which says why.
            return {"attention": None}
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
