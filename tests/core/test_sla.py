"""Due dates by SL-11, the pausing clock, and how it is shown (SL-8, SL-9)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.core.desk import (
    CLIENT,
    DAY,
    HOUR,
    PROCESS,
    START,
    THIRD_PARTY,
    details,
    draft,
    in_progress,
    mailed,
    resolved,
    waiting,
)

from mailcase.core import sla
from mailcase.core.case import WaitType
from mailcase.core.commands import Cancel, Resolve, SetDue, SetInProgress, StartWait, Submit
from mailcase.core.events import ClockPaused
from mailcase.core.process import DueRule, Process, Span, SpanUnit, WorkingCalendar

PARIS = ZoneInfo("Europe/Paris")
INFO, UNTIL, HOLD = WaitType.MORE_INFO, WaitType.UNTIL, WaitType.ON_HOLD
OFFICE = WorkingCalendar(
    name="office",
    zone=PARIS,
    hours=(*(((time(9), time(17)),),) * 5, (), ()),
    holidays=frozenset({date(2026, 4, 6)}),
)


def paris(text: str) -> datetime:
    """A local time of Paris as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=PARIS).astimezone(UTC)


def rule(amount: int, unit: SpanUnit, calendar: WorkingCalendar | None = OFFICE, **more: Any) -> DueRule:
    return DueRule(add=Span(amount=amount, unit=unit), calendar=calendar, **more)


def with_due(due: DueRule | None) -> Process:
    return replace(PROCESS, due=due)


@pytest.mark.parametrize(
    ("due", "start", "expected"),
    [
        (rule(30, SpanUnit.MINUTES, None), "2026-03-02 23:45", "2026-03-03 00:15"),
        (rule(4, SpanUnit.HOURS, None), "2026-03-28 23:00", "2026-03-29 04:00"),
        (rule(1, SpanUnit.DAYS, None), "2026-03-28 23:00", "2026-03-29 23:00"),
        (rule(4, SpanUnit.WORKING_HOURS), "2026-03-06 15:00", "2026-03-09 11:00"),
        (rule(2, SpanUnit.WORKING_DAYS), "2026-04-03 10:00", "2026-04-08 10:00"),
        # (5) plain time with a calendar is moved into working hours.
        (rule(4, SpanUnit.HOURS), "2026-03-02 15:00", "2026-03-03 09:00"),
        (rule(2, SpanUnit.WORKING_DAYS), "2026-03-06 22:00", "2026-03-11 09:00"),
        # (5) the exact end of the day stays, unless it is to be the next morning.
        (rule(8, SpanUnit.WORKING_HOURS), "2026-03-06 09:00", "2026-03-06 17:00"),
        (rule(8, SpanUnit.WORKING_HOURS, next_morning=True), "2026-03-06 09:00", "2026-03-09 09:00"),
        (rule(7, SpanUnit.WORKING_HOURS, next_morning=True), "2026-03-06 09:00", "2026-03-06 16:00"),
        # (6) after (5).
        (rule(4, SpanUnit.HOURS, end_of_day=True), "2026-03-06 15:00", "2026-03-09 17:00"),
    ],
)
def test_the_due_date_follows_from_the_start_in_fixed_order(due: DueRule, start: str, expected: str) -> None:
    """SL-11."""
    assert sla.first_due(due, PARIS, paris(start)) == paris(expected)


def test_a_due_rule_says_what_it_needs() -> None:
    with pytest.raises(ValueError, match="need a calendar"):
        rule(1, SpanUnit.WORKING_DAYS, None)
    with pytest.raises(ValueError, match="need a calendar"):
        rule(1, SpanUnit.DAYS, None, end_of_day=True)
    with pytest.raises(ValueError, match="exclude each other"):
        rule(1, SpanUnit.DAYS, next_morning=True, end_of_day=True)


def test_the_base_is_the_start_of_the_work() -> None:
    """SL-12 "from start of the item": the submission of a draft, the arrival of a mail."""
    desk = draft()
    assert desk.case.due_at is None
    desk.now += DAY

    desk.do(Submit)

    assert desk.case.due_at == START + DAY + 8 * HOUR
    assert mailed().case.due_at == START + 8 * HOUR


def test_without_a_due_rule_there_is_no_due_date_until_a_person_sets_one() -> None:
    desk = mailed(with_due(None))
    assert desk.case.due_at is None

    desk.do(SetDue, due_at=desk.now + DAY)

    assert desk.case.due_at == START + DAY


@pytest.mark.parametrize("wait", [UNTIL, HOLD])
def test_only_a_wait_for_information_pauses(wait: WaitType) -> None:
    """SL-2."""
    assert waiting(wait).case.due_at == START + 8 * HOUR


def test_the_option_off_lets_the_clock_run_on() -> None:
    """SL-1."""
    assert PROCESS.due is not None

    desk = waiting(INFO, with_due(replace(PROCESS.due, add_wait_time=False)))

    assert desk.case.due_at == START + 8 * HOUR
    assert sla.due_text(desk.case, "en") == ""


def test_pauses_add_up() -> None:
    """SL-6."""
    desk = in_progress()
    for reason, days in ((CLIENT, 1), (THIRD_PARTY, 3)):
        desk.do(StartWait, type=INFO, reason=reason.name)
        desk.now += days * DAY
        desk.do(SetInProgress)

    assert desk.case.due_at == START + 8 * HOUR + 4 * DAY


def test_an_overdue_case_stays_overdue_by_the_same_amount() -> None:
    """SL-7."""
    desk = in_progress()
    desk.now += 9 * HOUR
    desk.do(StartWait, type=INFO, reason=CLIENT.name)
    desk.now += 3 * DAY

    desk.mail()

    assert desk.case.due_at == desk.now - HOUR


def test_a_new_reason_in_the_same_wait_does_not_touch_the_clock() -> None:
    """T17."""
    desk = waiting(INFO)
    remaining = desk.case.paused_remaining
    desk.now += HOUR

    desk.do(StartWait, type=INFO, reason=THIRD_PARTY.name)

    assert desk.case.paused_remaining == remaining
    assert desk.case.wait is not None
    assert desk.case.wait.since == START


def test_another_type_of_wait_begins_anew() -> None:
    """T17."""
    desk = waiting(INFO)
    desk.now += HOUR

    desk.do(StartWait, type=HOLD)

    assert desk.case.wait is not None
    assert desk.case.wait.since == START + HOUR


@pytest.mark.parametrize(
    ("due", "resumed", "expected"),
    [
        # Four hours of work are left: until the evening, or until the next morning.
        pytest.param("2026-03-03 09:00", "2026-03-02 13:00", "2026-03-03 09:00", id="a morning, the same moment"),
        pytest.param("2026-03-02 17:00", "2026-03-02 13:00", "2026-03-02 17:00", id="an evening, the same moment"),
        pytest.param("2026-03-03 09:00", "2026-03-05 13:00", "2026-03-06 09:00", id="a morning stays a morning"),
        pytest.param("2026-03-02 17:00", "2026-03-05 13:00", "2026-03-05 17:00", id="an evening stays an evening"),
        pytest.param("2026-03-03 09:00", "2026-03-06 13:00", "2026-03-09 09:00", id="over the weekend"),
        pytest.param("2026-03-03 02:00", "2026-03-02 13:00", "2026-03-03 02:00", id="by hand, at night"),
        pytest.param("2026-03-03 02:00", "2026-03-05 13:00", "2026-03-06 09:00", id="a night becomes its morning"),
    ],
)
def test_a_due_date_keeps_its_side_of_the_night(due: str, resumed: str, expected: str) -> None:
    """SL-5: in working time the evening and the next morning are the same, to people they are not."""
    desk = mailed(with_due(rule(1, SpanUnit.WORKING_HOURS, add_wait_time=True)))
    desk.now = paris("2026-03-02 13:00")
    desk.do(SetDue, due_at=paris(due))
    desk.do(StartWait, **details(INFO, desk.now))
    desk.now = paris(resumed)

    desk.mail()

    assert desk.case.due_at == paris(expected)
    assert desk.case.hidden_due_at is None


def test_a_timeline_that_does_not_say_what_was_hidden_gives_the_nearest_due_date() -> None:
    process = with_due(rule(1, SpanUnit.WORKING_HOURS, add_wait_time=True))

    assert sla.due_after(process, 4 * HOUR, paris("2026-03-02 13:00"), None) == paris("2026-03-02 17:00")


def test_with_a_calendar_the_wait_is_measured_in_working_time() -> None:
    """SL-5: from Friday 15:00 with 4 of 6 working hours left, over the weekend, to Tuesday 10:00."""
    desk = mailed(with_due(rule(6, SpanUnit.WORKING_HOURS, add_wait_time=True)))
    desk.now = paris("2026-03-06 15:00")
    desk.do(SetDue, due_at=paris("2026-03-09 11:00"))

    desk.do(StartWait, **details(INFO, desk.now))
    assert sla.due_text(desk.case, "en") == "Due: Paused 4 h 0 m before due"
    desk.now = paris("2026-03-10 10:00")
    desk.mail()

    assert desk.case.due_at == paris("2026-03-10 14:00")


def test_a_process_that_changed_its_mind_during_the_wait_still_lets_the_clock_run_again() -> None:
    desk = waiting(INFO)
    desk.process = with_due(None)
    desk.now += DAY

    desk.do(StartWait, type=INFO, reason=THIRD_PARTY.name)
    assert desk.case.paused_remaining == 8 * HOUR
    desk.mail()

    assert desk.case.due_at == desk.now + 8 * HOUR


def test_a_case_cancelled_in_a_pause_has_no_clock_any_more() -> None:
    desk = waiting(INFO)

    desk.do(Cancel, is_confirmed=True)

    assert (desk.case.due_at, desk.case.paused_remaining) == (None, None)


def test_time_in_resolved_is_not_added() -> None:
    """SL-13."""
    desk = resolved()
    desk.now += 2 * DAY

    desk.mail()
    desk.do(SetInProgress)
    desk.do(Resolve)

    assert desk.case.due_at == START + 8 * HOUR


@pytest.mark.parametrize(
    ("left", "english", "french"),
    [
        (
            timedelta(hours=5, minutes=20),
            "Due: Paused 5 h 20 m before due",
            "Échéance\u00a0: mis en pause 5\u00a0h 20\u00a0m avant la date d\u2019échéance",
        ),
        (
            -timedelta(hours=1, minutes=5),
            "Due: Paused 1 h 5 m after overdue",
            "Échéance\u00a0: mis en pause 1\u00a0h 5\u00a0m après la date d\u2019échéance",
        ),
        (
            timedelta(days=2, minutes=59, seconds=59),
            "Due: Paused 48 h 59 m before due",
            "Échéance\u00a0: mis en pause 48\u00a0h 59\u00a0m avant la date d\u2019échéance",
        ),
        (
            timedelta(0),
            "Due: Paused 0 h 0 m before due",
            "Échéance\u00a0: mis en pause 0\u00a0h 0\u00a0m avant la date d\u2019échéance",
        ),
        (
            -timedelta(seconds=59),
            "Due: Paused 0 h 0 m after overdue",
            "Échéance\u00a0: mis en pause 0\u00a0h 0\u00a0m après la date d\u2019échéance",
        ),
    ],
)
def test_a_paused_clock_shows_what_was_left(left: timedelta, english: str, french: str) -> None:
    """SL-8."""
    desk = in_progress(with_due(rule(100, SpanUnit.HOURS, None, add_wait_time=True)))
    assert desk.case.due_at is not None
    desk.now = desk.case.due_at - left

    events = desk.do(StartWait, type=INFO, reason=CLIENT.name)

    assert any(isinstance(event, ClockPaused) for event in events)
    assert sla.due_text(desk.case, "en") == english
    assert sla.due_text(desk.case, "fr") == french


@pytest.mark.parametrize(
    ("now", "colour"),
    [
        ("2026-03-01 23:59", sla.DueColour.GREEN),
        ("2026-03-02 00:00", sla.DueColour.AMBER),
        ("2026-03-02 17:59", sla.DueColour.AMBER),
        ("2026-03-02 18:00", sla.DueColour.RED),
        ("2026-03-05 12:00", sla.DueColour.RED),
    ],
)
def test_the_due_date_has_its_colour(now: str, colour: sla.DueColour) -> None:
    """SL-9, for a case due at 18:00 in Paris."""
    assert sla.due_colour(mailed().case.due_at, paris(now), PARIS) is colour


def test_no_due_date_is_grey() -> None:
    """SL-9."""
    for desk in (draft(), waiting(INFO), mailed(with_due(None))):
        assert sla.due_colour(desk.case.due_at, desk.now, PARIS) is sla.DueColour.GREY
