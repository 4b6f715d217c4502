"""What must go out because of what happened (NT-1, NT-2, EM-70).

Nobody is told twice of one event, nor of what they did themselves: each audience gets at most one notice of a
decision, the most telling one that the process has switched on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mailcase.core import assignment
from mailcase.core.case import (
    SYSTEM,
    ActorId,
    Case,
    Flag,
    MailId,
    Origin,
    PersonId,
    QueueName,
    ReopeningCause,
    Status,
    StatusReason,
    TextId,
)
from mailcase.core.consequences import ASSIGNED_BY_HAND, RELEASED
from mailcase.core.effects import Audience, Effect, Notify, ToPerson, ToQueue, ToRequester
from mailcase.core.events import (
    AttentionRaised,
    CaseOpened,
    CaseReopened,
    CaseResolved,
    DueAtRisk,
    DueMissed,
    Event,
    FlagRaised,
    HolderChanged,
    MailAppended,
    StatusChanged,
)
from mailcase.core.process import Notice, Process


def react(process: Process, before: Case | None, events: Sequence[Event], after: Case) -> tuple[Effect, ...]:
    """The notices for the events of one decision, `before` being None when they opened the case."""
    told: dict[Audience, Notify] = {}
    loser = _loser(process, before, events, after)
    for notify in (*_to_requester(process, events, after), *_to_agents(before, events, after, loser)):
        if notify.notice in process.notices and not _is_told_in_person(told, notify.audience):
            told.setdefault(notify.audience, notify)
    return tuple(told.values())


def _is_told_in_person(told: Iterable[Audience], audience: Audience) -> bool:
    """The queue need not hear, maybe for a second time, what whoever has the case is told already."""
    return isinstance(audience, ToQueue) and any(isinstance(other, ToPerson) for other in told)


def _to_requester(process: Process, events: Sequence[Event], after: Case) -> Iterator[Notify]:
    if after.requester is None:
        return
    for event in events:
        mail = event.mail if isinstance(event, CaseOpened) else None
        for notice in _requester_notices(process, event):
            yield Notify(notice=notice, audience=ToRequester(), mail=mail)


def _requester_notices(process: Process, event: Event) -> tuple[Notice, ...]:
    match event:
        case CaseOpened(origin=Origin.EMAIL, acknowledge=True):
            return (Notice.ACKNOWLEDGEMENT,)
        case CaseResolved(feedback_until=None):
            # T25 is both; a requester who is not told of resolutions may still be told of the end.
            return (Notice.RESOLVED, Notice.CLOSED)
        case CaseResolved():
            return (Notice.RESOLVED,)
        case CaseReopened(cause=cause) if cause is not ReopeningCause.MAIL_UNDELIVERABLE:
            return (Notice.REOPENED,)
        case StatusChanged():
            return _status_notices(process, event)
        case _:
            return ()


def _status_notices(process: Process, event: StatusChanged) -> tuple[Notice, ...]:
    if event.before is Status.DRAFT:
        # A draft that is cancelled was never heard of.
        return (Notice.ACKNOWLEDGEMENT,) if event.after is Status.TO_DO else ()
    if event.reason is StatusReason.CANCELLED:
        return (Notice.CANCELLED,)
    if event.reason is StatusReason.FEEDBACK_WINDOW_PASSED:
        return (Notice.CLOSED,)
    reason = process.wait_reason(event.wait.reason) if event.wait is not None and event.wait.reason else None
    return (Notice.INFORMATION_WANTED,) if reason is not None and reason.asks_requester else ()


def _loser(process: Process, before: Case | None, events: Sequence[Event], after: Case) -> PersonId | None:
    """Who had the case until somebody else took it, gave it away or put it back; None also where that is not told."""
    if before is None or not events or events[0].by == SYSTEM or Notice.NO_LONGER_YOURS not in process.notices:
        return None
    had = assignment.valid_person(process, assignment.keeper(before))
    still_have = (PersonId(events[0].by), after.holder.assignee, after.holder.owner)
    return had.id if had is not None and had.id not in still_have else None


def _to_agents(before: Case | None, events: Sequence[Event], after: Case, loser: PersonId | None) -> Iterator[Notify]:
    for event in events:
        news = _news(event, after)
        if news is None:
            continue
        notice, mail, text = news
        audience = _audience(after, events[0].by)
        if audience is not None:
            yield Notify(notice=notice, audience=audience, mail=mail, text=text)
    queue = after.holder.queue
    if queue is not None and _comes_to_queue(before, events, after):
        first = events[0]
        mail = first.mail if isinstance(first, CaseOpened) else None
        yield Notify(notice=Notice.NEW_IN_QUEUE, audience=_to_queue(queue, first.by, loser), mail=mail)
    if loser is not None:
        # Last: it is no reason not to tell the queue.
        yield Notify(notice=Notice.NO_LONGER_YOURS, audience=ToPerson(person=loser))


def _news(event: Event, after: Case) -> tuple[Notice, MailId | None, TextId | None] | None:
    """What whoever has the case now should be told of the event."""
    match event:
        case CaseOpened() if after.holder.assignee is not None:
            return Notice.ASSIGNED, event.mail, None
        case HolderChanged(rule=rule, note=note) if rule == ASSIGNED_BY_HAND:
            return Notice.ASSIGNED, None, note
        case MailAppended():
            return Notice.NEW_INFORMATION, event.mail, None
        case AttentionRaised():
            return Notice.NEEDS_ATTENTION, None, event.attention.text
        case CaseReopened(cause=ReopeningCause.PERSON) if after.holder.owner is not None:
            # By mail, or for mail of ours, the news comes with another event. Without an owner the queue hears of it.
            return Notice.RETURNED, None, None
        case FlagRaised(flag=Flag.WAIT_ENDED):
            return Notice.WAIT_OVER, None, None
        case DueAtRisk():
            return Notice.DUE_AT_RISK, None, None
        case DueMissed():
            return Notice.OVERDUE, None, None
        case _:
            return None


def _comes_to_queue(before: Case | None, events: Sequence[Event], after: Case) -> bool:
    """New, released or returned work that anybody of the queue may take now and could not before."""
    arrives = any(
        isinstance(event, CaseOpened | StatusChanged) or (isinstance(event, HolderChanged) and event.rule == RELEASED)
        for event in events
    )
    # What is resolved lies in the queue, too, where it has no owner, but there is nothing to take.
    was_free = before is not None and _is_free(before) and before.status is not Status.RESOLVED
    return arrives and after.status is not Status.DRAFT and _is_free(after) and not was_free


def _is_free(case: Case) -> bool:
    return case.holder.queue is not None and case.holder.assignee is None


def _audience(case: Case, actor: ActorId) -> Audience | None:
    """Whoever has the case: the assignee, else the owner, else the queue. None when that is who did it."""
    person = case.holder.assignee or case.holder.owner
    if person is not None:
        return ToPerson(person=person) if person != PersonId(actor) else None
    return _to_queue(case.holder.queue, actor) if case.holder.queue is not None else None


def _to_queue(queue: QueueName, actor: ActorId, told: PersonId | None = None) -> ToQueue:
    by = None if actor == SYSTEM else PersonId(actor)
    return ToQueue(queue=queue, but=frozenset(person for person in (by, told) if person is not None))
