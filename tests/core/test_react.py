"""Who is told what (NT-1, NT-2, EM-70): one notice per audience and decision, none to whoever did it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.core.desk import (
    ANN,
    BOB,
    CLIENT,
    DAY,
    HOUR,
    NO_WINDOW,
    PROCESS,
    START,
    SUPPORT,
    THIRD_PARTY,
    Desk,
    closed,
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

from mailcase.core import engine
from mailcase.core.case import SYSTEM, AttentionCause, MailId, PartyId, PersonId, TextId, WaitType
from mailcase.core.commands import (
    AddNote,
    Assign,
    Cancel,
    MarkNew,
    MarkRead,
    RaiseAttention,
    Release,
    Reopen,
    ReportUndelivered,
    Resolve,
    SetDue,
    SetInProgress,
    SetToDo,
    StartWait,
    Submit,
    Take,
)
from mailcase.core.effects import Audience, Effect, ToPerson, ToQueue, ToRequester
from mailcase.core.process import DEFAULT_NOTICES, Notice

INFO, UNTIL, HOLD = WaitType.MORE_INFO, WaitType.UNTIL, WaitType.ON_HOLD
REQUESTER = ToRequester()
QUEUE = ToQueue(queue=SUPPORT)
QUEUE_BUT_ANN = ToQueue(queue=SUPPORT, but=frozenset({ANN}))
QUEUE_BUT_BOB = ToQueue(queue=SUPPORT, but=frozenset({BOB}))
QUEUE_BUT_BOTH = ToQueue(queue=SUPPORT, but=frozenset({ANN, BOB}))
TO_ANN = ToPerson(person=ANN)
TO_BOB = ToPerson(person=BOB)


def told(desk: Desk) -> set[tuple[Notice, Audience]]:
    """What the last command sent out."""
    return {(notify.notice, notify.audience) for notify in desk.notices}


def test_a_mail_is_acknowledged_and_announced_to_its_queue() -> None:
    """T3: a new case is not news on a case as well."""
    desk = mailed()

    assert told(desk) == {(Notice.ACKNOWLEDGEMENT, REQUESTER), (Notice.NEW_IN_QUEUE, QUEUE)}
    assert {notify.mail for notify in desk.notices} == {MailId(1)}


def test_a_mail_that_may_not_be_answered_is_not_acknowledged() -> None:
    """EM-71, L14."""
    desk = Desk()

    desk.open_from_mail(acknowledge=False)

    assert told(desk) == {(Notice.NEW_IN_QUEUE, QUEUE)}


def test_a_case_without_requester_has_nobody_to_tell_outside() -> None:
    desk = Desk()

    desk.open_from_mail(requester=None)

    assert told(desk) == {(Notice.NEW_IN_QUEUE, QUEUE)}


def test_a_case_that_a_rule_gives_to_somebody_is_announced_to_them_alone() -> None:
    desk = mailed(replace(PROCESS, allocation=(BOB,)))

    assert told(desk) == {(Notice.ACKNOWLEDGEMENT, REQUESTER), (Notice.ASSIGNED, TO_BOB)}


def test_a_draft_is_nobodys_business_until_it_is_submitted() -> None:
    """T1, T2; Ann did it herself."""
    desk = Desk()
    desk.open_by_hand(requester=PartyId(1))
    assert told(desk) == set()

    desk.do(Submit)

    assert told(desk) == {(Notice.ACKNOWLEDGEMENT, REQUESTER), (Notice.NEW_IN_QUEUE, QUEUE_BUT_ANN)}


def test_a_cancelled_draft_was_never_heard_of() -> None:
    desk = Desk()
    desk.open_by_hand(requester=PartyId(1))

    desk.do(Cancel, is_confirmed=True)

    assert told(desk) == set()


def test_information_is_asked_of_the_requester_only_for_such_reasons() -> None:
    """T14, T17, 8.18: the client, and not a third party."""
    desk = in_progress()

    desk.do(StartWait, type=INFO, reason=THIRD_PARTY.name)
    assert told(desk) == set()
    desk.do(StartWait, type=INFO, reason=CLIENT.name)
    assert told(desk) == {(Notice.INFORMATION_WANTED, REQUESTER)}

    desk.do(StartWait, type=HOLD)
    assert told(desk) == set()


def test_the_requester_hears_of_resolution_reopening_and_the_end() -> None:
    desk = resolved()
    assert told(desk) == {(Notice.RESOLVED, REQUESTER)}

    desk.do(Reopen, BOB)
    assert (Notice.REOPENED, REQUESTER) in told(desk)

    desk.do(Resolve, BOB)
    desk.now += 5 * DAY
    desk.tick()
    assert told(desk) == {(Notice.CLOSED, REQUESTER)}


def test_t27_a_reopening_by_somebody_else_is_told_to_the_owner() -> None:
    """To nobody of the queue besides, where the owner might be its leader."""
    desk = resolved()

    desk.do(Reopen, BOB)

    assert who(desk.case) == holder(owner=ANN, queue=True)
    assert told(desk) == {(Notice.REOPENED, REQUESTER), (Notice.RETURNED, TO_ANN)}


def test_t27_whoever_reopens_their_own_case_is_not_told_and_the_queue_is() -> None:
    desk = resolved()

    desk.do(Reopen, ANN)

    assert told(desk) == {(Notice.REOPENED, REQUESTER), (Notice.NEW_IN_QUEUE, QUEUE_BUT_ANN)}


def test_t27_where_the_owner_is_not_to_be_told_the_queue_is() -> None:
    desk = resolved(replace(PROCESS, notices=frozenset(Notice) - {Notice.RETURNED}))

    desk.do(Reopen, BOB)

    assert told(desk) == {(Notice.REOPENED, REQUESTER), (Notice.NEW_IN_QUEUE, QUEUE_BUT_BOB)}


def test_t27_a_reopened_case_that_nobody_owns_is_told_to_the_queue() -> None:
    desk = mailed(replace(PROCESS, people=()))
    desk.do(Resolve, BOB)

    desk.do(Reopen, BOB)

    assert told(desk) == {(Notice.REOPENED, REQUESTER), (Notice.NEW_IN_QUEUE, QUEUE_BUT_BOB)}


def test_without_a_window_the_resolution_is_told_once() -> None:
    """T25: resolved and closed are one event."""
    assert told(closed()) == {(Notice.RESOLVED, REQUESTER)}

    only_closed = replace(NO_WINDOW, notices=frozenset({Notice.CLOSED}))
    assert told(closed(only_closed)) == {(Notice.CLOSED, REQUESTER)}


def test_the_requester_hears_of_a_cancellation() -> None:
    desk = in_progress()

    desk.do(Cancel, is_confirmed=True)

    assert told(desk) == {(Notice.CANCELLED, REQUESTER)}


def test_a_mail_goes_to_whoever_has_the_case() -> None:
    """NT-1."""
    desk = waiting(INFO)

    desk.mail()

    assert told(desk) == {(Notice.NEW_INFORMATION, TO_ANN)}
    assert desk.notices[0].mail == MailId(2)


def test_each_further_mail_is_told() -> None:
    desk = mailed()

    desk.mail()

    assert told(desk) == {(Notice.NEW_INFORMATION, QUEUE)}


def test_a_mail_that_reopens_tells_both_sides() -> None:
    """T26."""
    desk = resolved()

    desk.mail()

    assert told(desk) == {(Notice.REOPENED, REQUESTER), (Notice.NEW_INFORMATION, TO_ANN)}


def test_work_that_comes_with_news_is_told_as_news() -> None:
    """Not as new in the queue as well, unless news are switched off."""
    desk = waiting(INFO)
    desk.do(Release)
    gone = replace(desk.process, people=())
    desk.process = gone
    desk.mail()
    assert told(desk) == {(Notice.NEW_INFORMATION, QUEUE)}

    quiet = waiting(INFO)
    quiet.process = replace(gone, notices=frozenset({Notice.NEW_IN_QUEUE}))
    quiet.mail()
    assert told(quiet) == {(Notice.NEW_IN_QUEUE, QUEUE)}


def test_an_assignment_is_told_with_its_note_unless_one_did_it_oneself() -> None:
    """NT-3, T6."""
    desk = in_progress()

    desk.do(Assign, person=PersonId(BOB), note=TextId(4))
    assert told(desk) == {(Notice.ASSIGNED, TO_BOB)}
    assert desk.notices[0].text == TextId(4)

    other = mailed()
    other.do(Assign, BOB, person=PersonId(BOB))
    assert told(other) == set()


def test_the_next_owner_of_a_resting_case_is_told() -> None:
    desk = waiting(HOLD)

    desk.do(Assign, person=PersonId(BOB))

    assert told(desk) == {(Notice.ASSIGNED, TO_BOB)}


@pytest.mark.parametrize("kind", [Release, SetToDo])
def test_work_given_back_is_new_in_its_queue(kind: Callable[..., object]) -> None:
    """T6, T7; not to whoever gave it back."""
    desk = in_progress()

    desk.do(kind)  # type: ignore[arg-type]  # a class of commands

    assert told(desk) == {(Notice.NEW_IN_QUEUE, QUEUE_BUT_ANN)}


def test_a_released_wait_is_new_in_its_queue() -> None:
    desk = waiting(HOLD)

    desk.do(Release, BOB)

    assert told(desk) == {(Notice.NEW_IN_QUEUE, QUEUE_BUT_BOTH), (Notice.NO_LONGER_YOURS, TO_ANN)}


def test_a_released_draft_is_not() -> None:
    desk = draft()

    desk.do(Release)

    assert told(desk) == set()


def test_reading_and_remarks_are_told_to_nobody() -> None:
    desk = mailed(replace(PROCESS, allocation=(BOB,)))
    desk.do(MarkRead, ANN)
    assert told(desk) == set()
    desk.do(MarkNew, ANN)
    assert told(desk) == set()
    desk.do(AddNote, ANN, text=TextId(1))
    assert told(desk) == set()
    desk.do(SetDue, ANN, due_at=desk.now + DAY)
    assert told(desk) == set()


def test_a_problem_is_told_to_whoever_has_the_case_with_its_reason() -> None:
    """T9."""
    desk = in_progress()

    desk.do(RaiseAttention, BOB, text=TextId(3))

    assert told(desk) == {(Notice.NEEDS_ATTENTION, TO_ANN)}
    assert desk.notices[0].text == TextId(3)


def test_a_problem_that_nobody_has_is_told_to_the_queue() -> None:
    """8.36; never to whoever raised it."""
    desk = mailed()

    desk.do(RaiseAttention, BOB)

    assert told(desk) == {(Notice.NEEDS_ATTENTION, QUEUE_BUT_BOB)}


def test_whoever_raises_a_problem_on_their_own_case_is_not_told() -> None:
    desk = in_progress()

    desk.do(RaiseAttention, ANN)

    assert told(desk) == set()


def test_an_undelivered_mail_is_a_problem_and_not_told_to_the_requester() -> None:
    """T31: they could not be reached."""
    desk = resolved()

    desk.do(ReportUndelivered, SYSTEM, mail=outgoing(), cause=AttentionCause.MAIL_UNDELIVERABLE)

    assert told(desk) == {(Notice.NEEDS_ATTENTION, TO_ANN)}


def test_the_end_of_a_wait_is_told_unless_one_ended_it_oneself() -> None:
    """T20, T21."""
    desk = waiting(UNTIL)
    desk.now += 8 * HOUR
    desk.tick()
    assert told(desk) == {(Notice.OVERDUE, TO_ANN)}
    desk.now += 2 * DAY
    desk.tick()
    assert told(desk) == {(Notice.WAIT_OVER, TO_ANN)}

    own = waiting(HOLD)
    own.do(SetToDo, ANN)
    assert told(own) == set()

    other = waiting(HOLD)
    other.do(SetToDo, BOB)
    assert told(other) == {(Notice.WAIT_OVER, TO_ANN)}


def test_whoever_loses_a_case_is_told_and_hears_of_it_once() -> None:
    """AS-10, T6, T7, T14, T21, NT-2: taken over, given away, put back, set waiting or taken out of its wait."""
    lost = (Notice.NO_LONGER_YOURS, TO_ANN)
    losses: dict[str, tuple[Desk, type[Any], dict[str, Any], set[tuple[Notice, Audience]]]] = {
        "taken over": (in_progress(), Take, {"take_over": True}, {lost}),
        "given away": (in_progress(), Assign, {"person": BOB}, {lost}),
        "put back": (in_progress(), Release, {}, {lost, (Notice.NEW_IN_QUEUE, QUEUE_BUT_BOTH)}),
        "undone": (in_progress(), SetToDo, {}, {lost, (Notice.NEW_IN_QUEUE, QUEUE_BUT_BOTH)}),
        "set waiting": (in_progress(), StartWait, {"type": HOLD}, {lost}),
        "taken out of its wait": (waiting(HOLD), SetInProgress, {}, {lost}),
    }
    for way, (desk, kind, details, expected) in losses.items():
        desk.do(kind, BOB, **details)

        assert told(desk) == expected, way


def test_whoever_gives_up_a_case_and_whoever_has_left_are_not_told_of_the_loss() -> None:
    given, left = in_progress(), in_progress()
    given.do(Assign, ANN, person=BOB)
    assert told(given) == {(Notice.ASSIGNED, TO_BOB)}

    left.process = replace(
        PROCESS, people=tuple(replace(person, is_retired=person.id == ANN) for person in PROCESS.people)
    )
    left.do(Take, BOB, take_over=True)
    assert told(left) == set()


def test_where_the_loss_is_not_told_the_queue_is_told_of_the_return_without_exception() -> None:
    desk = in_progress(replace(PROCESS, notices=frozenset(Notice) - {Notice.NO_LONGER_YOURS}))

    desk.do(Release, BOB)

    assert told(desk) == {(Notice.NEW_IN_QUEUE, QUEUE_BUT_BOB)}


def test_a_due_date_is_told_to_the_assignee_the_owner_or_the_queue() -> None:
    """SL-17."""
    free, owned, taken = mailed(), submitted(), in_progress()
    for desk in (free, owned):
        desk.now += 7.5 * HOUR
        desk.tick()
    assert told(free) == {(Notice.DUE_AT_RISK, QUEUE)}
    assert told(owned) == {(Notice.DUE_AT_RISK, TO_ANN)}

    for desk in (free, owned, taken):
        desk.now = START + 8 * HOUR
        desk.tick()
    assert told(free) == {(Notice.OVERDUE, QUEUE)}
    assert told(owned) == told(taken) == {(Notice.OVERDUE, TO_ANN)}


def test_what_the_process_switched_off_is_not_sent() -> None:
    desk = mailed(replace(PROCESS, notices=frozenset()))

    assert told(desk) == set()


def test_the_defaults_tell_agents_everything_and_the_requester_three_things() -> None:
    assert set(Notice) - DEFAULT_NOTICES == {Notice.REOPENED, Notice.CLOSED, Notice.CANCELLED}


def test_beginning_to_work_is_told_to_nobody() -> None:
    for kind in (Take, SetInProgress):
        desk = mailed()
        desk.do(kind)
        assert told(desk) == set()


def test_no_events_no_notices() -> None:
    desk = mailed()

    nothing: tuple[Effect, ...] = engine.react(PROCESS, desk.case, (), desk.case)

    assert nothing == ()
