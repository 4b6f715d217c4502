"""The transition table of spec 2.3, one test per row: status, holder and list, highlight, SLA, record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from tests.core.desk import (
    ANN,
    BOB,
    DAY,
    NO_WINDOW,
    START,
    Desk,
    details,
    draft,
    holder,
    in_progress,
    mailed,
    outgoing,
    resolved,
    submitted,
    waiting,
    who,
)

from mailcase.core import assignment
from mailcase.core.case import (
    SYSTEM,
    ActorId,
    AttentionCause,
    Flag,
    PersonId,
    Status,
    StatusReason,
    TextId,
    WaitType,
)
from mailcase.core.commands import (
    Assign,
    Cancel,
    RaiseAttention,
    Release,
    Reopen,
    ReportUndelivered,
    Resolve,
    SetInProgress,
    SetToDo,
    StartWait,
    Submit,
    Take,
)
from mailcase.core.events import (
    CaseOpened,
    CaseReopened,
    CaseResolved,
    ClockPaused,
    ClockResumed,
    ClockStarted,
    MailAppended,
    StatusChanged,
)

INBOX, OWNED, NOWHERE = ("inbox",), ("owned",), ()
NEW, ATTENTION, ENDED = Flag.NEW_INFORMATION, Flag.NEEDS_ATTENTION, Flag.WAIT_ENDED
INFO, UNTIL, HOLD = WaitType.MORE_INFO, WaitType.UNTIL, WaitType.ON_HOLD


def a_mail(desk: Desk) -> None:
    desk.mail()


def give(kind: type[Any], by: ActorId = ANN, **given: Any) -> Callable[[Desk], None]:
    """A step that gives this command."""

    def step(desk: Desk) -> None:
        desk.do(kind, by, **given)

    return step


def start_wait(wait: WaitType) -> Callable[[Desk], None]:
    """A step that sets the case waiting."""

    def step(desk: Desk) -> None:
        desk.do(StartWait, **details(wait, desk.now))

    return step


def with_problem(desk: Desk) -> Desk:
    """Bob found a problem in what Ann has."""
    desk.do(RaiseAttention, BOB, text=TextId(3))
    return desk


def at_the_end_of_its_window(desk: Desk) -> Desk:
    desk.now += 5 * DAY
    return desk


def at_its_follow_up(desk: Desk) -> Desk:
    desk.now += 2 * DAY
    return desk


@dataclass(frozen=True, kw_only=True)
class Expected:
    """One row of the table, as it must come out."""

    id: str
    given: Callable[[], Desk]
    step: Callable[[Desk], None]
    status: Status
    wait: WaitType | None = None
    who: tuple[Any, ...]
    shown: tuple[str, ...]
    flags: tuple[Flag, ...] = ()
    #: "not set", "runs", "paused" or "stopped".
    clock: str
    reason: StatusReason
    record: tuple[type[Any], ...] = ()


def clock(desk: Desk) -> str:
    """The SLA column."""
    if desk.case.status in {Status.RESOLVED, Status.CLOSED}:
        return "stopped"
    if desk.case.paused_remaining is not None:
        return "paused"
    return "runs" if desk.case.due_at is not None else "not set"


def nothing() -> Desk:
    return Desk()


ROWS = [
    Expected(
        id="T1",
        given=nothing,
        step=lambda desk: (desk.open_by_hand(), None)[1],
        status=Status.DRAFT,
        who=holder(ANN),
        shown=INBOX,
        clock="not set",
        reason=StatusReason.NEWLY_CREATED,
        record=(CaseOpened,),
    ),
    Expected(
        id="T2",
        given=draft,
        step=give(Submit),
        status=Status.TO_DO,
        who=holder(None, ANN, queue=True),
        shown=OWNED,
        clock="runs",
        reason=StatusReason.NEWLY_CREATED,
        record=(ClockStarted,),
    ),
    Expected(
        id="T3",
        given=nothing,
        step=lambda desk: (desk.open_from_mail(), None)[1],
        status=Status.TO_DO,
        who=holder(queue=True),
        shown=INBOX,
        flags=(NEW,),
        clock="runs",
        reason=StatusReason.NEWLY_CREATED,
        record=(CaseOpened, ClockStarted),
    ),
    Expected(
        id="T4",
        given=mailed,
        step=give(Take),
        status=Status.IN_PROGRESS,
        who=holder(ANN),
        shown=INBOX,
        clock="runs",
        reason=StatusReason.UPDATED_BY_RESOURCE,
    ),
    Expected(
        id="T5",
        given=mailed,
        step=give(SetInProgress, BOB),
        status=Status.IN_PROGRESS,
        who=holder(BOB),
        shown=INBOX,
        clock="runs",
        reason=StatusReason.UPDATED_BY_RESOURCE,
    ),
    Expected(
        id="T6 to another person",
        given=in_progress,
        step=give(Assign, person=PersonId(BOB), note=TextId(4)),
        status=Status.TO_DO,
        who=holder(BOB),
        shown=INBOX,
        clock="runs",
        reason=StatusReason.UPDATED_BY_RESOURCE,
    ),
    Expected(
        id="T6 to the queue",
        given=in_progress,
        step=give(Release),
        status=Status.TO_DO,
        who=holder(None, ANN, queue=True),
        shown=OWNED,
        clock="runs",
        reason=StatusReason.UPDATED_BY_RESOURCE,
    ),
    Expected(
        id="T7",
        given=in_progress,
        step=give(SetToDo),
        status=Status.TO_DO,
        who=holder(None, ANN, queue=True),
        shown=OWNED,
        clock="runs",
        reason=StatusReason.UPDATED_BY_RESOURCE,
    ),
    Expected(
        id="T9",
        given=in_progress,
        step=give(RaiseAttention, BOB, text=TextId(3)),
        status=Status.TO_DO,
        who=holder(ANN, queue=True),
        shown=INBOX,
        flags=(ATTENTION,),
        clock="runs",
        reason=StatusReason.NEEDS_ATTENTION,
    ),
    Expected(
        id="T9 from a wait for information",
        given=lambda: waiting(INFO),
        step=give(RaiseAttention, BOB),
        status=Status.TO_DO,
        who=holder(ANN, queue=True),
        shown=INBOX,
        flags=(ATTENTION,),
        clock="runs",
        reason=StatusReason.NEEDS_ATTENTION,
        record=(ClockResumed,),
    ),
    Expected(
        id="T9p",
        given=lambda: waiting(HOLD),
        step=give(RaiseAttention, BOB),
        status=Status.WAITING,
        wait=HOLD,
        who=holder(ANN, queue=True),
        shown=INBOX,
        flags=(ATTENTION,),
        clock="runs",
        reason=StatusReason.UPDATED_BY_RESOURCE,
    ),
    Expected(
        id="T10",
        given=lambda: with_problem(in_progress()),
        step=give(SetInProgress),
        status=Status.IN_PROGRESS,
        who=holder(ANN),
        shown=INBOX,
        clock="runs",
        reason=StatusReason.UPDATED_BY_RESOURCE,
    ),
    Expected(
        id="T12",
        given=lambda: with_problem(in_progress()),
        step=start_wait(HOLD),
        status=Status.WAITING,
        wait=HOLD,
        who=holder(None, ANN),
        shown=OWNED,
        clock="runs",
        reason=StatusReason.UPDATED_BY_RESOURCE,
    ),
    Expected(
        id="T14",
        given=in_progress,
        step=start_wait(INFO),
        status=Status.WAITING,
        wait=INFO,
        who=holder(None, ANN),
        shown=OWNED,
        clock="paused",
        reason=StatusReason.UPDATED_BY_RESOURCE,
        record=(ClockPaused,),
    ),
    Expected(
        id="T15",
        given=in_progress,
        step=start_wait(UNTIL),
        status=Status.WAITING,
        wait=UNTIL,
        who=holder(None, ANN),
        shown=OWNED,
        clock="runs",
        reason=StatusReason.UPDATED_BY_RESOURCE,
    ),
    Expected(
        id="T16",
        given=mailed,
        step=start_wait(HOLD),
        status=Status.WAITING,
        wait=HOLD,
        who=holder(None, ANN),
        shown=OWNED,
        clock="runs",
        reason=StatusReason.UPDATED_BY_RESOURCE,
    ),
    Expected(
        id="T17 leaves more-info",
        given=lambda: waiting(INFO),
        step=start_wait(UNTIL),
        status=Status.WAITING,
        wait=UNTIL,
        who=holder(None, ANN),
        shown=OWNED,
        clock="runs",
        reason=StatusReason.UPDATED_BY_RESOURCE,
        record=(ClockResumed,),
    ),
    Expected(
        id="T17 enters more-info",
        given=lambda: waiting(HOLD),
        step=start_wait(INFO),
        status=Status.WAITING,
        wait=INFO,
        who=holder(None, ANN),
        shown=OWNED,
        clock="paused",
        reason=StatusReason.UPDATED_BY_RESOURCE,
        record=(ClockPaused,),
    ),
    Expected(
        id="T18",
        given=lambda: waiting(INFO),
        step=a_mail,
        status=Status.TO_DO,
        who=holder(ANN, queue=True),
        shown=INBOX,
        flags=(NEW,),
        clock="runs",
        reason=StatusReason.NEW_INFORMATION_RECEIVED,
        record=(MailAppended, ClockResumed),
    ),
    Expected(
        id="T20",
        given=lambda: at_its_follow_up(waiting(UNTIL, NO_WINDOW)),
        step=lambda desk: desk.wait_for(0 * DAY),
        status=Status.TO_DO,
        who=holder(ANN, queue=True),
        shown=INBOX,
        flags=(ENDED,),
        clock="runs",
        reason=StatusReason.SCHEDULE_DATE_AND_TIME_REACHED,
    ),
    *(
        Expected(
            id=f"T21 to do from {wait}",
            given=partial(waiting, wait),
            step=give(SetToDo, BOB),
            status=Status.TO_DO,
            who=holder(ANN, queue=True),
            shown=INBOX,
            flags=(ENDED,),
            clock="runs",
            reason=StatusReason.UPDATED_BY_RESOURCE,
        )
        for wait in WaitType
    ),
    *(
        Expected(
            id=f"T21 in progress from {wait}",
            given=partial(waiting, wait),
            step=give(SetInProgress, BOB),
            status=Status.IN_PROGRESS,
            who=holder(BOB, queue=True),
            shown=INBOX,
            flags=(ENDED,),
            clock="runs",
            reason=StatusReason.UPDATED_BY_RESOURCE,
        )
        for wait in WaitType
    ),
    *(
        Expected(
            id=f"T22 {wait}",
            given=partial(waiting, wait),
            step=a_mail,
            status=Status.WAITING,
            wait=wait,
            who=holder(ANN, queue=True),
            shown=INBOX,
            flags=(NEW,),
            clock="runs",
            reason=StatusReason.UPDATED_BY_RESOURCE,
            record=(MailAppended,),
        )
        for wait in (UNTIL, HOLD)
    ),
    Expected(
        id="T23 draft",
        given=draft,
        step=a_mail,
        status=Status.DRAFT,
        who=holder(ANN, queue=True),
        shown=INBOX,
        flags=(NEW,),
        clock="not set",
        reason=StatusReason.NEWLY_CREATED,
        record=(MailAppended,),
    ),
    Expected(
        id="T23 to do",
        given=submitted,
        step=a_mail,
        status=Status.TO_DO,
        who=holder(ANN, queue=True),
        shown=INBOX,
        flags=(NEW,),
        clock="runs",
        reason=StatusReason.NEWLY_CREATED,
        record=(MailAppended,),
    ),
    Expected(
        id="T23 in progress",
        given=in_progress,
        step=a_mail,
        status=Status.IN_PROGRESS,
        who=holder(ANN, queue=True),
        shown=INBOX,
        flags=(NEW,),
        clock="runs",
        reason=StatusReason.UPDATED_BY_RESOURCE,
        record=(MailAppended,),
    ),
    Expected(
        id="T24",
        given=in_progress,
        step=give(Resolve, method=TextId(9)),
        status=Status.RESOLVED,
        who=holder(None, ANN),
        shown=OWNED,
        clock="stopped",
        reason=StatusReason.COMPLETED,
        record=(CaseResolved,),
    ),
    Expected(
        id="T25",
        given=lambda: in_progress(NO_WINDOW),
        step=give(Resolve),
        status=Status.CLOSED,
        who=holder(),
        shown=NOWHERE,
        clock="stopped",
        reason=StatusReason.COMPLETED,
        record=(CaseResolved,),
    ),
    Expected(
        id="T26",
        given=resolved,
        step=a_mail,
        status=Status.TO_DO,
        who=holder(ANN, queue=True),
        shown=INBOX,
        flags=(NEW,),
        clock="runs",
        reason=StatusReason.NEW_INFORMATION_RECEIVED,
        record=(MailAppended, CaseReopened),
    ),
    Expected(
        id="T27",
        given=resolved,
        step=give(Reopen, BOB),
        status=Status.TO_DO,
        who=holder(None, ANN, queue=True),
        shown=OWNED,
        clock="runs",
        reason=StatusReason.REOPENED_BY_RESOURCE,
        record=(CaseReopened,),
    ),
    Expected(
        id="T28",
        given=lambda: at_the_end_of_its_window(resolved()),
        step=lambda desk: (desk.tick(), None)[1],
        status=Status.CLOSED,
        who=holder(),
        shown=NOWHERE,
        clock="stopped",
        reason=StatusReason.FEEDBACK_WINDOW_PASSED,
    ),
    *(
        Expected(
            id=f"T29 from {name}",
            given=given,
            step=give(Cancel, is_confirmed=True),
            status=Status.CLOSED,
            who=holder(),
            shown=NOWHERE,
            clock="stopped",
            reason=StatusReason.CANCELLED,
        )
        for name, given in (
            ("draft", draft),
            ("to do", mailed),
            ("in progress", in_progress),
            ("a paused wait", lambda: waiting(INFO)),
        )
    ),
    Expected(
        id="T31",
        given=resolved,
        step=give(ReportUndelivered, SYSTEM, mail=outgoing()),
        status=Status.TO_DO,
        who=holder(ANN, queue=True),
        shown=INBOX,
        flags=(ATTENTION,),
        clock="runs",
        reason=StatusReason.MAIL_UNDELIVERABLE,
        record=(CaseReopened,),
    ),
    Expected(
        id="T9 by undelivered mail",
        given=in_progress,
        step=give(ReportUndelivered, SYSTEM, mail=outgoing(), cause=AttentionCause.MAIL_UNKNOWN),
        status=Status.TO_DO,
        who=holder(ANN, queue=True),
        shown=INBOX,
        flags=(ATTENTION,),
        clock="runs",
        reason=StatusReason.MAIL_UNDELIVERABLE,
    ),
    Expected(
        id="T9p by undelivered mail",
        given=lambda: waiting(HOLD),
        step=give(ReportUndelivered, SYSTEM, mail=outgoing()),
        status=Status.WAITING,
        wait=HOLD,
        who=holder(ANN, queue=True),
        shown=INBOX,
        flags=(ATTENTION,),
        clock="runs",
        reason=StatusReason.UPDATED_BY_RESOURCE,
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_the_row_comes_out_as_the_table_says(row: Expected) -> None:
    desk = row.given()
    before = len(desk.timeline)

    row.step(desk)

    case, told = desk.case, desk.timeline[before:]
    assert case.status is row.status
    assert (case.wait.type if case.wait is not None else None) is row.wait
    assert who(case) == row.who
    assert assignment.lists(case) == row.shown
    assert case.flags == row.flags
    assert clock(desk) == row.clock
    assert case.status_reason is row.reason
    assert set(row.record) <= {type(event) for event in told}
    assert row.id.split()[0] in {event.rule for event in told}


def test_a_status_change_records_from_to_who_when_and_why() -> None:
    """ST-7."""
    desk = mailed()
    desk.now += DAY

    events = desk.do(Take, BOB)

    change = next(event for event in events if isinstance(event, StatusChanged))
    assert (change.before, change.after) == (Status.TO_DO, Status.IN_PROGRESS)
    assert (change.by, change.at, change.reason) == (BOB, START + DAY, StatusReason.UPDATED_BY_RESOURCE)
