"""The acceptance checks 1 to 10 of spec 9.2 on the engine alone (3 and 8 without their clauses on actions)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tests.core.desk import (
    ANN,
    CLIENT,
    DAY,
    HOUR,
    NO_WINDOW,
    PROCESS,
    START,
    draft,
    in_progress,
    mailed,
    resolved,
    waiting,
)

from mailcase.core import assignment, sla
from mailcase.core.case import SYSTEM, ReopeningCause, Status, StatusReason, WaitType
from mailcase.core.commands import (
    AddNote,
    Cancel,
    MarkRead,
    Release,
    Resolve,
    SetInProgress,
    StartWait,
    Submit,
    Take,
)
from mailcase.core.refusal import Reason, Refused


def test_check_1_a_manual_case_is_draft_then_to_do_then_in_progress() -> None:
    desk = draft()
    assert desk.case.status is Status.DRAFT

    desk.do(Submit)
    assert desk.case.status.value == "to-do"
    desk.do(Take, ANN)

    assert (desk.case.status.value, desk.case.holder.assignee) == ("in-progress", ANN)


def test_check_2_giving_up_returns_to_to_do_however_late() -> None:
    for delay in (timedelta(seconds=10), timedelta(minutes=30)):
        desk = in_progress()
        desk.now += delay

        desk.do(Release)

        assert desk.case.status is Status.TO_DO


def test_check_3_a_wait_for_information_and_its_answer() -> None:
    desk = in_progress()
    desk.refused(StartWait, type=WaitType.MORE_INFO)

    desk.do(StartWait, type=WaitType.MORE_INFO, reason=CLIENT.name)
    assert assignment.lists(desk.case) == ("owned",)
    desk.mail()

    assert desk.case.status is Status.TO_DO
    assert desk.case.is_highlighted
    assert assignment.lists(desk.case) == ("inbox",)


def test_check_4_the_clock_pauses_for_information() -> None:
    desk = in_progress()
    desk.now = START + 8 * HOUR - timedelta(hours=5, minutes=20)
    desk.do(StartWait, type=WaitType.MORE_INFO, reason=CLIENT.name)

    for _ in range(3):
        assert sla.due_text(desk.case, "en") == "Due: Paused 5 h 20 m before due"
        assert desk.case.due_at is None
        desk.wait_for(DAY)
    desk.mail()

    assert desk.case.due_at == desk.now + timedelta(hours=5, minutes=20)


def test_check_4_with_the_option_off_the_due_date_stands_and_passes() -> None:
    assert PROCESS.due is not None
    desk = waiting(WaitType.MORE_INFO, replace(PROCESS, due=replace(PROCESS.due, add_wait_time=False)))

    desk.wait_for(3 * DAY)

    assert desk.case.due_at == desk.case.overdue_noticed_for == START + 8 * HOUR


def test_check_5_overdue_when_the_wait_began() -> None:
    desk = in_progress()
    desk.wait_for(timedelta(hours=9, minutes=5))

    desk.do(StartWait, type=WaitType.MORE_INFO, reason=CLIENT.name)

    assert sla.due_text(desk.case, "en") == "Due: Paused 1 h 5 m after overdue"
    assert (
        sla.due_text(desk.case, "fr") == "Échéance\u00a0: mis en pause 1\u00a0h 5\u00a0m après la date d\u2019échéance"
    )


def test_check_6_a_wait_until_a_date_ends_with_the_date_alone() -> None:
    desk = waiting(WaitType.UNTIL)
    due_at = desk.case.due_at

    desk.mail()
    assert (desk.case.status, desk.case.is_highlighted) == (Status.WAITING, True)
    assert assignment.lists(desk.case) == ("inbox",)
    desk.wait_for(2 * DAY)

    assert (desk.case.status, desk.case.due_at) == (Status.TO_DO, due_at)


def test_check_7_a_hold_outlasts_a_year_and_ten_mails() -> None:
    desk = waiting(WaitType.ON_HOLD)
    for _ in range(10):
        desk.wait_for(timedelta(days=36.5))
        desk.mail()
    assert (desk.case.status, desk.case.is_highlighted) == (Status.WAITING, True)
    assert assignment.lists(desk.case) == ("inbox",)
    desk.do(MarkRead)
    assert assignment.lists(desk.case) == ("owned",)

    desk.do(SetInProgress)

    assert desk.case.status.value == "in-progress"
    assert assignment.lists(desk.case) == ("inbox",)


def test_check_8_a_mail_in_the_window_reopens_and_the_first_resolution_stands() -> None:
    desk = resolved()
    first = desk.case.resolutions[0]
    desk.wait_for(3 * DAY)

    desk.mail()
    assert desk.case.status is Status.TO_DO
    (reopening,) = desk.case.reopenings
    assert (reopening.by, reopening.at, reopening.cause) == (SYSTEM, START + 3 * DAY, ReopeningCause.MAIL)
    desk.do(Resolve)

    assert desk.case.resolutions[0] == first
    assert len(desk.case.resolutions) == 2


def test_check_9_after_the_window_the_case_is_closed_and_takes_no_mail() -> None:
    """The new case is made by the handler, which is told by this refusal."""
    desk = resolved()
    desk.wait_for(5 * DAY)
    assert (desk.case.status, desk.case.status_reason) == (Status.CLOSED, StatusReason.FEEDBACK_WINDOW_PASSED)
    before = desk.case

    answer = desk.mail()

    assert isinstance(answer, Refused)
    assert answer.reason is Reason.CLOSED_IS_FINAL
    assert desk.case == before


def test_check_10_no_window_closes_at_once() -> None:
    assert resolved(NO_WINDOW).case.status is Status.CLOSED


def test_check_10_a_cancelled_case_refuses_everything() -> None:
    """ST-24."""
    desk = mailed()

    desk.do(Cancel, is_confirmed=True)

    assert (desk.case.status, desk.case.status_reason) == (Status.CLOSED, StatusReason.CANCELLED)
    for kind in (Take, SetInProgress, Submit, Release, Resolve, MarkRead):
        assert desk.refused(kind).reason is Reason.CLOSED_IS_FINAL
    assert isinstance(desk.ask(AddNote, text=1), Refused)
    assert isinstance(desk.mail(), Refused)
