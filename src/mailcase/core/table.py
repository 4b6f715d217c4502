"""The transition table (spec 2.3, 2.8) as the engine runs it, per command: the first rule that fits answers.

A row says where from, where to and what follows; a bar says why not. Every pair of status and command is answered by
one of them. T8, T11, T13 and T19 belong to steps, actions and robots, which do not exist here.
"""

from __future__ import annotations

from mailcase.core import consequences as then
from mailcase.core import guards as when
from mailcase.core.case import Origin, Status
from mailcase.core.commands import (
    AddNote,
    Assign,
    Cancel,
    FileMail,
    LinkCase,
    MarkNew,
    MarkRead,
    RaiseAttention,
    ReceiveMail,
    Release,
    Reopen,
    ReportUndelivered,
    Resolve,
    SendAnswer,
    SetDue,
    SetInProgress,
    SetToDo,
    StartWait,
    Submit,
    Take,
    Tick,
)
from mailcase.core.deadlines import DeadlineKind
from mailcase.core.refusal import Reason
from mailcase.core.rules import EVERY_STATUS, OPEN, Opening, Rule, bar, row

_DRAFT = Status.DRAFT
_TO_DO = Status.TO_DO
_IN_PROGRESS = Status.IN_PROGRESS
_WAITING = Status.WAITING
_RESOLVED = Status.RESOLVED
_CLOSED = Status.CLOSED
_IN_WORK = OPEN | {_WAITING}
_NOT_CLOSED = EVERY_STATUS - {_CLOSED}

#: How a case begins, by its origin (ST-1).
OPENINGS = {
    Origin.MANUAL: Opening(id="T1", target=_DRAFT, then=then.open_by_hand),
    Origin.EMAIL: Opening(id="T3", target=_TO_DO, then=then.open_from_mail),
}

#: ST-5: closed is final for all of these; links may still be recorded, and time and late bounces find nothing to do.
_FINAL: tuple[Rule, ...] = tuple(
    bar("ST-5", command, _CLOSED, Reason.CLOSED_IS_FINAL)
    for command in (
        Submit,
        Take,
        SetInProgress,
        SetToDo,
        Assign,
        Release,
        StartWait,
        Resolve,
        Reopen,
        Cancel,
        RaiseAttention,
        SetDue,
        MarkRead,
        MarkNew,
        AddNote,
        SendAnswer,
        ReceiveMail,
        FileMail,
    )
)

TABLE: tuple[Rule, ...] = (
    *_FINAL,
    # Work begins.
    row("T2", Submit, _DRAFT, _TO_DO, then.submit),
    bar("2.8.1", Submit, _NOT_CLOSED, Reason.IS_SUBMITTED),
    bar("2.8.2", Take, _DRAFT, Reason.IS_DRAFT),
    bar("2.8.10", Take, _RESOLVED, Reason.IS_RESOLVED),
    bar("2.8.20", Take, _WAITING, Reason.IS_WAITING),
    bar("AS-5", Take, OPEN, Reason.PERSON_UNKNOWN, when.actor_is_unknown),
    bar("AS-5", Take, OPEN, Reason.PERSON_RETIRED, when.actor_is_retired),
    bar("AS-10", Take, OPEN, Reason.SOMEBODY_ELSE_HAS_IT, when.must_take_over),
    row("T10", Take, _TO_DO, _IN_PROGRESS, then.settle_and_progress, when.may_settle),
    # Somebody new may begin to work on a case that needs attention; the flag stays until the problem is settled.
    row("T4", Take, _TO_DO, _IN_PROGRESS, then.progress),
    bar("2.8.20", Take, _IN_PROGRESS, Reason.NOTHING_WOULD_CHANGE, when.actor_has_it),
    row("AS-10", Take, _IN_PROGRESS, None, then.take_over),
    bar("2.8.2", SetInProgress, _DRAFT, Reason.IS_DRAFT),
    bar("2.8.10", SetInProgress, _RESOLVED, Reason.IS_RESOLVED),
    bar("AS-5", SetInProgress, _IN_WORK, Reason.PERSON_UNKNOWN, when.actor_is_unknown),
    bar("AS-5", SetInProgress, _IN_WORK, Reason.PERSON_RETIRED, when.actor_is_retired),
    bar("2.8.20", SetInProgress, _IN_PROGRESS, Reason.NOTHING_WOULD_CHANGE, when.is_calm),
    bar("T5", SetInProgress, OPEN, Reason.SOMEBODY_ELSE_HAS_IT, when.somebody_else_has_it),
    bar("T10", SetInProgress, _IN_WORK, Reason.NOT_YOURS_TO_SETTLE, when.may_not_settle),
    row("T10", SetInProgress, OPEN, _IN_PROGRESS, then.settle_and_progress, when.needs_attention),
    row("T5", SetInProgress, _TO_DO, _IN_PROGRESS, then.progress),
    row("T21", SetInProgress, _WAITING, _IN_PROGRESS, then.end_wait_in_progress),
    # Work is given back or away.
    bar("2.8.2", SetToDo, _DRAFT, Reason.IS_DRAFT),
    bar("2.8.10", SetToDo, _RESOLVED, Reason.IS_RESOLVED),
    bar("2.8.20", SetToDo, _TO_DO, Reason.NOTHING_WOULD_CHANGE),
    row("T7", SetToDo, _IN_PROGRESS, _TO_DO, then.undo_progress),
    row("T21", SetToDo, _WAITING, _TO_DO, then.end_wait_to_do),
    bar("AS-5", Assign, _NOT_CLOSED, Reason.PERSON_UNKNOWN, when.receiver_is_unknown),
    bar("AS-5", Assign, _NOT_CLOSED, Reason.PERSON_RETIRED, when.receiver_is_retired),
    bar("2.8.20", Assign, _NOT_CLOSED, Reason.NOTHING_WOULD_CHANGE, when.receiver_has_it),
    row("T6", Assign, _IN_PROGRESS, _TO_DO, then.hand_over),
    row("AS-2", Assign, _NOT_CLOSED, None, then.assign),
    bar("AS-11", Release, _NOT_CLOSED, Reason.NOBODY_HAS_IT, when.nobody_has_it),
    row("T6", Release, _IN_PROGRESS, _TO_DO, then.return_to_queue),
    row("AS-11", Release, _NOT_CLOSED, None, then.release),
    # Waits. A wait without a type (2.8.3) cannot even be asked for.
    bar("2.8.2", StartWait, _DRAFT, Reason.IS_DRAFT),
    bar("2.8.10", StartWait, _RESOLVED, Reason.IS_RESOLVED),
    bar("2.8.4", StartWait, _IN_WORK, Reason.WAIT_REASON_MISSING, when.lacks_reason),
    bar("2.8.4", StartWait, _IN_WORK, Reason.WAIT_REASON_UNKNOWN, when.names_unknown_reason),
    bar("2.8.5", StartWait, _IN_WORK, Reason.WAIT_DATE_MISSING, when.lacks_date),
    bar("2.8.5", StartWait, _IN_WORK, Reason.DATE_IN_PAST, when.is_over_before_it_begins),
    bar("2.8.20", StartWait, _IN_WORK, Reason.WAIT_DETAIL_UNWANTED, when.has_foreign_detail),
    bar("2.8.20", StartWait, _WAITING, Reason.NOTHING_WOULD_CHANGE, when.is_same_wait),
    bar("T12", StartWait, _IN_WORK, Reason.NOT_YOURS_TO_SETTLE, when.may_not_settle),
    row("T12", StartWait, _IN_WORK, _WAITING, then.wait, when.is_hold_with_attention),
    row("T17", StartWait, _WAITING, _WAITING, then.wait),
    row("T14", StartWait, OPEN, _WAITING, then.wait, when.asks_information),
    row("T15", StartWait, OPEN, _WAITING, then.wait, when.asks_until),
    row("T16", StartWait, OPEN, _WAITING, then.wait),
    # Work ends, and may begin again.
    bar("2.8.2", Resolve, _DRAFT, Reason.IS_DRAFT),
    bar("2.8.13", Resolve, _WAITING, Reason.IS_WAITING),
    bar("2.8.20", Resolve, _RESOLVED, Reason.NOTHING_WOULD_CHANGE),
    # The end of the work is said by whoever has it, and a problem is not ended past those who are to settle it.
    bar("AS-10", Resolve, OPEN, Reason.SOMEBODY_ELSE_HAS_IT, when.somebody_else_has_it),
    bar("8.36", Resolve, OPEN, Reason.NOT_YOURS_TO_SETTLE, when.may_not_settle),
    row("T24", Resolve, OPEN, _RESOLVED, then.resolve, when.has_window),
    row("T25", Resolve, OPEN, _CLOSED, then.resolve_for_good),
    bar("2.8.14", Reopen, _RESOLVED, Reason.WINDOW_OVER, when.is_window_over),
    row("T27", Reopen, _RESOLVED, _TO_DO, then.reopen),
    bar("2.8.20", Reopen, _NOT_CLOSED, Reason.NOT_RESOLVED),
    bar("2.8.11", Cancel, _RESOLVED, Reason.RESOLVED_CLOSES_BY_ITSELF),
    # Before the confirmation, so that a refusal says what really is in the way.
    bar("AS-10", Cancel, _NOT_CLOSED, Reason.SOMEBODY_ELSE_HAS_IT, when.somebody_else_has_it),
    bar("8.36", Cancel, _NOT_CLOSED, Reason.NOT_YOURS_TO_SETTLE, when.may_not_settle),
    bar("T29", Cancel, _NOT_CLOSED, Reason.NOT_CONFIRMED, when.is_unconfirmed),
    row("T29", Cancel, _NOT_CLOSED, _CLOSED, then.cancel),
    # Problems.
    bar("2.8.2", RaiseAttention, _DRAFT, Reason.IS_DRAFT),
    bar("2.8.10", RaiseAttention, _RESOLVED, Reason.IS_RESOLVED),
    row("T9p", RaiseAttention, _WAITING, None, then.flag_problem, when.is_on_hold),
    row("T9", RaiseAttention, _IN_WORK, _TO_DO, then.stop_for_problem),
    row("T31", ReportUndelivered, frozenset({_DRAFT, _CLOSED}), None, then.change_nothing),
    row("T31", ReportUndelivered, _RESOLVED, None, then.change_nothing, when.is_fate_unknown),
    row("T31", ReportUndelivered, _RESOLVED, _TO_DO, then.reopen_undelivered),
    row("T9p", ReportUndelivered, _WAITING, None, then.flag_undelivered, when.is_on_hold),
    row("T9", ReportUndelivered, _IN_WORK, _TO_DO, then.stop_for_undelivered),
    # Mail.
    bar("2.8.14", ReceiveMail, _RESOLVED, Reason.WINDOW_OVER, when.came_too_late),
    row("T26", ReceiveMail, _RESOLVED, _TO_DO, then.reopen_by_mail),
    row("T18", ReceiveMail, _WAITING, _TO_DO, then.end_wait_by_mail, when.waits_for_information),
    row("T22", ReceiveMail, _WAITING, None, then.append_mail),
    row("T23", ReceiveMail, OPEN | {_DRAFT}, None, then.append_mail),
    row("8.12", FileMail, _NOT_CLOSED, None, then.file_mail),
    # To answer is to begin to work (8.35).
    row("T4", SendAnswer, _TO_DO, _IN_PROGRESS, then.answer_and_progress, when.may_take),
    row("AS-9", SendAnswer, _NOT_CLOSED, None, then.answer),
    # Flags, remarks, links, due date.
    bar("2.8.20", MarkRead, _NOT_CLOSED, Reason.NOTHING_WOULD_CHANGE, when.is_nothing_new),
    row("AS-7", MarkRead, _NOT_CLOSED, None, then.mark_read),
    bar("2.8.10", MarkNew, _RESOLVED, Reason.IS_RESOLVED),
    bar("2.8.20", MarkNew, _NOT_CLOSED, Reason.NOTHING_WOULD_CHANGE, when.is_new_already),
    row("AS-7", MarkNew, _NOT_CLOSED, None, then.mark_new),
    row("AS-9", AddNote, _NOT_CLOSED, None, then.note),
    row("EM-25", LinkCase, EVERY_STATUS, None, then.link),
    bar("SL-3", SetDue, _DRAFT, Reason.CLOCK_STOPPED),
    bar("T24", SetDue, _RESOLVED, Reason.CLOCK_STOPPED),
    bar("SL-15", SetDue, _IN_WORK, Reason.DUE_DATE_FIXED, when.is_due_fixed),
    bar("SL-4", SetDue, _WAITING, Reason.CLOCK_PAUSED, when.is_clock_paused),
    bar("2.8.20", SetDue, _IN_WORK, Reason.NOTHING_WOULD_CHANGE, when.is_due_unchanged),
    bar("SL-15", SetDue, _IN_WORK, Reason.DATE_IN_PAST, when.is_due_in_past),
    bar("SL-15", SetDue, _IN_WORK, Reason.DATE_TOO_FAR, when.is_due_too_far),
    row("SL-15", SetDue, _IN_WORK, None, then.override_due),
    # Time passes: one tick, one deadline, the earliest first.
    row("T20", Tick, _WAITING, _TO_DO, then.end_wait_by_time, when.has_come(DeadlineKind.FOLLOW_UP)),
    row("T28", Tick, _RESOLVED, _CLOSED, then.close, when.has_come(DeadlineKind.END_OF_WINDOW)),
    row("SL-17", Tick, _IN_WORK, None, then.remind, when.has_come(DeadlineKind.DUE_AT_RISK)),
    row("SL-15", Tick, _IN_WORK, None, then.miss, when.has_come(DeadlineKind.OVERDUE)),
    row("2.8.11", Tick, EVERY_STATUS, None, then.change_nothing),
)
