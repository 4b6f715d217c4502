"""Which moments matter next, and what a tick makes of them (docs/decisions/0001, 0002; T20, T28, SL-15, SL-17)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from tests.core.desk import (
    BOB,
    CLIENT,
    DAY,
    HOUR,
    PROCESS,
    START,
    Desk,
    closed,
    draft,
    in_progress,
    mailed,
    resolved,
    waiting,
)
from tests.core.test_calendar import OFFICE

from mailcase.core import deadlines
from mailcase.core.case import PersonId, Status, WaitType
from mailcase.core.commands import AddNote, Assign, Release, Reopen, Resolve, SetDue, StartWait, Take
from mailcase.core.deadlines import Deadline, DeadlineKind
from mailcase.core.events import DueAtRisk, DueMissed
from mailcase.core.process import FeedbackWindow

HALF = timedelta(minutes=30)


def pending(desk: Desk) -> list[tuple[DeadlineKind, datetime]]:
    return [(deadline.kind, deadline.at) for deadline in deadlines.deadlines(desk.process, desk.case)]


def test_work_to_be_done_is_at_risk_and_then_overdue() -> None:
    """SL-17: the effort and half an hour before the due date."""
    assert PROCESS.due is not None
    desk = mailed(replace(PROCESS, due=replace(PROCESS.due, expected_effort=2 * HOUR)))

    assert pending(desk) == [
        (DeadlineKind.DUE_AT_RISK, START + 8 * HOUR - 2 * HOUR - HALF),
        (DeadlineKind.OVERDUE, START + 8 * HOUR),
    ]
    assert deadlines.wake_at(desk.process, desk.case) == START + 5 * HOUR + HALF
    assert deadlines.window_at(desk.process, desk.case) is None


def test_each_notice_goes_out_once_per_due_date() -> None:
    desk = mailed()
    desk.wait_for(DAY)
    assert [type(event) for event in desk.timeline[-2:]] == [DueAtRisk, DueMissed]
    assert pending(desk) == []
    assert deadlines.wake_at(desk.process, desk.case) is None

    desk.do(SetDue, due_at=desk.now + DAY)
    desk.wait_for(2 * DAY)

    assert [type(event) for event in desk.timeline[-2:]] == [DueAtRisk, DueMissed]
    assert desk.timeline[-1].at == START + 2 * DAY


def test_nobody_is_reminded_of_what_they_work_on() -> None:
    """SL-17: not in progress with an assignee; once given back, at once."""
    desk = in_progress()
    assert pending(desk) == [(DeadlineKind.OVERDUE, START + 8 * HOUR)]
    desk.now = START + 8 * HOUR - HALF + timedelta(minutes=1)
    assert desk.tick() == ()

    desk.do(Release)

    assert deadlines.wake_at(desk.process, desk.case) == START + 8 * HOUR - HALF
    (event,) = desk.tick()
    assert isinstance(event, DueAtRisk)


@pytest.mark.parametrize("wait", [WaitType.UNTIL, WaitType.ON_HOLD])
def test_no_reminder_in_a_wait_where_wait_time_is_added(wait: WaitType) -> None:
    """SL-17 says Waiting with the option on, whatever the type; the clock runs and is missed all the same."""
    assert PROCESS.due is not None
    off = replace(PROCESS, due=replace(PROCESS.due, add_wait_time=False))

    assert DeadlineKind.DUE_AT_RISK not in {kind for kind, _ in pending(waiting(wait))}
    assert DeadlineKind.DUE_AT_RISK in {kind for kind, _ in pending(waiting(wait, off))}
    assert DeadlineKind.OVERDUE in {kind for kind, _ in pending(waiting(wait))}


def test_a_case_that_comes_back_overdue_is_not_at_risk_any_more() -> None:
    """SL-7: only the overdue notice makes sense."""
    desk = mailed()
    desk.now += 9 * HOUR
    desk.do(StartWait, type=WaitType.MORE_INFO, reason=CLIENT.name)
    desk.now += DAY

    desk.mail()

    assert pending(desk) == [(DeadlineKind.OVERDUE, desk.now - HOUR)]


def test_a_due_date_that_passed_unseen_is_only_overdue() -> None:
    desk = mailed()
    desk.now += 9 * HOUR

    desk.do(AddNote, text=1)

    assert pending(desk) == [(DeadlineKind.OVERDUE, START + 8 * HOUR)]


def test_sl_17_a_late_tick_does_not_warn_of_what_has_passed() -> None:
    """After a downtime the overdue notice goes out alone, and nothing is due after it."""
    desk = mailed()
    desk.now += 8 * HOUR - HALF
    assert desk.tick(late_by=HALF) == ()

    desk.now += HALF
    (event,) = desk.tick(late_by=DAY)

    assert (type(event), event.at) == (DueMissed, START + 8 * HOUR)
    assert (desk.case.at_risk_noticed_for, desk.case.overdue_noticed_for) == (None, desk.case.due_at)
    assert pending(desk) == []


def test_sl_17_a_tick_that_is_late_but_before_the_due_date_warns() -> None:
    desk = mailed()
    desk.now += 8 * HOUR - HALF

    (event,) = desk.tick(late_by=HALF - timedelta(seconds=1))

    assert isinstance(event, DueAtRisk)


def test_draft_resolved_and_closed_have_no_due_deadlines() -> None:
    """SL-3, T24, T25."""
    assert pending(draft()) == []
    assert pending(closed()) == []
    assert [kind for kind, _ in pending(resolved())] == [DeadlineKind.END_OF_WINDOW]


def test_the_end_of_the_window_waits_for_the_mail() -> None:
    """docs/decisions/0002."""
    desk = resolved()
    end = START.astimezone(ZoneInfo("Europe/Paris")) + 5 * DAY
    desk.now += 6 * DAY

    assert deadlines.deadlines(desk.process, desk.case) == (
        Deadline(kind=DeadlineKind.END_OF_WINDOW, at=end, waits_for_mail=True),
    )
    assert deadlines.wake_at(desk.process, desk.case) is None
    assert deadlines.window_at(desk.process, desk.case) == end
    assert desk.tick(read_through_at=end - timedelta(seconds=1)) == ()
    assert desk.tick(read_through_at=end)
    assert desk.case.status is Status.CLOSED


def test_an_answer_inside_the_window_counts_however_late_it_is_read() -> None:
    """T26: the mailbox was out of reach across the end of the window."""
    desk = resolved()
    desk.now += 7 * DAY
    desk.tick(read_through_at=START + 4 * DAY)

    desk.mail(arrived_at=START + 5 * DAY - timedelta(seconds=1))

    assert desk.case.status is Status.TO_DO


def test_the_window_ends_at_the_same_local_time_over_a_clock_change() -> None:
    """docs/decisions/0002."""
    desk = in_progress()
    desk.now = datetime(2026, 3, 27, 9, tzinfo=UTC)

    desk.do(Resolve)

    assert desk.case.feedback_until == datetime(2026, 4, 1, 8, tzinfo=UTC)


def test_a_window_in_working_days_skips_weekend_and_holidays() -> None:
    """ST-20, over Easter Monday."""
    desk = in_progress(replace(PROCESS, feedback_window=FeedbackWindow(days=2, calendar=OFFICE)))
    desk.now = datetime(2026, 4, 3, 20, tzinfo=UTC)

    desk.do(Resolve)

    assert desk.case.feedback_until == datetime(2026, 4, 8, 20, tzinfo=UTC)


def test_a_window_of_no_days_is_none() -> None:
    """ST-20."""
    desk = in_progress(replace(PROCESS, feedback_window=FeedbackWindow(days=0)))

    desk.do(Resolve)

    assert desk.case.status is Status.CLOSED


def test_a_change_of_the_process_does_not_move_an_open_window() -> None:
    desk = resolved()
    end = desk.case.feedback_until
    desk.process = replace(PROCESS, feedback_window=None)
    desk.now += DAY

    desk.do(Assign, person=PersonId(BOB))

    assert desk.case.feedback_until == end


def test_deadlines_that_were_missed_are_caught_up_in_order_one_per_tick() -> None:
    desk = waiting(WaitType.UNTIL)
    desk.now += 7 * DAY

    first, second = desk.tick(), desk.tick()

    assert isinstance(first[0], DueMissed)
    assert [event.rule for event in second] == ["T20", "T20", "AS-1"]
    assert desk.tick() == ()


def test_a_follow_up_goes_before_a_due_date_of_the_same_moment() -> None:
    desk = in_progress()
    desk.do(StartWait, type=WaitType.UNTIL, until=START + 8 * HOUR)

    assert [kind for kind, _ in pending(desk)] == [DeadlineKind.FOLLOW_UP, DeadlineKind.OVERDUE]


def test_reopening_brings_the_due_date_back() -> None:
    """SL-13."""
    desk = resolved()
    desk.now += DAY

    desk.do(Reopen)

    assert pending(desk) == [(DeadlineKind.OVERDUE, START + 8 * HOUR)]


def test_a_due_date_set_by_hand_has_deadlines_without_a_due_rule() -> None:
    desk = mailed(replace(PROCESS, due=None))
    assert pending(desk) == []

    desk.do(SetDue, due_at=START + DAY)

    assert pending(desk) == [(DeadlineKind.DUE_AT_RISK, START + DAY - HALF), (DeadlineKind.OVERDUE, START + DAY)]
    desk.do(Take)
    assert [kind for kind, _ in pending(desk)] == [DeadlineKind.OVERDUE]
