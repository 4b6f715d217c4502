"""The questions that rows and bars ask: each is one "guard" of the transition table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from mailcase.core import assignment
from mailcase.core.case import ActorId, AttentionCause, Case, Flag, PersonId, WaitType
from mailcase.core.commands import (
    Assign,
    Cancel,
    Command,
    MarkNew,
    ReceiveMail,
    Release,
    Reopen,
    ReportUndelivered,
    SetDue,
    StartWait,
    Take,
    Tick,
)
from mailcase.core.deadlines import DeadlineKind, next_deadline
from mailcase.core.process import Process
from mailcase.core.story import READABLE

#: No due date lies further ahead: working time over centuries would take long to measure, and nobody means it.
DUE_DATE_REACH = timedelta(days=3660)


# People


def is_unknown(process: Process, person_id: ActorId | PersonId) -> bool:
    """AS-5: nobody of the process."""
    return process.person(person_id) is None


def actor_is_unknown(process: Process, _case: Case, command: Command) -> bool:
    """The work would be assigned to whoever asks, and they are nobody it can be assigned to."""
    return is_unknown(process, command.by)


def actor_is_retired(process: Process, _case: Case, command: Command) -> bool:
    """As above, for somebody who has left."""
    return assignment.valid_person(process, command.by) is None


def receiver_is_unknown(process: Process, _case: Case, command: Assign) -> bool:
    """AS-5."""
    return is_unknown(process, command.person)


def receiver_is_retired(process: Process, _case: Case, command: Assign) -> bool:
    """AS-5."""
    return assignment.valid_person(process, command.person) is None


def receiver_has_it(process: Process, case: Case, command: Assign) -> bool:
    """The person is the assignee, or the owner where giving it would make them that."""
    holder = assignment.give(process, case, command.person)
    return (holder.assignee, holder.owner) == (case.holder.assignee, case.holder.owner)


def actor_has_it(_process: Process, case: Case, command: Command) -> bool:
    """The assignee asks."""
    return case.holder.assignee == PersonId(command.by)


def somebody_else_has_it(_process: Process, case: Case, command: Command) -> bool:
    """It is another's (T4, T5, AS-10)."""
    return assignment.keeper(case) not in {None, PersonId(command.by)}


def must_take_over(process: Process, case: Case, command: Take) -> bool:
    """AS-10: taking it from somebody must be meant."""
    return somebody_else_has_it(process, case, command) and not command.take_over


def nobody_has_it(_process: Process, case: Case, _command: Release) -> bool:
    """Nothing to give back."""
    return assignment.keeper(case) is None


def may_take(process: Process, case: Case, command: Command) -> bool:
    """8.35: the answer is work on a case that is nobody else's, by somebody who can have it."""
    is_free = not somebody_else_has_it(process, case, command)
    return process.answer_takes and is_free and assignment.valid_person(process, command.by) is not None


# Problems


def needs_attention(_process: Process, case: Case, _command: Command) -> bool:
    """The flag is up."""
    return case.attention is not None


def is_calm(_process: Process, case: Case, _command: Command) -> bool:
    """The flag is down."""
    return case.attention is None


def may_settle(process: Process, case: Case, command: Command) -> bool:
    """T10, T12 "is owner/assignee", with 8.36."""
    settlers = assignment.settlers(process, case)
    return case.attention is not None and (not settlers or PersonId(command.by) in settlers)


def may_not_settle(process: Process, case: Case, command: Command) -> bool:
    """The flag is up, and others are to take it away."""
    return case.attention is not None and not may_settle(process, case, command)


def is_fate_unknown(_process: Process, _case: Case, command: ReportUndelivered) -> bool:
    """The mail may yet have arrived: no reason to reopen (T31)."""
    return command.cause is AttentionCause.MAIL_UNKNOWN


# Waits


def lacks_reason(_process: Process, _case: Case, command: StartWait) -> bool:
    """T14, 2.8.4."""
    return command.type is WaitType.MORE_INFO and command.reason is None


def names_unknown_reason(process: Process, _case: Case, command: StartWait) -> bool:
    """T14: the reason is chosen from the list (8.18)."""
    is_known = command.reason is not None and process.wait_reason(command.reason) is not None
    return command.type is WaitType.MORE_INFO and not is_known


def lacks_date(_process: Process, _case: Case, command: StartWait) -> bool:
    """T15, 2.8.5."""
    return command.type is WaitType.UNTIL and command.until is None


def is_over_before_it_begins(_process: Process, _case: Case, command: StartWait) -> bool:
    """T15, 2.8.5."""
    return command.type is WaitType.UNTIL and command.until is not None and command.until <= command.at


def has_foreign_detail(_process: Process, _case: Case, command: StartWait) -> bool:
    """A reason or a date that this type of wait does not have."""
    has_reason = command.reason is not None and command.type is not WaitType.MORE_INFO
    has_date = command.until is not None and command.type is not WaitType.UNTIL
    return has_reason or has_date


def is_same_wait(_process: Process, case: Case, command: StartWait) -> bool:
    """It waits for exactly this already, and no problem is to be settled by it (T12)."""
    asked = (command.type, command.reason, command.until)
    wait = case.wait
    return wait is not None and asked == (wait.type, wait.reason, wait.until) and case.attention is None


def is_hold_with_attention(_process: Process, case: Case, command: StartWait) -> bool:
    """T12."""
    return case.attention is not None and command.type is WaitType.ON_HOLD


def asks_information(_process: Process, _case: Case, command: StartWait) -> bool:
    """T14."""
    return command.type is WaitType.MORE_INFO


def asks_until(_process: Process, _case: Case, command: StartWait) -> bool:
    """T15."""
    return command.type is WaitType.UNTIL


def is_on_hold(_process: Process, case: Case, _command: Command) -> bool:
    """ST-4: left only by a person."""
    return case.wait is not None and case.wait.type is WaitType.ON_HOLD


def waits_for_information(_process: Process, case: Case, _command: Command) -> bool:
    """T18."""
    return case.wait is not None and case.wait.type is WaitType.MORE_INFO


# Resolution and its window


def has_window(process: Process, _case: Case, _command: Command) -> bool:
    """ST-20: blank or 0 is no window."""
    return process.feedback_window is not None and process.feedback_window.days > 0


def is_window_over(_process: Process, case: Case, command: Reopen) -> bool:
    """T27, 2.8.14."""
    return case.feedback_until is not None and command.at >= case.feedback_until


def came_too_late(_process: Process, case: Case, command: ReceiveMail) -> bool:
    """T26, ST-23: judged by the arrival, for the mail may have been read much later (docs/decisions/0002)."""
    return case.feedback_until is not None and command.arrived_at >= case.feedback_until


def is_unconfirmed(_process: Process, _case: Case, command: Cancel) -> bool:
    """T29."""
    return not command.is_confirmed


# Flags and due date


def is_nothing_new(_process: Process, case: Case, _command: Command) -> bool:
    """Neither flag that reading takes away is up."""
    return not any(flag in READABLE for flag in case.flags)


def is_new_already(_process: Process, case: Case, _command: MarkNew) -> bool:
    """The flag is up."""
    return Flag.NEW_INFORMATION in case.flags


def is_due_fixed(process: Process, _case: Case, _command: SetDue) -> bool:
    """SL-15. Without a due rule nothing forbids it."""
    return process.due is not None and not process.due.may_override


def is_clock_paused(_process: Process, case: Case, _command: SetDue) -> bool:
    """SL-4: until the clock runs again there is no due date."""
    return case.paused_remaining is not None


def is_due_unchanged(_process: Process, case: Case, command: SetDue) -> bool:
    """The due date is that one."""
    return command.due_at == case.due_at


def is_due_in_past(_process: Process, _case: Case, command: SetDue) -> bool:
    """A due date that nobody could keep."""
    return command.due_at <= command.at


def is_due_too_far(_process: Process, _case: Case, command: SetDue) -> bool:
    """Beyond `DUE_DATE_REACH`."""
    return command.due_at > command.at + DUE_DATE_REACH


# Time


def has_come(kind: DeadlineKind) -> Callable[[Process, Case, Tick], bool]:
    """The earliest deadline that has come is of this kind."""

    def is_earliest(process: Process, case: Case, command: Tick) -> bool:
        deadline = next_deadline(process, case, command.at, command.read_through_at, now=command.now)
        return deadline is not None and deadline.kind is kind

    return is_earliest
