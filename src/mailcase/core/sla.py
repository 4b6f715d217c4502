"""The SLA clock: the first due date, pausing and resuming, and how it is shown (spec 3)."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from mailcase.core import calendar
from mailcase.core.case import Case, Status, WaitType
from mailcase.core.process import DueRule, Process, SpanUnit, WorkingCalendar

_MINUTE = timedelta(minutes=1)


class DueColour(StrEnum):
    """How a due date is shown (SL-9)."""

    #: On target.
    GREEN = "green"
    #: Due today and not past.
    AMBER = "amber"
    #: Past, today included.
    RED = "red"
    #: Not set: draft, no due rule, or paused.
    GREY = "grey"


def first_due(rule: DueRule, zone: ZoneInfo, start: datetime) -> datetime:
    """The due date of a case that starts now, in the fixed order of SL-11; `zone` counts plain days.

    Custom fields (3) do not exist, and no wait time (4) can have passed at the start.
    """
    due = _add(rule, zone, start)
    if rule.calendar is None:
        return due
    due = calendar.move_into_hours(rule.calendar, due)
    if rule.next_morning:
        due = calendar.next_morning(rule.calendar, due)
    if rule.end_of_day:
        due = calendar.end_of_day(rule.calendar, due)
    return due


def adds_wait_time(process: Process) -> bool:
    """« Ajouter le temps d'attente à la date d'échéance »."""
    return process.due is not None and process.due.add_wait_time


def is_wait_for_information(case: Case) -> bool:
    """The one wait that may pause the clock (SL-1, SL-2, 8.8)."""
    return case.wait is not None and case.wait.type is WaitType.MORE_INFO


def pauses(process: Process, case: Case) -> bool:
    """True where the status of the case stops the clock."""
    return adds_wait_time(process) and is_wait_for_information(case)


def remaining_at(process: Process, due_at: datetime, at: datetime) -> timedelta:
    """What is left at `at`, negative when overdue; working time where the due rule has a calendar (SL-4)."""
    hours = _calendar(process)
    return due_at - at if hours is None else calendar.working_between(hours, at, due_at)


def due_after(process: Process, remaining: timedelta, at: datetime, hidden: datetime | None) -> datetime:
    """The due date of a clock that runs again at `at` (SL-5, SL-7); `hidden` is the one that the pause hid.

    The moves of SL-11, 5 and 6, are not made again: the waited time is given back to the minute. With a calendar that
    leaves a choice at free time, whose begin and end are equally far in working time: the hidden due date itself if it
    is as far, else the end if that one lay in free time or at its end, else the nearest moment.
    """
    hours = _calendar(process)
    if hours is None:
        return at + remaining
    if hidden is not None and calendar.working_between(hours, at, hidden) == remaining:
        return hidden
    due = calendar.add_working(hours, at, remaining)
    return due if hidden is None or calendar.ends_work(hours, hidden) else calendar.next_work(hours, due)


def due_text(case: Case, language: str) -> str:
    """What stands in the place of the due date while the clock is paused (SL-8); "" while it is not.

    `language` is "fr" for French, anything else is English. Hours may exceed 24; seconds are dropped.
    """
    if case.paused_remaining is None:
        return ""
    paused = remaining_text(case.paused_remaining, language)
    return f"Échéance\u00a0: mis en pause {paused}" if language == "fr" else f"Due: Paused {paused}"


def remaining_text(remaining: timedelta, language: str) -> str:
    """The time on a clock that stopped, without heading: `5 h 20 m before due` (SL-8)."""
    is_overdue = remaining < timedelta(0)
    hours, minutes = divmod(abs(remaining) // _MINUTE, 60)
    if language == "fr":
        side = "après" if is_overdue else "avant"
        return f"{hours}\u00a0h {minutes}\u00a0m {side} la date d\u2019échéance"
    return f"{hours} h {minutes} m {'after overdue' if is_overdue else 'before due'}"


def due_colour(due_at: datetime | None, now: datetime, zone: ZoneInfo) -> DueColour:
    """The colour of a due date at `now`; `zone` says what today is (SL-9)."""
    if due_at is None:
        return DueColour.GREY
    if due_at <= now:
        return DueColour.RED
    is_today = due_at.astimezone(zone).date() == now.astimezone(zone).date()
    return DueColour.AMBER if is_today else DueColour.GREEN


def runs(case: Case) -> bool:
    """True where the clock may run at all: it is not set in Draft and stops with the resolution (SL-3, T24, T25)."""
    return case.status in {Status.TO_DO, Status.IN_PROGRESS, Status.WAITING}


def _calendar(process: Process) -> WorkingCalendar | None:
    return process.due.calendar if process.due is not None else None


def _add(rule: DueRule, zone: ZoneInfo, start: datetime) -> datetime:
    """SL-11, 2."""
    amount = rule.add.amount
    if rule.calendar is not None:
        if rule.add.unit is SpanUnit.WORKING_HOURS:
            return calendar.add_working(rule.calendar, start, timedelta(hours=amount))
        if rule.add.unit is SpanUnit.WORKING_DAYS:
            return calendar.add_working_days(rule.calendar, start, amount)
    if rule.add.unit is SpanUnit.DAYS:
        return calendar.add_days(zone, start, amount)
    return start + (timedelta(hours=amount) if rule.add.unit is SpanUnit.HOURS else timedelta(minutes=amount))
