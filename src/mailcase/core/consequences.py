"""What follows from each row of the table: the columns "assignee", "highlight", "SLA" and "record" of spec 2.3.

Each function tells one story in the order in which the timeline shows it: what happened, the status, the flags, the
clock, who has it.
"""

from __future__ import annotations

from datetime import datetime
from typing import cast

from mailcase.core import assignment
from mailcase.core.case import AttentionCause, Flag, PersonId, ReopeningCause, Status, StatusReason, Wait
from mailcase.core.commands import (
    AddNote,
    Assign,
    Cancel,
    Command,
    FileMail,
    LinkCase,
    MarkNew,
    MarkRead,
    OpenCase,
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
from mailcase.core.events import (
    AnswerSent,
    CaseLinked,
    DeliveryFailed,
    DueAtRisk,
    DueMissed,
    DueOverridden,
    MailAppended,
    MailFiled,
    NoteAdded,
)
from mailcase.core.story import Story

#: The rule of the event by which a person gives a case to another one, and takes it away.
ASSIGNED_BY_HAND = "AS-2"
RELEASED = "AS-11"


def change_nothing(_story: Story, _command: Command) -> None:
    """Nothing on the case."""


# Work begins


def open_from_mail(story: Story, _command: OpenCase) -> None:
    """T3."""
    story.raise_flag(Flag.NEW_INFORMATION)
    story.start_clock()
    story.place()


def open_by_hand(story: Story, _command: OpenCase) -> None:
    """T1."""
    story.place()


def submit(story: Story, _command: Submit) -> None:
    """T2. What came for the draft meanwhile has been seen by whoever submits it, and it goes on as any new work."""
    story.change_status(Status.TO_DO, StatusReason.NEWLY_CREATED)
    story.update_by_hand()
    story.start_clock()
    story.place()


def progress(story: Story, _command: Take | SetInProgress) -> None:
    """T4, T5."""
    story.change_status(Status.IN_PROGRESS, StatusReason.UPDATED_BY_RESOURCE)
    story.update_by_hand()
    story.take(PersonId(story.by))


def settle_and_progress(story: Story, _command: Take | SetInProgress) -> None:
    """T10. The case may be in progress already, in the hands of somebody who took it over with the flag up."""
    if story.case.status is not Status.IN_PROGRESS:
        story.change_status(Status.IN_PROGRESS, StatusReason.UPDATED_BY_RESOURCE)
    story.clear_flags(Flag.NEEDS_ATTENTION)
    story.update_by_hand()
    story.take(PersonId(story.by))


def take_over(story: Story, _command: Take) -> None:
    """AS-10 on a case in progress: another person goes on with it."""
    story.update_by_hand()
    story.take(PersonId(story.by))


def end_wait_in_progress(story: Story, _command: SetInProgress) -> None:
    """T21. Work by hand: it is whoever begins it who has it, as in T5 (8.1)."""
    story.change_status(Status.IN_PROGRESS, StatusReason.UPDATED_BY_RESOURCE)
    story.clear_flags(Flag.NEEDS_ATTENTION, rule="T10")
    _end_wait(story)
    story.take(PersonId(story.by))


def end_wait_to_do(story: Story, _command: SetToDo) -> None:
    """T21. Nobody begins to work, so AS-4 chooses, normally the owner."""
    story.change_status(Status.TO_DO, StatusReason.UPDATED_BY_RESOURCE)
    _end_wait(story)
    story.place()


# Work is given back or away


def undo_progress(story: Story, _command: SetToDo) -> None:
    """T7."""
    story.change_status(Status.TO_DO, StatusReason.UPDATED_BY_RESOURCE)
    story.update_by_hand()
    story.give_back("AS-1")


def hand_over(story: Story, command: Assign) -> None:
    """T6 to another person."""
    story.change_status(Status.TO_DO, StatusReason.UPDATED_BY_RESOURCE)
    assign(story, command)


def assign(story: Story, command: Assign) -> None:
    """AS-11: in every status but closed, and the status stays."""
    holder = assignment.give(story.process, story.case, command.person)
    story.hand_to(holder, ASSIGNED_BY_HAND, command.note)


def return_to_queue(story: Story, _command: Release) -> None:
    """T6 to the queue."""
    story.change_status(Status.TO_DO, StatusReason.UPDATED_BY_RESOURCE)
    story.give_back(RELEASED)


def release(story: Story, _command: Release) -> None:
    """AS-11."""
    story.give_back(RELEASED)


# Waits


def wait(story: Story, command: StartWait) -> None:
    """T12, T14-T17. Another reason or date does not make a wait begin again, another type does."""
    earlier = story.case.wait
    goes_on = earlier is not None and earlier.type is command.type
    begun = Wait(
        type=command.type,
        reason=command.reason,
        until=command.until,
        since=earlier.since if earlier is not None and goes_on else command.at,
    )
    if begun != earlier:
        story.change_status(Status.WAITING, StatusReason.UPDATED_BY_RESOURCE, begun)
    story.clear_flags(*Flag)
    story.settle_clock()
    story.place()


def end_wait_by_mail(story: Story, command: ReceiveMail) -> None:
    """T18: the answer came."""
    _append(story, command)
    story.change_status(Status.TO_DO, StatusReason.NEW_INFORMATION_RECEIVED)
    story.raise_flag(Flag.NEW_INFORMATION)
    story.settle_clock()
    story.place()


def end_wait_by_time(story: Story, _command: Tick) -> None:
    """T20."""
    story.change_status(Status.TO_DO, StatusReason.SCHEDULE_DATE_AND_TIME_REACHED)
    story.raise_flag(Flag.WAIT_ENDED)
    story.place()


def _end_wait(story: Story) -> None:
    """What T21 has in common: the news is seen, the end of the wait is shown, the clock runs."""
    story.update_by_hand()
    story.raise_flag(Flag.WAIT_ENDED)
    story.settle_clock()


# Work ends, and may begin again


def resolve(story: Story, command: Resolve) -> None:
    """T24."""
    _resolve(story, command, Status.RESOLVED)


def resolve_for_good(story: Story, command: Resolve) -> None:
    """T25: without a window nothing can reopen it."""
    _resolve(story, command, Status.CLOSED)


def _resolve(story: Story, command: Resolve, after: Status) -> None:
    story.change_status(after, StatusReason.COMPLETED)
    story.resolve(command.method)
    story.clear_flags(*Flag)
    story.place()


def close(story: Story, _command: Tick) -> None:
    """T28."""
    story.change_status(Status.CLOSED, StatusReason.FEEDBACK_WINDOW_PASSED)
    story.place()


def cancel(story: Story, _command: Cancel) -> None:
    """T29."""
    story.change_status(Status.CLOSED, StatusReason.CANCELLED)
    story.clear_flags(*Flag)
    story.place()


def reopen(story: Story, _command: Reopen) -> None:
    """T27. The due date stands as it was (SL-13)."""
    story.change_status(Status.TO_DO, StatusReason.REOPENED_BY_RESOURCE)
    story.reopen(ReopeningCause.PERSON)
    story.place()


def reopen_by_mail(story: Story, command: ReceiveMail) -> None:
    """T26."""
    _append(story, command)
    story.change_status(Status.TO_DO, StatusReason.NEW_INFORMATION_RECEIVED)
    story.reopen(ReopeningCause.MAIL)
    story.raise_flag(Flag.NEW_INFORMATION)
    story.place()


# Problems


def flag_problem(story: Story, command: RaiseAttention) -> None:
    """T9p: shown, and still on hold."""
    story.raise_attention(AttentionCause.BY_HAND, command.text)
    story.place()


def stop_for_problem(story: Story, command: RaiseAttention) -> None:
    """T9."""
    _stop(story, StatusReason.NEEDS_ATTENTION)
    story.raise_attention(AttentionCause.BY_HAND, command.text)
    story.place()


def record_failure(story: Story, command: ReportUndelivered) -> None:
    """On the timeline only."""
    story.record(DeliveryFailed(at=story.at, by=story.by, rule=story.rule, mail=command.mail))


def flag_undelivered(story: Story, command: ReportUndelivered) -> None:
    """T9p."""
    record_failure(story, command)
    story.raise_attention(command.cause, None)
    story.place()


def stop_for_undelivered(story: Story, command: ReportUndelivered) -> None:
    """T9."""
    record_failure(story, command)
    _stop(story, StatusReason.MAIL_UNDELIVERABLE)
    story.raise_attention(command.cause, None)
    story.place()


def reopen_undelivered(story: Story, command: ReportUndelivered) -> None:
    """T31."""
    record_failure(story, command)
    story.change_status(Status.TO_DO, StatusReason.MAIL_UNDELIVERABLE)
    story.reopen(ReopeningCause.MAIL_UNDELIVERABLE)
    story.raise_attention(command.cause, None)
    story.place()


def _stop(story: Story, reason: StatusReason) -> None:
    """Back to to-do, out of a wait too; the clock runs."""
    if story.case.status is not Status.TO_DO:
        story.change_status(Status.TO_DO, reason)
    story.settle_clock()


# Mail


def append_mail(story: Story, command: ReceiveMail) -> None:
    """T22, T23: the status stays, the news is shown (8.34)."""
    _append(story, command)
    story.raise_flag(Flag.NEW_INFORMATION)
    story.place()


def _append(story: Story, command: ReceiveMail) -> None:
    story.record(
        MailAppended(
            at=story.at,
            by=story.by,
            rule=story.rule,
            mail=command.mail,
            party=command.party,
            mailbox=command.mailbox,
        )
    )


def file_mail(story: Story, command: FileMail) -> None:
    """8.12: on the record, nothing changes."""
    story.record(MailFiled(at=story.at, by=story.by, rule=story.rule, mail=command.mail, mailbox=command.mailbox))


def answer(story: Story, command: SendAnswer) -> None:
    """AS-9: anybody may write; a person's answer shows that the news has been seen (AS-7)."""
    story.record(AnswerSent(at=story.at, by=story.by, rule=story.rule, mail=command.mail))
    acknowledge(story)


def answer_and_progress(story: Story, command: SendAnswer) -> None:
    """8.35: to begin to work is to take it (T4)."""
    story.record(AnswerSent(at=story.at, by=story.by, rule=story.rule, mail=command.mail))
    story.change_status(Status.IN_PROGRESS, StatusReason.UPDATED_BY_RESOURCE)
    story.update_by_hand()
    story.take(PersonId(story.by))


# Flags, remarks, links, due date


def mark_read(story: Story, _command: MarkRead) -> None:
    """AS-7."""
    acknowledge(story)


def mark_new(story: Story, _command: MarkNew) -> None:
    """AS-7."""
    story.raise_flag(Flag.NEW_INFORMATION)
    story.place()


def note(story: Story, command: AddNote) -> None:
    """AS-9, 8.15."""
    story.record(
        NoteAdded(at=story.at, by=story.by, rule=story.rule, text=command.text, is_unproved=command.is_unproved)
    )


def link(story: Story, command: LinkCase) -> None:
    """EM-25, EM-30, 8.37. The same link again is none."""
    if command.link not in story.case.links:
        story.record(CaseLinked(at=story.at, by=story.by, rule=story.rule, link=command.link))


def override_due(story: Story, command: SetDue) -> None:
    """SL-15; without a due rule it is how a case gets a due date."""
    story.record(DueOverridden(at=story.at, by=story.by, rule=story.rule, due_at=command.due_at))
    acknowledge(story)


def acknowledge(story: Story) -> None:
    """The news is seen; who has the case is looked at anew only if there was any (ST-9)."""
    seen = len(story.events)
    story.update_by_hand()
    if len(story.events) > seen:
        story.place(is_acknowledgement=True)


# Time


def remind(story: Story, _command: Tick) -> None:
    """SL-17."""
    story.record(DueAtRisk(at=story.at, by=story.by, rule=story.rule, due_at=_due_at(story)))


def miss(story: Story, _command: Tick) -> None:
    """SL-15: each miss stands on the timeline."""
    story.record(DueMissed(at=story.at, by=story.by, rule=story.rule, due_at=_due_at(story)))


def _due_at(story: Story) -> datetime:
    """The due date; both rows come only where there is one."""
    return cast(datetime, story.case.due_at)
