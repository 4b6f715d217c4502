"""Random lives of a case: whatever people, mail and time do, the invariants hold and the timeline is the case.

The exhaustive search knows every state of a small world; here the times are uneven, the calendar is a real one in a
zone with clock changes, and processes vary.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from datetime import date, time, timedelta
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.desk import ANN, BOB, CLIENT, OLD, PROCESS, START, THIRD_PARTY, ZOE, Desk, outgoing
from tests.core.invariants import broken_by_events, broken_by_notices, broken_in

from mailcase.core import engine
from mailcase.core.case import SYSTEM, AttentionCause, Case, MailboxName, MailId, PartyId, WaitType
from mailcase.core.commands import (
    AddNote,
    Assign,
    Cancel,
    FileMail,
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
from mailcase.core.process import DueRule, FeedbackWindow, Process, Span, SpanUnit, WorkingCalendar

PARIS = ZoneInfo("Europe/Paris")
OFFICE = WorkingCalendar(
    name="office",
    zone=PARIS,
    hours=(*(((time(9), time(12)), (time(13), time(17))),) * 5, (), ()),
    holidays=frozenset({date(2026, 3, 9), date(2026, 4, 6)}),
)

dues = st.one_of(
    st.none(),
    st.builds(
        DueRule,
        add=st.builds(Span, amount=st.integers(1, 9), unit=st.sampled_from(SpanUnit)),
        calendar=st.just(OFFICE),
        add_wait_time=st.booleans(),
        end_of_day=st.booleans(),
        may_override=st.booleans(),
        expected_effort=st.timedeltas(timedelta(0), timedelta(hours=5)),
    ),
    st.builds(DueRule, add=st.just(Span(amount=8, unit=SpanUnit.HOURS)), add_wait_time=st.booleans()),
)
windows = st.one_of(
    st.none(),
    st.builds(FeedbackWindow, days=st.integers(0, 5), calendar=st.sampled_from([None, OFFICE])),
)
processes = st.builds(
    lambda due, window, allocation, answer_takes: replace(
        PROCESS, due=due, feedback_window=window, allocation=allocation, answer_takes=answer_takes
    ),
    dues,
    windows,
    st.sampled_from([(), (OLD, BOB)]),
    st.booleans(),
)

actors = st.sampled_from([ANN, BOB, ZOE])
spans = st.one_of(st.just(timedelta(0)), st.timedeltas(timedelta(0), timedelta(days=4)))
box = MailboxName("support")
causes = st.sampled_from([AttentionCause.MAIL_UNDELIVERABLE, AttentionCause.MAIL_UNKNOWN])


def ask(kind: type[Any], **details: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[type[Any], dict[str, Any]]]:
    """A command as its class and details, spans of time still relative to now."""
    return st.tuples(st.just(kind), st.fixed_dictionaries(details))


asked = st.one_of(
    ask(Submit, by=actors),
    ask(Take, by=actors, take_over=st.booleans()),
    ask(SetInProgress, by=actors),
    ask(SetToDo, by=actors),
    ask(Assign, by=actors, person=st.sampled_from([ANN, BOB, OLD])),
    ask(Release, by=actors),
    ask(
        StartWait,
        by=actors,
        type=st.just(WaitType.MORE_INFO),
        reason=st.sampled_from([CLIENT.name, THIRD_PARTY.name]),
    ),
    ask(StartWait, by=actors, type=st.just(WaitType.UNTIL), until=spans),
    ask(StartWait, by=actors, type=st.just(WaitType.ON_HOLD)),
    ask(Resolve, by=actors),
    ask(Reopen, by=actors),
    ask(Cancel, by=actors, is_confirmed=st.booleans()),
    ask(RaiseAttention, by=actors),
    ask(SetDue, by=actors, due_at=spans),
    ask(MarkRead, by=actors),
    ask(MarkNew, by=actors),
    ask(AddNote, by=actors, text=st.just(1)),
    ask(SendAnswer, by=actors, mail=st.just(outgoing())),
    ask(FileMail, by=st.just(SYSTEM), mail=st.just(MailId(3)), mailbox=st.just(box)),
    ask(
        ReportUndelivered, by=st.just(SYSTEM), mail=st.just(outgoing()), cause=st.sampled_from(list(AttentionCause)[1:])
    ),
    ask(
        ReceiveMail,
        by=st.just(SYSTEM),
        mail=st.just(MailId(2)),
        party=st.just(PartyId(1)),
        mailbox=st.just(box),
        arrived_at=spans.map(lambda span: -span),
    ),
    ask(Tick, by=st.just(SYSTEM), now=spans, read_through_at=spans.map(lambda span: -span)),
)
lives = st.lists(st.tuples(spans, asked), min_size=5, max_size=50)


def live(desk: Desk, steps: list[tuple[timedelta, tuple[type[Any], dict[str, Any]]]]) -> None:
    """Plays the steps, checking each."""
    for span, (kind, given_details) in steps:
        desk.now += span
        details: dict[str, Any] = {
            name: desk.now + value if isinstance(value, timedelta) else value for name, value in given_details.items()
        }
        by = details.pop("by")
        before, count = desk.case, len(desk.timeline)
        desk.ask(kind, by, **details)
        events = desk.timeline[count:]
        assert not list(broken_in(desk.case))
        assert not list(broken_by_events(desk.process, before, events, desk.case))
        assert not events or not list(broken_by_notices(desk.notices, by))


@settings(max_examples=500, deadline=None)
@given(processes, st.booleans(), lives)
def test_whatever_happens_the_invariants_hold_and_the_timeline_is_the_case(
    process: Process, is_mailed: bool, steps: list[Any]
) -> None:
    """ST-1, ST-3...ST-7, ST-9, SL-1...SL-7 (invariants.py), and replay."""
    desk = Desk(process)
    if is_mailed:
        desk.open_from_mail()
    else:
        desk.open_by_hand()

    live(desk, steps)

    again = engine.replay(desk.timeline)
    assert again == desk.case
    assert plain(again) == plain(desk.case)


@settings(max_examples=100, deadline=None)
@given(processes, lives)
def test_a_replay_needs_no_process(process: Process, steps: list[Any]) -> None:
    """However the process file has changed in between, the timeline gives the stored case."""
    desk = Desk(process)
    desk.open_from_mail()
    live(desk, steps)
    desk.process = replace(PROCESS, due=None, feedback_window=None, people=(), wait_reasons=())
    live(desk, steps)

    assert engine.replay(desk.timeline) == desk.case


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(spans, spans), min_size=1, max_size=4),
    st.sampled_from([None, OFFICE]),
)
def test_waits_never_cost_working_time(
    waits: list[tuple[timedelta, timedelta]], calendar: WorkingCalendar | None
) -> None:
    """SL-4...SL-7: what is left before a wait for information is left after it, overdue or not, however often."""
    due = DueRule(add=Span(amount=8, unit=SpanUnit.HOURS), calendar=calendar, add_wait_time=True)
    desk = Desk(replace(PROCESS, due=due))
    desk.open_from_mail()
    for work, wait in waits:
        desk.now += work
        desk.do(StartWait, ANN, type=WaitType.MORE_INFO, reason=CLIENT.name)
        left = desk.case.paused_remaining
        desk.now += wait
        desk.mail()

        desk.do(StartWait, ANN, type=WaitType.MORE_INFO, reason=CLIENT.name)
        assert desk.case.paused_remaining == left
        desk.mail()

    assert desk.now >= START


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([None, OFFICE]),
    st.sampled_from(SpanUnit),
    st.integers(1, 20),
    spans,
    st.none() | st.timedeltas(timedelta(hours=1), timedelta(days=30)),
)
def test_a_wait_without_length_never_moves_the_due_date(
    calendar: WorkingCalendar | None, unit: SpanUnit, amount: int, work: timedelta, by_hand: timedelta | None
) -> None:
    """SL-5: nothing was waited, so nothing is added; on the same side of a night, too, and in free time."""
    is_plain = calendar is None
    add = Span(amount=amount, unit=SpanUnit.HOURS if is_plain else unit)
    due = DueRule(add=add, calendar=calendar, next_morning=not is_plain, add_wait_time=True)
    desk = Desk(replace(PROCESS, due=due))
    desk.open_from_mail()
    desk.now += work
    if by_hand is not None:
        # Refused where it is due then anyway.
        desk.ask(SetDue, ANN, due_at=desk.now + by_hand)
    before = desk.case.due_at

    desk.do(StartWait, ANN, type=WaitType.MORE_INFO, reason=CLIENT.name)
    desk.mail()

    assert desk.case.due_at == before


def plain(value: object) -> object:
    """The value as nested tuples and dictionaries of names, so that equality owes nothing to `__eq__` of our own."""
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def test_plain_sees_every_field() -> None:
    desk = Desk()
    desk.open_from_mail()

    seen = plain(desk.case)

    assert isinstance(seen, dict)
    assert set(seen) == {field.name for field in fields(Case)}
