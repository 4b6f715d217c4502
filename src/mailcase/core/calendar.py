"""Working time: adding it, measuring it, and moving a moment into it (SL-5, SL-11).

Moments are aware UTC datetimes; a working calendar speaks of local days and hours of its zone. A period that closes at
00:00 closes at the midnight that ends its day, so that round the clock is `(time(0), time(0))` on every day.

A local time that the clock skips counts with the offset before the change, one that comes twice is the first of the
two; a working day of the change is therefore as many hours long as it really was.

Nothing here loops for ever: a calendar without any working hour cannot be made (`WorkingCalendar`), and where the
holidays leave no working day for `FREE_DAYS_MAX` days in a row they are ignored from there on. A wrong list of holidays
then gives a strange due date, and not a mail that cannot be handled.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from mailcase.core.process import WorkingCalendar

#: So many free days in a row are believed.
FREE_DAYS_MAX = 366

_DAY = timedelta(days=1)
_NONE = timedelta(0)
_MIDNIGHT = time(0)

_Period = tuple[datetime, datetime]


def add_working(calendar: WorkingCalendar, at: datetime, amount: timedelta) -> datetime:
    """The nearest moment that lies `amount` of working time after `at`, before it when negative.

    Zero gives `at` itself, in or out of working hours. `working_between(at, add_working(at, n)) == n` always holds.
    """
    if amount < _NONE:
        return _subtract(calendar, at, -amount)
    if amount == _NONE:
        return at
    for opens, closes in _periods_after(calendar, at):
        if amount <= closes - opens:
            return opens + amount
        amount -= closes - opens
    raise AssertionError  # pragma: no cover - the periods never end


def working_between(calendar: WorkingCalendar, a: datetime, b: datetime) -> timedelta:
    """The working time from `a` to `b`, negative when `b` is the earlier."""
    if b < a:
        return -working_between(calendar, b, a)
    periods = takewhile(lambda period: period[0] < b, _periods_after(calendar, a))
    return sum((min(closes, b) - opens for opens, closes in periods), start=_NONE)


def add_working_days(calendar: WorkingCalendar, at: datetime, count: int, zone: ZoneInfo | None = None) -> datetime:
    """The same local time on the `count`-th working day after the day of `at`; zero gives `at`.

    `zone` is the zone whose local time is kept, the calendar's own when it is not given. The result may lie outside
    working hours.
    """
    if count == 0:
        return at
    local = at.astimezone(zone or calendar.zone)
    days = _working_days(calendar, local.date() + _DAY)
    day = next(day for number, day in enumerate(days, start=1) if number == count)
    return _same_time(local, day)


def add_days(zone: ZoneInfo, at: datetime, count: int) -> datetime:
    """The same local time `count` days later, on a day that may have had 23 or 25 hours."""
    local = at.astimezone(zone)
    return _same_time(local, local.date() + count * _DAY)


def ends_work(calendar: WorkingCalendar, at: datetime) -> bool:
    """True within working hours and at the exact end of a period; false in free time and at its end."""
    days = _days_around(calendar, at)
    return next(opens < at for day in days for opens, closes in day if at <= closes)


def next_work(calendar: WorkingCalendar, at: datetime) -> datetime:
    """`at` where work goes on then, else the next start of work: an exact end moves over the free time after it."""
    return next(_periods_after(calendar, at))[0]


def move_into_hours(calendar: WorkingCalendar, at: datetime) -> datetime:
    """`at` where people work then, the exact end of a period included, else the next start of work (SL-11, 5)."""
    return next(max(at, opens) for day in _days_around(calendar, at) for opens, closes in day if at <= closes)


def next_morning(calendar: WorkingCalendar, at: datetime) -> datetime:
    """The start of the next working day if `at` is the exact end of one, else `at` (SL-11, 5)."""
    days = _days_around(calendar, at)
    day = next(day for day in days if at <= day[-1][1])
    return next(days)[0][0] if at == day[-1][1] else at


def end_of_day(calendar: WorkingCalendar, at: datetime) -> datetime:
    """The end of the working day of `at`, of the next working day where it lies in none (SL-11, 6)."""
    return next(day[-1][1] for day in _days_around(calendar, at) if at <= day[-1][1])


def _subtract(calendar: WorkingCalendar, at: datetime, amount: timedelta) -> datetime:
    for day in _working_days(calendar, at.astimezone(calendar.zone).date(), step=-1):
        for opens, closes in reversed(_periods(calendar, day)):
            length = min(closes, at) - opens
            if length > _NONE and amount <= length:
                return min(closes, at) - amount
            amount -= max(length, _NONE)
    raise AssertionError  # pragma: no cover - the days never end


def _periods_after(calendar: WorkingCalendar, at: datetime) -> Iterator[_Period]:
    """What is left of the period around `at`, then every later one, without end."""
    days = _working_days(calendar, at.astimezone(calendar.zone).date())
    return ((max(at, opens), closes) for day in days for opens, closes in _periods(calendar, day) if at < closes)


def _days_around(calendar: WorkingCalendar, at: datetime) -> Iterator[tuple[_Period, ...]]:
    """The periods of each working day from the eve of `at` on: the eve may end at the midnight that `at` is."""
    days = _working_days(calendar, at.astimezone(calendar.zone).date() - _DAY)
    return (periods for day in days if (periods := _periods(calendar, day)))


def _working_days(calendar: WorkingCalendar, day: date, step: int = 1) -> Iterator[date]:
    """The days with working hours from `day` on, without end; backwards with a negative step."""
    free_count = 0
    while True:
        believes_holidays = free_count < FREE_DAYS_MAX
        if _hours(calendar, day) and not (believes_holidays and day in calendar.holidays):
            free_count = 0 if believes_holidays else free_count
            yield day
        else:
            free_count += 1
        day += step * _DAY


def _hours(calendar: WorkingCalendar, day: date) -> tuple[tuple[time, time], ...]:
    weekday = day.weekday()
    return calendar.hours[weekday] if weekday < len(calendar.hours) else ()


def _periods(calendar: WorkingCalendar, day: date) -> tuple[_Period, ...]:
    """The working periods of that day, in order, never overlapping; none is empty."""
    periods: list[_Period] = []
    for opens, closes in _hours(calendar, day):
        start = _instant(calendar.zone, day, opens)
        end = _instant(calendar.zone, day + _DAY if closes == _MIDNIGHT else day, closes)
        if periods:
            # Times that the clock skips may fall behind later ones of the same night.
            start = max(start, periods[-1][1])
        if start < end:
            periods.append((start, end))
    return tuple(periods)


def _instant(zone: ZoneInfo, day: date, clock: time) -> datetime:
    return datetime.combine(day, clock, tzinfo=zone).astimezone(UTC)


def _same_time(local: datetime, day: date) -> datetime:
    return datetime.combine(day, local.timetz()).astimezone(UTC)
