"""The illegal transitions of spec 2.8 by number, and every other refusal: each says why and leaves the case alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.core.desk import (
    ANN,
    BOB,
    CLIENT,
    DAY,
    HOUR,
    OLD,
    PROCESS,
    ZOE,
    Desk,
    closed,
    details,
    draft,
    in_progress,
    mailed,
    outgoing,
    resolved,
    submitted,
    waiting,
)

from mailcase.core import engine
from mailcase.core.case import SYSTEM, CaseId, Origin, PersonId, ProcessName, Status, TextId, WaitType
from mailcase.core.commands import (
    AddNote,
    Assign,
    Cancel,
    MarkNew,
    MarkRead,
    OpenCase,
    RaiseAttention,
    Release,
    Reopen,
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
from mailcase.core.process import Process
from mailcase.core.refusal import Reason, Refused, describe

INFO, UNTIL, HOLD = WaitType.MORE_INFO, WaitType.UNTIL, WaitType.ON_HOLD


def test_2_8_1_no_way_back_to_draft() -> None:
    for desk in (submitted(), mailed(), in_progress(), waiting(HOLD), resolved()):
        assert desk.refused(Submit).reason is Reason.IS_SUBMITTED


@pytest.mark.parametrize("kind", [Take, SetInProgress, SetToDo, RaiseAttention, Resolve])
def test_2_8_2_a_draft_is_submitted_first(kind: type[Any]) -> None:
    refused = draft().refused(kind)

    assert (refused.rule, refused.reason) == ("2.8.2", Reason.IS_DRAFT)
    assert refused.allowed == ("submit", "release", "assign", "cancel", "reply", "note")


@pytest.mark.parametrize("wait", WaitType)
def test_2_8_2_a_draft_does_not_wait(wait: WaitType) -> None:
    desk = draft()

    assert desk.refused(StartWait, **details(wait, desk.now)).rule == "2.8.2"


def test_2_8_3_a_wait_without_a_type_cannot_be_said() -> None:
    with pytest.raises(TypeError, match="type"):
        StartWait(at=mailed().now, by=ANN)  # type: ignore[call-arg]  # that it is an error is the point


def test_2_8_4_a_wait_for_information_lists_its_reasons() -> None:
    refused = in_progress().refused(StartWait, type=INFO)

    assert (refused.rule, refused.reason) == ("2.8.4", Reason.WAIT_REASON_MISSING)
    assert refused.choices == ("client", "third party")
    assert "needs a reason: client, third party." in describe(refused, "en")


def test_2_8_4_the_reason_is_one_of_the_list() -> None:
    assert in_progress().refused(StartWait, type=INFO, reason="weather").reason is Reason.WAIT_REASON_UNKNOWN


def test_2_8_5_a_wait_until_needs_a_moment_to_come() -> None:
    desk = in_progress()

    assert desk.refused(StartWait, type=UNTIL).reason is Reason.WAIT_DATE_MISSING
    assert desk.refused(StartWait, type=UNTIL, until=desk.now).reason is Reason.DATE_IN_PAST
    assert desk.refused(StartWait, type=UNTIL, until=desk.now - DAY).rule == "2.8.5"


def test_2_8_6_a_year_of_ticks_and_mails_does_not_end_a_hold() -> None:
    desk = waiting(HOLD)

    for _ in range(12):
        desk.wait_for(30 * DAY)
        desk.mail()

    assert desk.case.wait is not None
    assert desk.case.wait.type is HOLD


def test_2_8_7_mail_does_not_end_a_wait_until() -> None:
    desk = waiting(UNTIL)

    desk.mail()

    assert desk.case.status is Status.WAITING


def test_2_8_8_no_time_ends_a_wait_for_information() -> None:
    desk = waiting(INFO)

    desk.wait_for(400 * DAY)

    assert desk.case.status is Status.WAITING


@pytest.mark.parametrize("kind", [Take, SetInProgress, SetToDo, RaiseAttention, MarkNew])
def test_2_8_10_a_resolved_case_is_reopened_first(kind: type[Any]) -> None:
    refused = resolved().refused(kind)

    assert (refused.rule, refused.reason) == ("2.8.10", Reason.IS_RESOLVED)
    assert refused.allowed == ("release", "assign", "reopen", "reply", "note")


@pytest.mark.parametrize("wait", WaitType)
def test_2_8_10_a_resolved_case_does_not_wait(wait: WaitType) -> None:
    desk = resolved()

    assert desk.refused(StartWait, **details(wait, desk.now)).rule == "2.8.10"


def test_2_8_11_nothing_closes_a_resolved_case_before_its_window_ends() -> None:
    desk = resolved()
    desk.now += 5 * DAY - HOUR

    assert desk.tick() == ()
    assert desk.refused(Cancel, is_confirmed=True).rule == "2.8.11"
    assert desk.case.status is Status.RESOLVED


@pytest.mark.parametrize("wait", WaitType)
def test_2_8_13_a_waiting_case_is_not_resolved(wait: WaitType) -> None:
    refused = waiting(wait).refused(Resolve)

    assert (refused.rule, refused.reason) == ("2.8.13", Reason.IS_WAITING)


def test_2_8_14_no_reopening_and_no_mail_after_the_window() -> None:
    desk = resolved()
    desk.now += 5 * DAY

    assert desk.refused(Reopen).reason is Reason.WINDOW_OVER
    late = desk.mail()
    assert isinstance(late, Refused)
    assert (late.rule, late.reason) == ("2.8.14", Reason.WINDOW_OVER)


COMMANDS_OF_PEOPLE: list[tuple[type[Any], dict[str, Any]]] = [
    (Submit, {}),
    (Take, {}),
    (SetInProgress, {}),
    (SetToDo, {}),
    (Assign, {"person": PersonId(BOB)}),
    (Release, {}),
    (StartWait, {"type": HOLD}),
    (Resolve, {}),
    (Reopen, {}),
    (Cancel, {"is_confirmed": True}),
    (RaiseAttention, {}),
    (SetDue, {"due_at": Desk().now + DAY}),
    (MarkRead, {}),
    (MarkNew, {}),
    (AddNote, {"text": TextId(1)}),
    (SendAnswer, {"mail": outgoing()}),
]


@pytest.mark.parametrize(("kind", "given"), COMMANDS_OF_PEOPLE, ids=lambda value: getattr(value, "__name__", ""))
def test_2_8_14_closed_is_final(kind: type[Any], given: dict[str, Any]) -> None:
    refused = closed().refused(kind, **given)

    assert (refused.rule, refused.reason, refused.allowed) == ("ST-5", Reason.CLOSED_IS_FINAL, ())
    assert describe(refused, "en") == "Closed is final."


def test_2_8_14_mail_is_not_appended_to_a_closed_case() -> None:
    """T30: the caller opens a linked case."""
    answer = closed().mail()

    assert isinstance(answer, Refused)
    assert answer.rule == "ST-5"


def test_2_8_15_a_second_resolution_leaves_the_first_as_it_was() -> None:
    """ST-6."""
    desk = resolved()
    first = desk.case.resolutions

    desk.mail()
    desk.do(Take, BOB, take_over=True)
    desk.do(Resolve, BOB, method=TextId(10))

    assert desk.case.resolutions[:1] == first
    assert [resolution.by for resolution in desk.case.resolutions] == [ANN, BOB]


def test_2_8_16_nobody_assigns_a_case_to_somebody_who_is_not_a_person_here() -> None:
    desk = mailed()

    refused = desk.refused(Assign, person=PersonId(ZOE))

    assert (refused.rule, refused.reason) == ("AS-5", Reason.PERSON_UNKNOWN)
    assert refused.choices == (ANN, BOB)
    assert desk.refused(Assign, person=PersonId(OLD)).reason is Reason.PERSON_RETIRED


def test_2_8_19_a_new_owner_takes_the_place_of_the_old_one() -> None:
    desk = waiting(HOLD)

    desk.do(Assign, person=PersonId(BOB))

    assert (desk.case.holder.owner, desk.case.holder.assignee) == (BOB, None)


def test_2_8_20_what_would_change_nothing_is_refused() -> None:
    assert in_progress().refused(Take).reason is Reason.NOTHING_WOULD_CHANGE
    assert in_progress().refused(SetInProgress).reason is Reason.NOTHING_WOULD_CHANGE
    assert mailed().refused(SetToDo).reason is Reason.NOTHING_WOULD_CHANGE
    assert resolved().refused(Resolve).reason is Reason.NOTHING_WOULD_CHANGE
    assert in_progress().refused(MarkRead).reason is Reason.NOTHING_WOULD_CHANGE
    assert mailed().refused(MarkNew).reason is Reason.NOTHING_WOULD_CHANGE
    assert in_progress().refused(Assign, person=PersonId(ANN)).reason is Reason.NOTHING_WOULD_CHANGE
    assert waiting(HOLD).refused(Assign, person=PersonId(ANN)).reason is Reason.NOTHING_WOULD_CHANGE
    assert waiting(INFO).refused(StartWait, type=INFO, reason=CLIENT.name).reason is Reason.NOTHING_WOULD_CHANGE


def test_2_8_20_a_wait_has_no_detail_of_another_type() -> None:
    desk = in_progress()

    for given in (
        {"type": HOLD, "reason": CLIENT.name},
        {"type": HOLD, "until": desk.now + DAY},
        {"type": INFO, "reason": CLIENT.name, "until": desk.now + DAY},
        {"type": UNTIL, "reason": CLIENT.name, "until": desk.now + DAY},
    ):
        assert desk.refused(StartWait, **given).reason is Reason.WAIT_DETAIL_UNWANTED


def test_2_8_20_a_waiting_case_is_not_taken() -> None:
    assert waiting(HOLD).refused(Take, BOB).reason is Reason.IS_WAITING


def test_2_8_20_only_a_resolved_case_is_reopened() -> None:
    for desk in (draft(), mailed(), in_progress(), waiting(INFO)):
        assert desk.refused(Reopen).reason is Reason.NOT_RESOLVED


def test_as_10_taking_over_must_be_meant() -> None:
    refused = in_progress().refused(Take, BOB)

    assert (refused.rule, refused.reason, refused.people) == ("AS-10", Reason.SOMEBODY_ELSE_HAS_IT, (ANN,))
    assert "take --take-over" in refused.allowed
    assert "take" not in refused.allowed
    assert describe(refused, "en").startswith("ann has the case; taking it over must be asked for.")


@pytest.mark.parametrize(("kind", "more"), [(Resolve, {}), (Cancel, {"is_confirmed": True}), (Cancel, {})])
@pytest.mark.parametrize("name", ["taken", "given", "reopened by mail"])
def test_as_10_a_case_that_somebody_else_has_is_not_ended(kind: type[Any], more: dict[str, Any], name: str) -> None:
    """It is taken over first; no confirmation would help."""
    given = {"taken": in_progress(), "given": mailed(), "reopened by mail": resolved()}
    desk = given[name]
    if name == "given":
        desk.do(Assign, BOB, person=PersonId(ANN))
    if name == "reopened by mail":
        desk.mail()

    refused = desk.refused(kind, BOB, **more)

    assert (refused.rule, refused.reason, refused.people) == ("AS-10", Reason.SOMEBODY_ELSE_HAS_IT, (ANN,))
    assert {"take --take-over", "assign", "release"} <= set(refused.allowed)
    assert not {"resolve", "cancel"} & set(refused.allowed)


@pytest.mark.parametrize("name", ["draft", "owned wait", "highlighted wait"])
def test_as_10_a_draft_or_a_wait_of_somebody_else_is_not_cancelled(name: str) -> None:
    """Whoever has been given it, or whoever lets it go first, may."""
    desk = draft() if name == "draft" else waiting(WaitType.ON_HOLD)
    if name == "highlighted wait":
        desk.mail()

    refused = desk.refused(Cancel, BOB, is_confirmed=True)
    assert (refused.rule, refused.people) == ("AS-10", (ANN,))
    assert {"assign", "release"} <= set(refused.allowed)

    desk.do(Release, BOB)
    desk.do(Cancel, BOB, is_confirmed=True)
    assert desk.case.status is Status.CLOSED


def test_work_that_lies_in_its_queue_is_ended_by_anybody() -> None:
    """8.31: its owner does not keep it from others."""
    for kind, more in ((Resolve, {}), (Cancel, {"is_confirmed": True})):
        desk = submitted()
        assert desk.case.holder.owner == ANN

        desk.do(kind, BOB, **more)


@pytest.mark.parametrize(("kind", "more"), [(Resolve, {}), (Cancel, {"is_confirmed": True})])
def test_8_36_a_problem_is_not_ended_past_those_who_are_to_settle_it(kind: type[Any], more: dict[str, Any]) -> None:
    """Free to be taken, but with Ann, who had it when the problem arose, to say what becomes of it."""
    desk = in_progress()
    desk.do(RaiseAttention, BOB)
    desk.do(Release, BOB)

    refused = desk.refused(kind, BOB, **more)
    assert (refused.rule, refused.reason, refused.people) == ("8.36", Reason.NOT_YOURS_TO_SETTLE, (ANN,))

    desk.do(kind, ANN, **more)
    assert desk.case.attention is None


@pytest.mark.parametrize(("kind", "more"), [(Resolve, {}), (Cancel, {"is_confirmed": True})])
def test_8_36_a_problem_that_is_nobody_s_is_ended_by_anybody(kind: type[Any], more: dict[str, Any]) -> None:
    desk = mailed()
    desk.do(RaiseAttention, BOB)

    desk.do(kind, BOB, **more)

    assert desk.case.attention is None


def test_t5_a_case_that_somebody_else_has_is_not_set_in_progress() -> None:
    desk = mailed()
    desk.do(Assign, person=PersonId(BOB))

    assert desk.refused(SetInProgress, ANN).reason is Reason.SOMEBODY_ELSE_HAS_IT


def test_as_5_only_people_of_the_process_take_cases() -> None:
    for kind in (Take, SetInProgress):
        assert mailed().refused(kind, ZOE).reason is Reason.PERSON_UNKNOWN
        assert mailed().refused(kind, OLD).reason is Reason.PERSON_RETIRED
        assert mailed().refused(kind, SYSTEM).reason is Reason.PERSON_UNKNOWN


def test_as_11_what_nobody_has_is_not_released() -> None:
    """An owner of work to be done does not have it: it is free to take already."""
    for desk in (mailed(), submitted()):
        assert desk.refused(Release).reason is Reason.NOBODY_HAS_IT


def test_t29_cancelling_is_confirmed() -> None:
    desk = mailed()

    assert desk.refused(Cancel).reason is Reason.NOT_CONFIRMED
    assert desk.case.status is Status.TO_DO


def due(process: Process, **changes: Any) -> Process:
    """The process with other settings of its due rule."""
    assert process.due is not None
    return replace(process, due=replace(process.due, **changes))


def test_sl_15_a_due_date_is_changed_only_where_the_rule_permits() -> None:
    desk = mailed(due(PROCESS, may_override=False))

    assert desk.refused(SetDue, due_at=desk.now + DAY).reason is Reason.DUE_DATE_FIXED


def test_sl_4_there_is_no_due_date_to_change_while_the_clock_is_paused() -> None:
    desk = waiting(INFO)

    assert desk.refused(SetDue, due_at=desk.now + DAY).reason is Reason.CLOCK_PAUSED


def test_sl_3_the_clock_runs_neither_in_draft_nor_after_the_resolution() -> None:
    for desk in (draft(), resolved()):
        assert desk.refused(SetDue, due_at=desk.now + DAY).reason is Reason.CLOCK_STOPPED


def test_sl_15_a_due_date_lies_ahead_and_within_reach() -> None:
    desk = mailed()

    assert desk.refused(SetDue, due_at=desk.now).reason is Reason.DATE_IN_PAST
    assert desk.refused(SetDue, due_at=desk.now + 5000 * DAY).reason is Reason.DATE_TOO_FAR
    assert desk.refused(SetDue, due_at=desk.case.due_at).reason is Reason.NOTHING_WOULD_CHANGE


def with_problem() -> Desk:
    """Ann had the case when the problem arose; then Bob was given it."""
    desk = in_progress()
    desk.do(RaiseAttention, BOB, text=TextId(3))
    return desk


def test_t10_and_t12_are_for_whoever_had_the_case() -> None:
    """8.36."""
    desk = with_problem()
    desk.do(Release)

    for refused in (
        desk.refused(SetInProgress, BOB),
        desk.refused(StartWait, BOB, type=HOLD),
        desk.refused(StartWait, BOB, **details(UNTIL, desk.now)),
    ):
        assert (refused.reason, refused.people) == (Reason.NOT_YOURS_TO_SETTLE, (ANN,))
    assert "it is for ann to settle" in describe(desk.refused(SetInProgress, BOB), "en")


def test_a_retired_process_starts_no_cases() -> None:
    desk = Desk(replace(PROCESS, is_retired=True))
    command = desk.command(OpenCase, SYSTEM, case_id=CaseId(1), origin=Origin.EMAIL, subject=TextId(1))

    refused = engine.decide(desk.process, None, command)

    assert isinstance(refused, Refused)
    assert refused.reason is Reason.PROCESS_RETIRED


def test_a_case_of_a_retired_process_goes_on() -> None:
    desk = mailed()
    desk.process = replace(desk.process, is_retired=True)

    desk.do(Take)

    assert desk.case.status is Status.IN_PROGRESS


def test_the_caller_is_told_when_it_is_wrong() -> None:
    desk = mailed()
    take = desk.command(Take)
    with pytest.raises(ValueError, match="before the last event"):
        engine.decide(PROCESS, desk.case, Take(at=desk.now - HOUR, by=ANN))
    with pytest.raises(ValueError, match="needs a case"):
        engine.decide(PROCESS, None, take)
    with pytest.raises(ValueError, match="belongs to process"):
        engine.decide(replace(PROCESS, name=ProcessName("other")), desk.case, take)
    opening = desk.command(OpenCase, SYSTEM, case_id=CaseId(1), origin=Origin.EMAIL, subject=TextId(1))
    with pytest.raises(ValueError, match="open already"):
        engine.decide(PROCESS, desk.case, opening)
    tick = desk.command(Tick, SYSTEM, now=desk.now, read_through_at=desk.now)
    assert engine.decide(PROCESS, desk.case, tick) == ()


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_reason_has_a_sentence_in_both_languages(reason: Reason, language: str) -> None:
    refused = Refused(rule="x", reason=reason, people=(PersonId("ann"),), choices=("client",), allowed=("take", "note"))

    text = describe(refused, language)

    assert "{" not in text
    assert text.endswith({"en": " Allowed now: take, note.", "fr": " Permis maintenant\u00a0: take, note."}[language])


def test_an_empty_list_of_choices_shows_as_a_dash() -> None:
    desk = mailed(replace(PROCESS, wait_reasons=()))

    assert describe(desk.refused(StartWait, type=INFO), "en").startswith("A wait for information needs a reason: —.")
