"""The moments that matter to a case as it stands (docs/decisions/0001, 0002).

Level-triggered: they follow from the state alone, so none is ever stale, cancelled or lost. A deadline in the past is
due at once. The store keeps the earliest of each sort as `wake_at` and `window_at`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from mailcase.core import sla
from mailcase.core.case import Case, Status
from mailcase.core.process import Process

#: The at-risk reminder comes this long before the last moment at which the expected effort still fits (SL-17).
REMINDER_LEAD = timedelta(minutes=30)


class DeadlineKind(StrEnum):
    """What comes with the moment; of two at the same time the first named here goes first."""

    FOLLOW_UP = "follow-up"
    END_OF_WINDOW = "end-of-window"
    DUE_AT_RISK = "due-at-risk"
    OVERDUE = "overdue"


_ORDER = {kind: position for position, kind in enumerate(DeadlineKind)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """One moment at which the passing of time means something."""

    kind: DeadlineKind
    at: datetime
    #: True when a mail that arrived before `at` may still change what it means: due only once all mail is read past it.
    waits_for_mail: bool = False


def deadlines(process: Process, case: Case) -> tuple[Deadline, ...]:
    """All deadlines of the case, earliest first. A due date that was noticed is none any more."""
    found: list[Deadline] = []
    if case.wait is not None and case.wait.until is not None:
        found.append(Deadline(kind=DeadlineKind.FOLLOW_UP, at=case.wait.until))
    if case.feedback_until is not None:
        found.append(Deadline(kind=DeadlineKind.END_OF_WINDOW, at=case.feedback_until, waits_for_mail=True))
    if case.due_at is not None and sla.runs(case) and case.overdue_noticed_for != case.due_at:
        if _reminds(process, case, case.due_at):
            effort = process.due.expected_effort if process.due is not None else timedelta(0)
            found.append(Deadline(kind=DeadlineKind.DUE_AT_RISK, at=case.due_at - effort - REMINDER_LEAD))
        found.append(Deadline(kind=DeadlineKind.OVERDUE, at=case.due_at))
    return tuple(sorted(found, key=lambda deadline: (deadline.at, _ORDER[deadline.kind])))


def next_deadline(
    process: Process, case: Case, at: datetime, read_through_at: datetime, *, now: datetime
) -> Deadline | None:
    """The earliest deadline that is due at `at`; one that waits for mail also needs all mail before it to be read.

    `now` is the wall clock: a daemon that was down lives through the past in order, but gives no warning of a due date
    that has passed by now, for the overdue notice comes with it.
    """
    is_overdue = case.due_at is not None and case.due_at <= now
    return next(
        (
            deadline
            for deadline in deadlines(process, case)
            if deadline.at <= at
            and not (deadline.waits_for_mail and deadline.at > read_through_at)
            and not (deadline.kind is DeadlineKind.DUE_AT_RISK and is_overdue)
        ),
        None,
    )


def wake_at(process: Process, case: Case) -> datetime | None:
    """The earliest deadline that does not wait for mail."""
    return next((deadline.at for deadline in deadlines(process, case) if not deadline.waits_for_mail), None)


def window_at(process: Process, case: Case) -> datetime | None:
    """The earliest deadline that waits for mail."""
    return next((deadline.at for deadline in deadlines(process, case) if deadline.waits_for_mail), None)


def _reminds(process: Process, case: Case, due_at: datetime) -> bool:
    """SL-17 with its exceptions: not while somebody works on it, nor in any wait where wait time is added.

    Nor where something happened after the due date: then only the overdue notice makes sense (a case that came back
    overdue from a wait, SL-7).
    """
    is_worked_on = case.status is Status.IN_PROGRESS and case.holder.assignee is not None
    is_excepted = is_worked_on or (case.status is Status.WAITING and sla.adds_wait_time(process))
    return case.at_risk_noticed_for != due_at and case.last_event_at < due_at and not is_excepted
