"""Who has the case: AS-1...AS-11 with the readings of section 8."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.core.desk import (
    ANN,
    BOB,
    DAY,
    HOUR,
    OLD,
    PROCESS,
    SUPPORT,
    ZOE,
    Desk,
    closed,
    details,
    draft,
    holder,
    in_progress,
    mailed,
    outgoing,
    resolved,
    submitted,
    waiting,
    who,
)

from mailcase.core import assignment
from mailcase.core.case import SYSTEM, Flag, PersonId, Status, TextId, WaitType
from mailcase.core.commands import (
    AddNote,
    Assign,
    FileMail,
    MarkNew,
    MarkRead,
    RaiseAttention,
    Release,
    Resolve,
    SendAnswer,
    SetDue,
    SetInProgress,
    SetToDo,
    StartWait,
    Submit,
    Take,
)

INFO, UNTIL, HOLD = WaitType.MORE_INFO, WaitType.UNTIL, WaitType.ON_HOLD
ALLOCATED = replace(PROCESS, allocation=(OLD, ZOE, BOB))


def test_as_4_allocation_gives_a_new_case_to_its_first_valid_person() -> None:
    """T3, AS-5: one has left, one is unknown."""
    desk = mailed(ALLOCATED)

    assert who(desk.case) == holder(BOB, queue=True)
    assert not desk.case.holder.by_hand


def test_as_1_an_assignee_by_rule_becomes_owner_once_the_news_is_read() -> None:
    """AS-8; the queue stays, so that others can take it (8.31)."""
    desk = mailed(ALLOCATED)

    desk.do(MarkRead, ANN)

    assert who(desk.case) == holder(None, BOB, queue=True)


def test_as_2_an_assignee_by_hand_stays_when_the_news_is_read() -> None:
    desk = in_progress()
    desk.mail()

    desk.do(MarkRead, BOB)

    assert who(desk.case) == holder(ANN)


def test_as_2_an_assignment_by_hand_survives_the_submission() -> None:
    desk = draft()
    desk.do(Assign, person=BOB)
    assert (desk.case.status, who(desk.case)) == (Status.DRAFT, holder(BOB))

    desk.do(Submit)

    assert (desk.case.status, who(desk.case)) == (Status.TO_DO, holder(BOB))


def test_t2_as_7_a_draft_that_got_mail_is_free_to_take_once_it_is_submitted() -> None:
    desk = draft()
    desk.mail()
    assert desk.case.is_highlighted

    desk.do(Submit)

    assert (who(desk.case), desk.case.flags) == (holder(owner=ANN, queue=True), ())


def test_8_30_whoever_sets_the_wait_owns_the_case() -> None:
    """AS-4, 4: the last user who updated it."""
    desk = in_progress()

    desk.do(StartWait, BOB, type=HOLD)

    assert who(desk.case) == holder(None, BOB)


def test_as_4_an_owner_stays_the_owner() -> None:
    desk = submitted()

    desk.do(StartWait, BOB, type=HOLD)

    assert who(desk.case) == holder(None, ANN)


def test_as_4_an_owner_who_left_makes_room_for_the_next_person() -> None:
    """AS-5, when the answer comes."""
    desk = waiting(INFO)
    desk.do(SendAnswer, BOB, mail=outgoing())
    left = tuple(replace(person, is_retired=person.id != BOB) for person in desk.process.people)
    desk.process = replace(desk.process, people=left)

    desk.mail()

    assert who(desk.case) == holder(BOB, queue=True)


def test_as_4_whoever_started_the_case_is_the_last_resort() -> None:
    """AS-4, 6."""
    desk = draft()
    desk.do(Release)

    desk.mail()

    assert who(desk.case) == holder(ANN, queue=True)


def test_8_34_news_in_a_wait_is_in_the_inbox_until_it_is_read() -> None:
    """T22; whoever reads it, it rests with its owner again."""
    desk = waiting(UNTIL)
    desk.mail()
    assert assignment.lists(desk.case) == ("inbox",)
    assert assignment.list_holder(desk.case) == ANN

    desk.do(MarkRead, BOB)

    assert who(desk.case) == holder(None, ANN)
    assert assignment.lists(desk.case) == ("owned",)


def test_8_35_an_answer_takes_a_case_that_nobody_has() -> None:
    desk = mailed()

    desk.do(SendAnswer, BOB, mail=outgoing())

    assert (desk.case.status, who(desk.case), desk.case.flags) == (Status.IN_PROGRESS, holder(BOB), ())


def test_8_35_an_answer_begins_the_work_that_one_was_given() -> None:
    desk = mailed()
    desk.do(Assign, person=BOB)

    desk.do(SendAnswer, BOB, mail=outgoing())

    assert (desk.case.status, who(desk.case)) == (Status.IN_PROGRESS, holder(BOB))


def test_8_35_an_answer_changes_no_assignment_of_somebody_else() -> None:
    desk = mailed()
    desk.do(Assign, person=ANN)

    desk.do(SendAnswer, BOB, mail=outgoing())

    assert (desk.case.status, who(desk.case), desk.case.flags) == (Status.TO_DO, holder(ANN), ())


@pytest.mark.parametrize("by", [ZOE, OLD, SYSTEM])
def test_8_35_an_answer_of_nobody_here_takes_nothing(by: str) -> None:
    desk = mailed()

    desk.do(SendAnswer, by, mail=outgoing())  # type: ignore[arg-type]  # parametrized

    assert desk.case.status is Status.TO_DO


def test_8_35_the_setting_turns_it_off() -> None:
    desk = mailed(replace(PROCESS, answer_takes=False))

    desk.do(SendAnswer, BOB, mail=outgoing())

    assert (desk.case.status, desk.case.flags) == (Status.TO_DO, ())


def test_as_6_an_unread_case_without_a_person_is_in_the_inbox_of_its_queue() -> None:
    desk = mailed()

    assert assignment.lists(desk.case) == ("inbox",)
    assert assignment.list_holder(desk.case) == SUPPORT


def test_as_6_read_and_free_it_is_owned_by_its_queue() -> None:
    """No case is shown nowhere."""
    desk = mailed()
    desk.do(MarkRead, ANN)

    assert who(desk.case) == holder(queue=True)
    assert assignment.lists(desk.case) == ("owned",)
    assert assignment.list_holder(desk.case) == SUPPORT


def test_as_6_a_closed_case_is_in_no_list() -> None:
    assert assignment.lists(closed().case) == ()
    assert assignment.list_holder(closed().case) is None


def test_as_10_a_person_takes_over_work_in_progress() -> None:
    desk = in_progress()

    desk.do(Take, BOB, take_over=True)

    assert (desk.case.status, who(desk.case)) == (Status.IN_PROGRESS, holder(BOB))


def test_as_10_a_person_takes_over_work_that_another_was_given() -> None:
    desk = mailed()
    desk.do(Assign, person=ANN)

    desk.do(Take, BOB, take_over=True)

    assert (desk.case.status, who(desk.case)) == (Status.IN_PROGRESS, holder(BOB))


def test_as_11_a_released_draft_is_found_in_its_queue() -> None:
    desk = draft()

    desk.do(Release)

    assert (desk.case.status, who(desk.case)) == (Status.DRAFT, holder(queue=True))
    assert assignment.lists(desk.case) == ("inbox",)


@pytest.mark.parametrize("desk", [waiting(HOLD), resolved()], ids=["waiting", "resolved"])
def test_as_11_a_resting_case_loses_its_owner(desk: Desk) -> None:
    """AS-11: release clears likewise; the queue keeps it in sight."""
    desk.do(Release)

    assert who(desk.case) == holder(queue=True)
    assert assignment.lists(desk.case) == ("owned",)


@pytest.mark.parametrize("desk", [waiting(INFO), resolved()], ids=["waiting", "resolved"])
def test_a_resting_case_is_given_to_its_next_owner(desk: Desk) -> None:
    """AS-11."""
    desk.do(Assign, person=BOB)

    assert who(desk.case) == holder(None, BOB)


def test_a_resting_case_with_news_is_given_to_be_read() -> None:
    desk = waiting(HOLD)
    desk.mail()

    desk.do(Assign, person=BOB)
    assert who(desk.case) == holder(BOB, queue=True)
    desk.do(MarkRead, BOB)

    assert who(desk.case) == holder(None, BOB)


def test_a_released_highlighted_case_is_free_in_its_queue() -> None:
    """It is not given back at once to whom AS-4 would choose."""
    desk = in_progress()
    desk.mail()

    desk.do(Release)

    assert (desk.case.status, who(desk.case)) == (Status.TO_DO, holder(queue=True))


def test_as_7_what_clears_the_news_and_what_does_not() -> None:
    clearing: dict[type[Any], dict[str, Any]] = {
        Take: {},
        SetInProgress: {},
        StartWait: {"type": HOLD},
        Resolve: {},
        SetDue: {"due_at": Desk().now + DAY},
        SendAnswer: {"mail": outgoing()},
        MarkRead: {},
    }
    keeping: dict[type[Any], dict[str, Any]] = {
        AddNote: {"text": TextId(1)},
        Assign: {"person": PersonId(BOB)},
        RaiseAttention: {},
        FileMail: {"mail": 3, "mailbox": "support"},
    }
    for kind, given in clearing.items():
        desk = mailed()
        desk.do(kind, **given)
        assert not desk.case.new_information, kind
    for kind, given in keeping.items():
        desk = mailed()
        desk.do(kind, **given)
        assert desk.case.new_information, kind


def test_as_7_the_news_can_be_marked_again_by_hand() -> None:
    desk = in_progress()

    desk.do(MarkNew)

    assert desk.case.flags == (Flag.NEW_INFORMATION,)


def test_reading_takes_note_of_an_ended_wait() -> None:
    desk = waiting(UNTIL)
    desk.wait_for(2 * DAY)
    assert desk.case.flags == (Flag.WAIT_ENDED,)

    desk.do(MarkRead)

    assert not desk.case.flags
    assert who(desk.case) == holder(None, ANN, queue=True)


def test_a_second_mail_on_unread_news_is_one_more_mail_and_no_more() -> None:
    desk = mailed()
    before = desk.case

    desk.mail()

    assert desk.case == replace(before, version=before.version + 1)


def with_problem() -> Desk:
    """Ann has it, and Bob found a problem."""
    desk = in_progress()
    desk.do(RaiseAttention, BOB, text=TextId(3))
    return desk


def test_8_36_whoever_had_it_may_settle_it_after_others_got_it() -> None:
    desk = with_problem()
    desk.do(Assign, person=BOB)

    desk.do(Take, ANN, take_over=True)

    assert (desk.case.status, desk.case.flags, who(desk.case)) == (Status.IN_PROGRESS, (), holder(ANN))


def test_8_36_the_owner_at_that_time_has_the_say() -> None:
    desk = submitted()

    desk.do(RaiseAttention, BOB)

    assert desk.case.attention is not None
    assert desk.case.attention.settler == ANN
    assert who(desk.case) == holder(ANN, queue=True)


def test_8_36_a_second_problem_leaves_the_say_where_it_was() -> None:
    desk = with_problem()
    desk.do(Assign, person=BOB)

    desk.do(RaiseAttention, BOB, text=TextId(4))

    assert desk.case.attention is not None
    assert (desk.case.attention.settler, desk.case.attention.text) == (ANN, TextId(4))


def test_t4_whoever_takes_it_over_keeps_the_flag_and_may_then_settle_it() -> None:
    desk = with_problem()

    desk.do(Take, BOB, take_over=True)
    assert (desk.case.status, desk.case.flags) == (Status.IN_PROGRESS, (Flag.NEEDS_ATTENTION,))
    desk.do(SetInProgress, BOB)

    assert (desk.case.flags, who(desk.case)) == ((), holder(BOB))


def test_a_problem_that_nobody_had_is_for_anybody() -> None:
    desk = mailed()
    desk.do(RaiseAttention, ANN)

    desk.do(SetInProgress, BOB)

    assert (desk.case.status, desk.case.flags) == (Status.IN_PROGRESS, ())


@pytest.mark.parametrize("wait", WaitType)
def test_t12_every_wait_of_the_owner_settles_the_problem(wait: WaitType) -> None:
    desk = with_problem()

    desk.do(StartWait, **details(wait, desk.now))

    assert (desk.case.status, desk.case.flags) == (Status.WAITING, ())


def test_t12_a_problem_on_hold_is_settled_by_holding_on() -> None:
    desk = waiting(HOLD)
    desk.do(RaiseAttention, BOB)
    assert desk.case.wait is not None
    since = desk.case.wait.since
    desk.now += HOUR

    desk.do(StartWait, type=HOLD)

    assert desk.case.wait is not None
    assert (desk.case.wait.since, desk.case.flags, who(desk.case)) == (since, (), holder(None, ANN))


def test_t21_setting_a_problem_on_hold_in_progress_settles_it() -> None:
    desk = waiting(HOLD)
    desk.do(RaiseAttention, BOB)

    desk.do(SetInProgress)

    assert desk.case.flags == (Flag.WAIT_ENDED,)


def test_t21_setting_a_problem_on_hold_to_do_does_not_settle_it() -> None:
    desk = waiting(HOLD)
    desk.do(RaiseAttention, BOB)

    desk.do(SetToDo, BOB)

    assert desk.case.flags == (Flag.NEEDS_ATTENTION, Flag.WAIT_ENDED)


def test_a_problem_is_gone_when_the_case_is_resolved() -> None:
    desk = with_problem()

    desk.do(Resolve)

    assert desk.case.flags == ()
