"""What must hold of every case, and of every step from one case to the next (spec 2.2, 2.8, 3.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from mailcase.core import assignment, sla
from mailcase.core.case import SYSTEM, ActorId, Case, Flag, Holder, PersonId, ReopeningCause, Status, WaitType
from mailcase.core.effects import Effect, ToPerson, ToQueue
from mailcase.core.events import (
    CaseReopened,
    CaseResolved,
    ClockPaused,
    ClockResumed,
    Event,
    MailAppended,
    StatusChanged,
)
from mailcase.core.process import Process


def broken_in(case: Case) -> Iterator[str]:
    """The invariants that this state breaks."""
    held = case.holder
    waits_for_information = case.wait is not None and case.wait.type is WaitType.MORE_INFO
    checks = {
        "a wait exactly while waiting": (case.wait is not None) == (case.status is Status.WAITING),
        "2.8.4 a reason exactly for more-info": case.wait is None
        or (case.wait.reason is not None) == (case.wait.type is WaitType.MORE_INFO),
        "2.8.5 a date exactly for until": case.wait is None
        or (case.wait.until is not None) == (case.wait.type is WaitType.UNTIL),
        "a window only while resolved": case.feedback_until is None or case.status is Status.RESOLVED,
        "T24 resolved has a window": case.status is not Status.RESOLVED or case.feedback_until is not None,
        "2.8.19 never assignee and owner": held.assignee is None or held.owner is None,
        "ST-5 nobody has a closed case": case.status is not Status.CLOSED or held == Holder(),
        "closed and resolved are never highlighted": case.status not in {Status.CLOSED, Status.RESOLVED}
        or not case.is_highlighted,
        "8.1 work in progress has its worker": case.status is not Status.IN_PROGRESS
        or (held.assignee is not None and held.by_hand),
        "by hand only with an assignee": not held.by_hand or held.assignee is not None,
        "8.31 open work without assignee is queued": case.status not in {Status.TO_DO, Status.IN_PROGRESS}
        or held.assignee is not None
        or held.queue is not None,
        "AS-6 shown somewhere unless closed": (assignment.lists(case) == ()) == (case.status is Status.CLOSED),
        "AS-1 a highlighted case is in an inbox": not case.is_highlighted or assignment.lists(case) == ("inbox",),
        "wait_ended never while it waits": not (case.wait_ended and case.status is Status.WAITING),
        "AS-1 highlighted work is queued": not case.is_highlighted or held.queue is not None,
        "SL-1 paused only for information": case.paused_remaining is None or waits_for_information,
        "SL-4 paused or due, not both": case.paused_remaining is None or case.due_at is None,
        "SL-4 a due date is hidden exactly while paused": (case.hidden_due_at is None)
        == (case.paused_remaining is None),
        "SL-3 no due date in draft": case.status is not Status.DRAFT or case.due_at is None,
        "T9 attention is no state of a wait but hold": case.attention is None
        or case.wait is None
        or case.wait.type is WaitType.ON_HOLD,
    }
    return (name for name, holds in checks.items() if not holds)


def broken_by_events(process: Process, before: Case, events: Sequence[Event], after: Case) -> Iterator[str]:
    """The invariants that this step breaks."""
    statuses = [event for event in events if isinstance(event, StatusChanged)]
    is_machine = bool(events) and events[0].by == SYSTEM
    was_hold = before.wait is not None and before.wait.type is WaitType.ON_HOLD
    checks = {
        "ST-1 draft is left once": after.status is not Status.DRAFT or before.status is Status.DRAFT,
        "ST-4 hold is left by a person": not (was_hold and is_machine) or after.wait == before.wait,
        "ST-5 closed is final": before.status is not Status.CLOSED
        or (after.status, after.holder, after.mailboxes) == (before.status, before.holder, before.mailboxes),
        "ST-5 no mail on a closed case": before.status is not Status.CLOSED
        or not any(isinstance(event, MailAppended) for event in events),
        "ST-6 resolutions only grow": after.resolutions[: len(before.resolutions)] == before.resolutions,
        "ST-6 reopenings only grow": after.reopenings[: len(before.reopenings)] == before.reopenings,
        "ST-6 a resolution for each resolving": sum(isinstance(event, CaseResolved) for event in events)
        == len(after.resolutions) - len(before.resolutions),
        "ST-6 a reopening exactly on leaving resolved for work": sum(isinstance(e, CaseReopened) for e in events)
        == (before.status is Status.RESOLVED and after.status is Status.TO_DO),
        "ST-7 status is told": before.status == after.status or bool(statuses),
        "ST-7 each change joins on": all(
            event.before == was
            for event, was in zip(statuses, [before.status, *(e.after for e in statuses)], strict=False)
        ),
        "ST-9 the holder fits": not statuses
        or after.status is Status.IN_PROGRESS
        or after.holder.by_hand
        or Flag.NEEDS_ATTENTION in after.flags
        or after.holder == assignment.place(process, after)
        or after.holder == assignment.give_back(process, after),
        "AS-10 nobody ends what somebody else has": not _is_ended_by_hand(before, events, after)
        or assignment.keeper(before) in {None, PersonId(events[0].by)},
        "8.36 nobody ends a problem that others are to settle": not _is_ended_by_hand(before, events, after)
        or before.attention is None
        or PersonId(events[0].by) in (assignment.settlers(process, before) or {PersonId(events[0].by)}),
        "2.8.10 resolved is left only through to-do or the end": before.status is not Status.RESOLVED
        or after.status in {Status.RESOLVED, Status.TO_DO, Status.CLOSED},
        "2.8.13 a wait does not end in resolved": before.status is not Status.WAITING
        or after.status is not Status.RESOLVED,
        "SL-2 hold and until never pause": not any(isinstance(event, ClockPaused) for event in events)
        or (after.wait is not None and after.wait.type is WaitType.MORE_INFO),
        "SL-4 pause and resume alternate": not any(isinstance(event, ClockResumed) for event in events)
        or before.paused_remaining is not None,
        "SL-5 what was left is left again": not any(isinstance(event, ClockResumed) for event in events)
        or _kept(process, before, after),
        "SL-13 no other due date by reopening": before.status is not Status.RESOLVED or after.due_at == before.due_at,
        "ST-22 a machine reopens as System": all(
            event.by == SYSTEM
            for event in events
            if isinstance(event, CaseReopened) and event.cause is not ReopeningCause.PERSON
        ),
        "every event names its rule": all(event.rule for event in events),
        "versions count events": after.version == before.version + len(events),
    }
    return (name for name, holds in checks.items() if not holds)


def broken_by_notices(effects: Sequence[Effect], actor: ActorId) -> Iterator[str]:
    """NT-2: one notice per event and audience, none to whoever did it."""
    audiences = [effect.audience for effect in effects]
    if len(set(audiences)) < len(audiences):
        yield "somebody is told twice"
    if ToPerson(person=PersonId(actor)) in audiences:
        yield "somebody is told what they did"
    queues = [audience for audience in audiences if isinstance(audience, ToQueue)]
    if actor != SYSTEM and any(PersonId(actor) not in audience.but for audience in queues):
        yield "the queue's notice reaches whoever did it"
    people = {audience.person for audience in audiences if isinstance(audience, ToPerson)}
    if any(people - audience.but for audience in queues):
        yield "the queue's notice reaches somebody who is told in person"


def _is_ended_by_hand(before: Case, events: Sequence[Event], after: Case) -> bool:
    ended = {Status.RESOLVED, Status.CLOSED}
    return before.status not in ended and after.status in ended and events[0].by != SYSTEM


def _kept(process: Process, before: Case, after: Case) -> bool:
    assert after.due_at is not None
    assert before.paused_remaining is not None
    left = sla.remaining_at(process, after.due_at, after.last_event_at)
    return left == before.paused_remaining and (left < timedelta(0)) == (before.paused_remaining < timedelta(0))
