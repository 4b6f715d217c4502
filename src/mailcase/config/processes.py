"""From the entries of the file to the core's processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from mailcase.config.relations import DEFAULT_QUEUE
from mailcase.config.schema import (
    CalendarEntry,
    DueEntry,
    FileEntry,
    HolidaysEntry,
    PersonEntry,
    ProcessEntry,
    WindowEntry,
)
from mailcase.config.settings import PersonSettings
from mailcase.config.working_time import DaysOff
from mailcase.core.case import PersonId, ProcessName, QueueName
from mailcase.core.process import (
    DEFAULT_NOTICES,
    WORKING_UNITS,
    DueRule,
    FeedbackWindow,
    Notice,
    Person,
    Process,
    WaitReason,
    WorkingCalendar,
)

#: The reading of spec 8.18.
DEFAULT_WAIT_REASONS = (
    WaitReason(name="client", asks_requester=True),
    WaitReason(name="third party"),
    WaitReason(name="internal"),
)


def queues(entry: FileEntry) -> tuple[QueueName, ...]:
    """The queues in the order of the file."""
    return tuple(QueueName(name) for name in entry.queues or (DEFAULT_QUEUE,))


def people(entry: FileEntry) -> dict[PersonId, PersonSettings]:
    """The agents; one without `queues` is in all of them."""
    return {PersonId(name): _person(PersonId(name), person, entry) for name, person in entry.people.items()}


def _person(name: PersonId, person: PersonEntry, entry: FileEntry) -> PersonSettings:
    named = person.queues if person.queues is not None else queues(entry)
    return PersonSettings(
        id=name,
        name=person.name or name,
        address=person.address,
        login=person.login,
        queues=tuple(QueueName(queue) for queue in named),
        is_leader=person.role == "leader",
        is_retired=person.retired,
        language=person.language or entry.language,
    )


def processes(entry: FileEntry) -> dict[ProcessName, Process]:
    """The kinds of case."""
    builder = _Builder(
        zone=entry.time_zone,
        default_queue=queues(entry)[0],
        calendars={name: _calendar(name, calendar, entry.time_zone) for name, calendar in entry.calendars.items()},
        people=tuple(
            Person(
                id=person.id,
                queues=frozenset(person.queues),
                is_leader=person.is_leader,
                is_retired=person.is_retired,
            )
            for person in people(entry).values()
        ),
    )
    return {ProcessName(name): builder.process(ProcessName(name), process) for name, process in entry.processes.items()}


def _calendar(name: str, calendar: CalendarEntry, zone: ZoneInfo) -> WorkingCalendar:
    return WorkingCalendar(
        name=name,
        zone=calendar.time_zone or zone,
        hours=calendar.hours,
        holidays=_days_off(calendar.holidays),
    )


def _days_off(holidays: HolidaysEntry) -> DaysOff:
    return DaysOff(country=holidays.country, subdivision=holidays.subdivision, extra=frozenset(holidays.extra))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Builder:
    """What the processes of one file share."""

    zone: ZoneInfo
    default_queue: QueueName
    calendars: Mapping[str, WorkingCalendar]
    people: tuple[Person, ...]

    def process(self, name: ProcessName, entry: ProcessEntry) -> Process:
        due = self._due(entry.due) if entry.due else None
        return Process(
            name=name,
            queue=QueueName(entry.queue) if entry.queue else self.default_queue,
            zone=entry.time_zone or self.zone,
            people=self.people,
            allocation=tuple(PersonId(person) for person in entry.allocation),
            due=due,
            feedback_window=self._window(entry.feedback_window, due) if entry.feedback_window else None,
            wait_reasons=_wait_reasons(entry),
            notices=_notices(entry),
            answer_takes=entry.answer_takes,
            is_retired=entry.retired,
        )

    def _due(self, due: DueEntry) -> DueRule:
        return DueRule(
            add=due.add,
            calendar=self.calendars[due.calendar] if due.calendar else None,
            add_wait_time=due.add_wait_time,
            next_morning=due.next_morning,
            end_of_day=due.end_of_day,
            may_override=due.may_override,
            is_promised=due.promise,
            expected_effort=due.expected_effort or timedelta(0),
        )

    def _window(self, window: WindowEntry, due: DueRule | None) -> FeedbackWindow:
        # ST-20 lets the calendar of the due rule decide; here the words do, and it says which days are working days.
        if window.length.unit not in WORKING_UNITS:
            return FeedbackWindow(days=window.length.amount)
        calendar = self.calendars[window.calendar] if window.calendar else (due.calendar if due else None)
        return FeedbackWindow(days=window.length.amount, calendar=calendar)


def _wait_reasons(entry: ProcessEntry) -> tuple[WaitReason, ...]:
    if entry.wait_reasons is None:
        return DEFAULT_WAIT_REASONS
    return tuple(
        WaitReason(name=reason.name, asks_requester=reason.ask == "requester") for reason in entry.wait_reasons
    )


def _notices(entry: ProcessEntry) -> frozenset[Notice]:
    switched_on = {notice for notice, is_on in entry.notices.items() if is_on}
    switched_off = set(entry.notices) - switched_on
    return (DEFAULT_NOTICES | switched_on) - switched_off
