"""What the operator decided for one kind of case, as plain frozen data; built from the configuration."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from mailcase.core.case import PersonId, ProcessName, QueueName


class Notice(StrEnum):
    """Every mail the daemon writes by itself. The first six go to the requester, the others to agents."""

    ACKNOWLEDGEMENT = "acknowledgement"
    INFORMATION_WANTED = "information-wanted"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    NEW_IN_QUEUE = "new-in-queue"
    ASSIGNED = "assigned"
    NEW_INFORMATION = "new-information"
    NEEDS_ATTENTION = "needs-attention"
    WAIT_OVER = "wait-over"
    #: A case that was done is work again.
    RETURNED = "returned"
    #: Somebody else took the case from whoever had it, gave it away or put it back.
    NO_LONGER_YOURS = "no-longer-yours"
    DUE_AT_RISK = "due-at-risk"
    OVERDUE = "overdue"


class Personal(StrEnum):
    """Mail in which a person's own words go out."""

    ANSWER = "answer"


#: What a mail of ours is.
OutgoingKind = Notice | Personal


def outgoing_kind(value: str) -> OutgoingKind:
    """The kind of that value. Raises ValueError for any other."""
    return Personal(value) if value in tuple(Personal) else Notice(value)


REQUESTER_NOTICES = frozenset(
    {
        Notice.ACKNOWLEDGEMENT,
        Notice.INFORMATION_WANTED,
        Notice.RESOLVED,
        Notice.REOPENED,
        Notice.CLOSED,
        Notice.CANCELLED,
    }
)
AGENT_NOTICES = frozenset(Notice) - REQUESTER_NOTICES
#: What is sent when the operator says nothing (docs/mail.md, "Mail that we write").
DEFAULT_NOTICES = AGENT_NOTICES | {Notice.ACKNOWLEDGEMENT, Notice.INFORMATION_WANTED, Notice.RESOLVED}


class SpanUnit(StrEnum):
    """In what a span of time is counted; working units need a calendar."""

    MINUTES = "minutes"
    HOURS = "hours"
    DAYS = "days"
    WORKING_HOURS = "working hours"
    WORKING_DAYS = "working days"


WORKING_UNITS = frozenset({SpanUnit.WORKING_HOURS, SpanUnit.WORKING_DAYS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A length of time as people say it: 2 working days."""

    amount: int
    unit: SpanUnit


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingCalendar:
    """When people work: days of the week (Monday is 0), hours of each such day, and the days off."""

    name: str
    zone: ZoneInfo
    #: Per weekday 0-6 the working periods in local time, in order, not touching; an end of 00:00 is the midnight after
    #: the day; a missing day is free.
    hours: tuple[tuple[tuple[time, time], ...], ...]
    #: Answers `day in holidays` for any date.
    holidays: Container[date] = field(default=frozenset())

    def __post_init__(self) -> None:
        """Raises ValueError where no period is left to work in, or one ends before it begins."""
        periods = [period for day in self.hours for period in day]
        if not periods:
            raise ValueError(f"calendar {self.name} has no working hours")
        # 00:00 at the end is the midnight after the day.
        if any(closes <= opens for opens, closes in periods if closes != time(0)):
            raise ValueError(f"calendar {self.name} has a period that ends before it begins")


@dataclass(frozen=True, slots=True, kw_only=True)
class DueRule:
    """How the due date follows from the start of the case (SL-11, SL-12: "from start of the item")."""

    add: Span
    #: Needed for working units and for the two adjustments; None is plain time.
    calendar: WorkingCalendar | None = None
    #: « Ajouter le temps d'attente à la date d'échéance »: a wait for information stops the clock (SL-1).
    add_wait_time: bool = False
    #: A due moment at the exact end of a working day moves to the start of the next (SL-11, 5).
    next_morning: bool = False
    #: A due moment moves to the end of its working day (SL-11, 6). Excludes `next_morning`.
    end_of_day: bool = False
    #: A person may set another due date (SL-15).
    may_override: bool = True
    #: The acknowledgement tells the requester by when we mean to be done.
    is_promised: bool = False
    #: The at-risk reminder comes this long, and 30 minutes more, before the due date (SL-17).
    expected_effort: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        """Raises ValueError where a calendar is missing, or both adjustments are asked for."""
        needs_calendar = self.add.unit in WORKING_UNITS or self.next_morning or self.end_of_day
        if needs_calendar and self.calendar is None:
            raise ValueError("working time, next_morning and end_of_day need a calendar")
        if self.next_morning and self.end_of_day:
            raise ValueError("next_morning and end_of_day exclude each other")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackWindow:
    """How many days a resolved case can be reopened (ST-20): calendar days, or working days of the calendar."""

    days: int
    calendar: WorkingCalendar | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitReason:
    """One entry of the list to choose from when a case waits for information (8.18)."""

    name: str
    #: True when the requester is asked by mail (`ask: requester`).
    asks_requester: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who may have a case."""

    id: PersonId
    queues: frozenset[QueueName]
    is_leader: bool = False
    #: No longer chosen by any rule and no longer assignable (AS-5).
    is_retired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One kind of case."""

    name: ProcessName
    queue: QueueName
    #: Zone in which windows end and times are told.
    zone: ZoneInfo
    people: tuple[Person, ...]
    #: Who gets a case when nobody has touched it (AS-4, 5); tried in order.
    allocation: tuple[PersonId, ...] = ()
    due: DueRule | None = None
    feedback_window: FeedbackWindow | None = None
    wait_reasons: tuple[WaitReason, ...] = ()
    notices: frozenset[Notice] = DEFAULT_NOTICES
    #: An answer to an unassigned to-do case takes it (8.35).
    answer_takes: bool = True
    #: Starts no new cases; those that exist go on.
    is_retired: bool = False

    def wait_reason(self, name: str) -> WaitReason | None:
        """The reason of that name, None when the list has none."""
        return next((reason for reason in self.wait_reasons if reason.name == name), None)

    def person(self, person_id: str) -> Person | None:
        """The person of that id, None when unknown."""
        return next((person for person in self.people if person.id == person_id), None)
