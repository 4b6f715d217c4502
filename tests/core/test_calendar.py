"""Working time: examples around holidays, nights and clock changes, then the properties that always hold."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcase.core import calendar as cal
from mailcase.core.process import WorkingCalendar

PARIS = ZoneInfo("Europe/Paris")
HOUR = timedelta(hours=1)

NINE_TO_FIVE = ((time(9), time(12)), (time(13), time(17)))
OFFICE = WorkingCalendar(
    name="office",
    zone=PARIS,
    hours=(*(NINE_TO_FIVE,) * 5, (), ()),
    holidays=frozenset({date(2026, 4, 6), date(2026, 5, 1)}),
)
ALWAYS = WorkingCalendar(name="always", zone=PARIS, hours=(((time(0), time(0)),),) * 7)
NIGHTS = WorkingCalendar(name="nights", zone=PARIS, hours=(((time(0), time(4)), (time(22), time(0))),) * 7)
#: Its periods lie in and around the hour that the clock skips and repeats.
SMALL_HOURS = WorkingCalendar(
    name="small hours",
    zone=PARIS,
    hours=(((time(1, 30), time(2, 15)), (time(2, 20), time(2, 40)), (time(2, 50), time(3, 30))),) * 7,
)
SUNDAYS = WorkingCalendar(name="sundays", zone=PARIS, hours=((), (), (), (), (), (), ((time(9), time(10)),)))


class EveryDay:
    """Holidays without end."""

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date)


NEVER = WorkingCalendar(name="never", zone=PARIS, hours=OFFICE.hours, holidays=EveryDay())
#: The weekend is not even named.
SHORT = WorkingCalendar(name="short", zone=PARIS, hours=(NINE_TO_FIVE,) * 5)

CALENDARS = (OFFICE, ALWAYS, NIGHTS, SMALL_HOURS, SUNDAYS, NEVER, SHORT)


def paris(text: str) -> datetime:
    """A local time of Paris as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=PARIS).astimezone(UTC)


@pytest.mark.parametrize(
    ("at", "hours", "expected"),
    [
        ("2026-03-02 09:00", 2, "2026-03-02 11:00"),
        # Over lunch.
        ("2026-03-02 11:00", 2, "2026-03-02 14:00"),
        # The exact end is still the same day.
        ("2026-03-02 09:00", 7, "2026-03-02 17:00"),
        ("2026-03-02 16:00", 2, "2026-03-03 10:00"),
        # Over a weekend, from the evening.
        ("2026-03-06 20:00", 1, "2026-03-09 10:00"),
        # Over Easter Monday.
        ("2026-04-03 16:30", 1, "2026-04-07 09:30"),
        # Backwards: over lunch, over a weekend, from the night.
        ("2026-03-02 14:00", -2, "2026-03-02 11:00"),
        ("2026-03-09 10:00", -2, "2026-03-06 16:00"),
        ("2026-03-03 03:00", -7, "2026-03-02 09:00"),
        # Nothing added is nothing moved.
        ("2026-03-07 12:00", 0, "2026-03-07 12:00"),
    ],
)
def test_working_hours_are_added_within_working_time(at: str, hours: int, expected: str) -> None:
    assert cal.add_working(OFFICE, paris(at), hours * HOUR) == paris(expected)


@pytest.mark.parametrize(
    ("night", "hours"), [("2026-03-28 20:00", 3), ("2026-10-24 20:00", 5)], ids=["spring", "autumn"]
)
def test_the_night_of_the_clock_change_is_as_long_as_it_is(night: str, hours: int) -> None:
    """00:00 to 04:00 has three hours in spring and five in autumn."""
    morning = paris(night[:8] + f"{int(night[8:10]) + 1} 05:00")

    assert cal.working_between(NIGHTS, paris(night), morning) == (2 + hours) * HOUR
    assert cal.add_working(NIGHTS, paris(night), (2 + hours) * HOUR) == morning - HOUR


def test_round_the_clock_is_plain_time() -> None:
    start = paris("2026-03-28 12:00")

    assert cal.add_working(ALWAYS, start, 24 * HOUR) == start + 24 * HOUR
    assert cal.working_between(ALWAYS, start, start + 48 * HOUR) == 48 * HOUR


@pytest.mark.parametrize(
    ("at", "count", "expected"),
    [
        ("2026-03-02 10:00", 1, "2026-03-03 10:00"),
        ("2026-03-06 23:00", 1, "2026-03-09 23:00"),
        ("2026-03-07 10:00", 1, "2026-03-09 10:00"),
        ("2026-03-07 10:00", 0, "2026-03-07 10:00"),
        ("2026-04-03 10:00", 2, "2026-04-08 10:00"),
        # The clock changes in between; the local time stays.
        ("2026-03-27 10:00", 1, "2026-03-30 10:00"),
    ],
)
def test_working_days_keep_the_local_time(at: str, count: int, expected: str) -> None:
    assert cal.add_working_days(OFFICE, paris(at), count) == paris(expected)


def test_working_days_can_be_counted_in_another_zone() -> None:
    """23:30 in London on Friday is already Saturday in Paris."""
    london = ZoneInfo("Europe/London")
    at = datetime(2026, 3, 6, 23, 30, tzinfo=london).astimezone(UTC)

    assert cal.add_working_days(OFFICE, at, 1, london) == datetime(2026, 3, 9, 23, 30, tzinfo=london)
    assert cal.add_working_days(OFFICE, at, 1) == paris("2026-03-09 00:30")


def test_days_keep_the_local_time_over_the_clock_change() -> None:
    at = paris("2026-03-28 10:00")

    assert cal.add_days(PARIS, at, 1) == paris("2026-03-29 10:00") == at + 23 * HOUR
    # 02:30 does not exist on that day.
    assert cal.add_days(PARIS, paris("2026-03-28 02:30"), 1) == paris("2026-03-29 03:30")
    assert cal.add_days(PARIS, at, -1) == at - 24 * HOUR


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-03-02 10:00", "2026-03-02 10:00"),
        ("2026-03-02 12:00", "2026-03-02 12:00"),
        ("2026-03-02 12:30", "2026-03-02 13:00"),
        ("2026-03-02 06:00", "2026-03-02 09:00"),
        ("2026-03-06 18:00", "2026-03-09 09:00"),
    ],
)
def test_a_moment_moves_into_working_hours(at: str, expected: str) -> None:
    """SL-11, 5."""
    assert cal.move_into_hours(OFFICE, paris(at)) == paris(expected)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-03-02 17:00", "2026-03-03 09:00"),
        ("2026-03-06 17:00", "2026-03-09 09:00"),
        # The end of the morning is not the end of the day.
        ("2026-03-02 12:00", "2026-03-02 12:00"),
        ("2026-03-02 16:59", "2026-03-02 16:59"),
    ],
)
def test_only_the_exact_end_of_a_working_day_moves_to_the_next_morning(at: str, expected: str) -> None:
    """SL-11, 5."""
    assert cal.next_morning(OFFICE, paris(at)) == paris(expected)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-03-02 10:00", "2026-03-02 17:00"),
        ("2026-03-02 17:00", "2026-03-02 17:00"),
        ("2026-03-07 10:00", "2026-03-09 17:00"),
    ],
)
def test_a_moment_moves_to_the_end_of_its_working_day(at: str, expected: str) -> None:
    """SL-11, 6."""
    assert cal.end_of_day(OFFICE, paris(at)) == paris(expected)


def test_midnight_belongs_to_the_day_that_it_ends() -> None:
    midnight = paris("2026-03-03 00:00")

    assert cal.end_of_day(ALWAYS, midnight) == midnight
    assert cal.next_morning(ALWAYS, midnight) == midnight
    assert cal.move_into_hours(NIGHTS, midnight) == midnight


def test_a_year_of_holidays_is_not_believed() -> None:
    """A due date far away rather than a loop without end."""
    start = paris("2026-03-02 09:00")

    assert cal.add_working(NEVER, start, HOUR) == paris("2027-03-03 10:00")
    assert cal.add_working_days(NEVER, start, 3) > start
    assert cal.end_of_day(NEVER, start) > start
    assert cal.add_working(NEVER, start, -HOUR) < start


def test_a_skipped_lone_hour_leaves_a_day_without_work() -> None:
    hours = ((), (), (), (), (), (), ((time(2), time(3)),))
    lone = WorkingCalendar(name="lone", zone=PARIS, hours=hours)

    assert cal.working_between(lone, paris("2026-03-28 12:00"), paris("2026-03-29 12:00")) == timedelta(0)
    assert cal.end_of_day(lone, paris("2026-03-28 12:00")) == paris("2026-04-05 03:00")


def test_a_calendar_needs_working_hours_in_order() -> None:
    with pytest.raises(ValueError, match="no working hours"):
        WorkingCalendar(name="free", zone=PARIS, hours=((),) * 7)
    with pytest.raises(ValueError, match="ends before it begins"):
        WorkingCalendar(name="odd", zone=PARIS, hours=(((time(17), time(9)),),))


moments = st.one_of(
    st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1)),  # noqa: DTZ001 - the zone follows
    # Around the changes of the clock.
    st.datetimes(datetime(2026, 3, 27), datetime(2026, 3, 31)),  # noqa: DTZ001 - the zone follows
    st.datetimes(datetime(2026, 10, 23), datetime(2026, 10, 27)),  # noqa: DTZ001 - the zone follows
).map(lambda moment: moment.replace(tzinfo=UTC))
amounts = st.timedeltas(timedelta(hours=-60), timedelta(hours=60))
calendars = st.sampled_from([calendar for calendar in CALENDARS if calendar is not NEVER])


@given(calendars, moments, amounts)
def test_what_was_added_is_what_lies_between(calendar: WorkingCalendar, at: datetime, amount: timedelta) -> None:
    """SL-4, SL-5: pausing and resuming lose nothing."""
    assert cal.working_between(calendar, at, cal.add_working(calendar, at, amount)) == amount


@given(calendars, moments, amounts, amounts)
def test_adding_twice_is_adding_the_sum(
    calendar: WorkingCalendar, at: datetime, first: timedelta, second: timedelta
) -> None:
    """SL-6, for two amounts of the same sign."""
    first, second = abs(first) or HOUR, abs(second) or HOUR

    twice = cal.add_working(calendar, cal.add_working(calendar, at, first), second)

    assert twice == cal.add_working(calendar, at, first + second)


@given(calendars, moments, moments, moments)
def test_working_time_adds_up_whatever_the_order(
    calendar: WorkingCalendar, a: datetime, b: datetime, c: datetime
) -> None:
    between = cal.working_between

    assert between(calendar, a, b) + between(calendar, b, c) == between(calendar, a, c)
    assert between(calendar, a, b) == -between(calendar, b, a)


@given(calendars, moments, moments)
def test_there_is_never_more_working_time_than_time(calendar: WorkingCalendar, a: datetime, b: datetime) -> None:
    assert abs(cal.working_between(calendar, a, b)) <= abs(b - a)


@given(calendars, moments)
def test_moves_go_forward_and_are_done_once(calendar: WorkingCalendar, at: datetime) -> None:
    moved = cal.move_into_hours(calendar, at)
    assert moved >= at
    assert cal.move_into_hours(calendar, moved) == moved
    assert cal.working_between(calendar, at, moved) == timedelta(0)

    end = cal.end_of_day(calendar, moved)
    assert end >= moved
    assert cal.end_of_day(calendar, end) == end
    assert cal.next_morning(calendar, moved) >= moved


@given(calendars, moments, st.integers(0, 40))
def test_working_days_go_forward_one_by_one(calendar: WorkingCalendar, at: datetime, count: int) -> None:
    later = cal.add_working_days(calendar, at, count)

    assert later >= at
    assert cal.add_working_days(calendar, at, count + 1) > later


@given(
    st.sampled_from([PARIS, ZoneInfo("America/Sao_Paulo"), ZoneInfo("Asia/Kathmandu")]), moments, st.integers(0, 400)
)
def test_days_are_off_by_no_more_than_the_clock_change(zone: ZoneInfo, at: datetime, count: int) -> None:
    assert abs(cal.add_days(zone, at, count) - (at + timedelta(days=count))) <= HOUR
