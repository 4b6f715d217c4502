"""Every state that the case can reach, and every command in it (a breadth-first search to a fixed point).

Time is counted in units of twelve hours, relative to now: the due date is two units after the start and at risk one
unit before it, the window is one day, follow-up dates lie one unit ahead. A step of time is one unit, so each deadline
is met before, at and after its moment. What differs only in ids, texts, counts or how long ago something was is the
same state; Ann and Bob are interchangeable where the process does not tell them apart.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.core.desk import ANN, BOB, CLIENT, OLD, PROCESS, THIRD_PARTY, ZOE, outgoing
from tests.core.invariants import broken_by_events, broken_by_notices, broken_in

from mailcase.core import assignment, engine
from mailcase.core.case import (
    SYSTEM,
    ActorId,
    Attention,
    AttentionCause,
    Case,
    CaseId,
    Link,
    LinkKind,
    MailboxName,
    MailId,
    Origin,
    PartyId,
    PersonId,
    Status,
    StatusReason,
    TextId,
    WaitType,
)
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
from mailcase.core.deadlines import Deadline, DeadlineKind, deadlines
from mailcase.core.process import DueRule, FeedbackWindow, Process, Span, SpanUnit
from mailcase.core.refusal import Refused
from mailcase.core.rules import Bar, Row, Rule
from mailcase.core.table import TABLE

#: The whole search is work of the processor, which a machine may share with others.
pytestmark = pytest.mark.timeout(900)

UNIT = timedelta(hours=12)
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
LONG_AGO = -3

DUE = DueRule(
    add=Span(amount=24, unit=SpanUnit.HOURS), add_wait_time=True, expected_effort=UNIT - timedelta(minutes=30)
)
FULL = replace(PROCESS, zone=ZoneInfo("UTC"), due=DUE, feedback_window=FeedbackWindow(days=1))
#: Each differs from FULL in what the operator may set otherwise.
PROCESSES = {
    "full": FULL,
    "no window, fixed due date, clock runs on": replace(
        FULL,
        feedback_window=FeedbackWindow(days=0),
        due=replace(DUE, add_wait_time=False, may_override=False),
        answer_takes=False,
        people=tuple(person for person in PROCESS.people if person.id != PersonId(BOB)),
        allocation=(PersonId(OLD), PersonId(ANN)),
    ),
    "no due rule, nobody to take it": replace(FULL, due=None, people=(), wait_reasons=()),
}

STAFF = (ANN, BOB)


def commands() -> Iterator[Command]:
    """All that may be asked now, by each sort of person where it matters who asks."""
    later = NOW + UNIT
    for by in (ANN, BOB, ZOE):
        yield Take(at=NOW, by=by)
        yield Take(at=NOW, by=by, take_over=True)
        yield SetInProgress(at=NOW, by=by)
        yield SetToDo(at=NOW, by=by)
        yield from waits(by, later)
        yield SendAnswer(at=NOW, by=by, mail=outgoing())
        yield RaiseAttention(at=NOW, by=by)
        yield Resolve(at=NOW, by=by)
    for by in (ANN, BOB):
        yield SetDue(at=NOW, by=by, due_at=later)
        yield Release(at=NOW, by=by)
        yield Reopen(at=NOW, by=by)
        yield Submit(at=NOW, by=by)
    yield Take(at=NOW, by=OLD)
    yield SetInProgress(at=NOW, by=OLD)
    for person in (ANN, BOB, OLD, ZOE):
        yield Assign(at=NOW, by=ANN, person=PersonId(person))
    for by in (ANN, BOB, ZOE):
        yield Cancel(at=NOW, by=by)
        yield Cancel(at=NOW, by=by, is_confirmed=True)
    for due_at in (NOW, NOW + 2 * UNIT, NOW + timedelta(days=5000)):
        yield SetDue(at=NOW, by=ANN, due_at=due_at)
    yield MarkRead(at=NOW, by=ANN)
    yield MarkNew(at=NOW, by=ANN)
    yield AddNote(at=NOW, by=ANN, text=TextId(1))
    yield from stimuli()


def waits(by: ActorId, later: datetime) -> Iterator[StartWait]:
    """Every shape of a wait; the bad ones are bad whoever asks."""
    yield StartWait(at=NOW, by=by, type=WaitType.ON_HOLD)
    yield StartWait(at=NOW, by=by, type=WaitType.MORE_INFO, reason=CLIENT.name)
    yield StartWait(at=NOW, by=by, type=WaitType.UNTIL, until=later)
    if by == STAFF[0]:
        yield StartWait(at=NOW, by=by, type=WaitType.MORE_INFO, reason=THIRD_PARTY.name)
        yield StartWait(at=NOW, by=by, type=WaitType.MORE_INFO)
        yield StartWait(at=NOW, by=by, type=WaitType.MORE_INFO, reason="the weather")
        yield StartWait(at=NOW, by=by, type=WaitType.UNTIL)
        yield StartWait(at=NOW, by=by, type=WaitType.UNTIL, until=NOW)
        yield StartWait(at=NOW, by=by, type=WaitType.ON_HOLD, reason=CLIENT.name)
        yield StartWait(at=NOW, by=by, type=WaitType.ON_HOLD, until=later)


def stimuli() -> Iterator[Command]:
    """What no person asks."""
    box = MailboxName("support")
    for arrived_at in (NOW - 5 * UNIT, NOW):
        yield ReceiveMail(at=NOW, by=SYSTEM, mail=MailId(2), party=PartyId(1), mailbox=box, arrived_at=arrived_at)
    yield FileMail(at=NOW, by=SYSTEM, mail=MailId(2), mailbox=box)
    for cause in (AttentionCause.MAIL_UNDELIVERABLE, AttentionCause.MAIL_UNKNOWN):
        yield ReportUndelivered(at=NOW, by=SYSTEM, mail=outgoing(), cause=cause)
    yield LinkCase(at=NOW, by=SYSTEM, link=Link(kind=LinkKind.SIBLING, other=CaseId(8)))
    yield Tick(at=NOW, by=SYSTEM, now=NOW, read_through_at=NOW)
    yield Tick(at=NOW, by=SYSTEM, now=NOW, read_through_at=NOW - 5 * UNIT)
    yield Tick(at=NOW, by=SYSTEM, now=NOW + 5 * UNIT, read_through_at=NOW)


def openings() -> Iterator[OpenCase]:
    """Both ways in which a case begins."""
    for origin, by in ((Origin.MANUAL, ANN), (Origin.MANUAL, ZOE), (Origin.EMAIL, SYSTEM)):
        yield OpenCase(at=NOW, by=by, case_id=CaseId(7), origin=origin, subject=TextId(1))


def normal(process: Process, case: Case) -> Case:
    """The representative of all cases that no rule can tell apart from this one."""
    due = case.due_at
    is_seen_after_due = due is None or case.last_event_at >= due
    updaters = [person for person in case.updaters if assignment.valid_person(process, person) is not None]
    wait = case.wait
    return replace(
        case,
        version=0,
        origin=Origin.EMAIL,
        started_by=case.started_by if not updaters else SYSTEM,
        last_event_at=NOW if is_seen_after_due or (due is not None and due > NOW) else NOW + LONG_AGO * UNIT,
        mailboxes=(),
        status_reason=StatusReason.NEWLY_CREATED,
        status_set_by=SYSTEM,
        status_set_at=NOW,
        wait=replace(wait, since=NOW, until=_recent(wait.until)) if wait is not None else None,
        attention=_normal_attention(process, case.attention),
        # Only the first of them that can be chosen is ever looked at, and who started the case only if there is none.
        updaters=tuple(updaters[:1]),
        due_at=_recent(due),
        paused_remaining=max(case.paused_remaining, -2 * UNIT) if case.paused_remaining is not None else None,
        # Which one it was says something only where there is a calendar.
        hidden_due_at=NOW if case.hidden_due_at is not None else None,
        at_risk_noticed_for=_recent(due) if due in {case.at_risk_noticed_for, case.overdue_noticed_for} else None,
        overdue_noticed_for=_recent(due) if case.overdue_noticed_for == due else None,
        feedback_until=_recent(case.feedback_until),
        resolutions=(),
        reopenings=(),
        links=(),
    )


def _recent(at: datetime | None) -> datetime | None:
    return max(at, NOW - 2 * UNIT) if at is not None else None


def _normal_attention(process: Process, attention: Attention | None) -> Attention | None:
    if attention is None:
        return None
    settler = attention.settler if assignment.valid_person(process, attention.settler) is not None else None
    return Attention(cause=AttentionCause.BY_HAND, text=None, since=NOW, settler=settler)


def later(process: Process, case: Case) -> Case:
    """The same case one unit of time on: everything else lies one unit further back."""

    def back(at: datetime | None) -> datetime | None:
        return at - UNIT if at is not None else None

    return normal(
        process,
        replace(
            case,
            last_event_at=case.last_event_at - UNIT,
            wait=replace(case.wait, until=back(case.wait.until)) if case.wait is not None else None,
            due_at=back(case.due_at),
            at_risk_noticed_for=back(case.at_risk_noticed_for),
            overdue_noticed_for=back(case.overdue_noticed_for),
            feedback_until=back(case.feedback_until),
        ),
    )


def canonical(process: Process, case: Case) -> Case:
    """Ann and Bob exchanged where Bob comes first, if the process has no favourite."""
    if process.allocation:
        return case
    settler = case.attention.settler if case.attention is not None else None
    roles = (case.holder.assignee, case.holder.owner, settler, *case.updaters, case.started_by)
    first = next((role for role in roles if role in STAFF), None)
    return case if first in {None, STAFF[0]} else _exchanged(case)


def _exchanged(case: Case) -> Case:
    other = {ANN: PersonId(BOB), BOB: PersonId(ANN)}

    def swap(person: PersonId | None) -> PersonId | None:
        return other.get(ActorId(person), person) if person is not None else None

    return replace(
        case,
        holder=replace(case.holder, assignee=swap(case.holder.assignee), owner=swap(case.holder.owner)),
        attention=replace(case.attention, settler=swap(case.attention.settler)) if case.attention is not None else None,
        updaters=tuple(other.get(ActorId(person), person) for person in case.updaters),
        started_by=ActorId(other.get(case.started_by, PersonId(case.started_by))),
    )


COMMANDS = tuple(commands())


class Search:
    """Breadth first, until no command and no passing of time leads to a new state."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.hits: Counter[int] = Counter()
        self.openings: Counter[str] = Counter()
        self.steps = 0
        self.seen: set[Case] = set()
        self._front: list[Case] = []

    def run(self) -> None:
        """Explores everything; fails at the first broken invariant."""
        for opening in openings():
            events = engine.decide(self.process, None, opening)
            assert not isinstance(events, Refused)
            self.openings[events[0].rule] += 1
            self._meet(engine.replay(events))
        while self._front:
            front, self._front = self._front, []
            for case in front:
                self._meet(later(self.process, case))
                for command in COMMANDS:
                    self._try(case, command)

    def _try(self, case: Case, command: Command) -> None:
        self.steps += 1
        rule = engine.rule_for(self.process, case, command)
        self.hits[id(rule)] += 1
        if isinstance(rule, Bar):
            return
        events = engine.decide(self.process, case, command)
        assert not isinstance(events, Refused)
        after = case
        for event in events:
            after = engine.evolve(after, event)
        broken = [
            *broken_by_events(self.process, case, events, after),
            *broken_by_notices(engine.react(self.process, case, events, after), command.by),
        ]
        assert not broken, (broken, command, case, events)
        assert rule.target in {None, after.status}, (rule, case)
        assert rule.target is not None or after.status is case.status, (rule, case)
        self._meet(after)

    def _meet(self, case: Case) -> None:
        state = canonical(self.process, normal(self.process, case))
        if state not in self.seen:
            broken = list(broken_in(state))
            assert not broken, (broken, state)
            self.seen.add(state)
            self._front.append(state)


@pytest.fixture(scope="module")
def searches() -> dict[str, Search]:
    """The finished search of each process."""
    found = {name: Search(process) for name, process in PROCESSES.items()}
    for search in found.values():
        search.run()
    return found


def test_every_state_and_command_is_answered_and_no_invariant_is_broken(
    searches: dict[str, Search], record_property: Callable[[str, object], None]
) -> None:
    """`pytest -rP` prints the figures. The search itself fails on a broken invariant.

    A pair of state and command without a rule fails it too (2.8.20).
    """
    figures = {name: f"{len(search.seen)} states, {search.steps} commands tried" for name, search in searches.items()}
    total_count = sum(len(search.seen) for search in searches.values())
    figures["in all"] = f"{total_count} states"
    for name, figure in figures.items():
        record_property(name, figure)
        sys.stdout.write(f"{name}: {figure}\n")

    assert total_count > 5000
    assert {case.status for case in searches["full"].seen} == set(Status)


def test_every_row_and_every_bar_of_the_table_is_hit(searches: dict[str, Search]) -> None:
    """No rule is dead, hidden behind an earlier one."""
    hits = Counter[int]()
    for search in searches.values():
        hits.update(search.hits)

    assert [_name(rule) for rule in TABLE if not hits[id(rule)]] == []
    assert set(searches["full"].openings) == {"T1", "T3"}


def test_every_transition_of_the_specification_that_needs_no_action_is_in_the_table() -> None:
    """T8, T11, T13 and T19 need actions, steps or robots; T30 is the refusal of mail on a closed case."""
    known = {rule.id for rule in TABLE} | {"T1", "T3"}
    wanted = {f"T{number}" for number in range(1, 32)} - {"T8", "T11", "T13", "T19", "T30"}

    assert wanted | {"T9p"} <= known


def test_what_is_said_to_be_allowed_is_accepted_in_every_state(searches: dict[str, Search]) -> None:
    """Each name of `allowed` is accepted with some detail, and no other is."""
    for case in searches["full"].seen:
        refusal = next(
            answer
            for command in (Cancel(at=NOW, by=ANN), Submit(at=NOW, by=ANN), Reopen(at=NOW, by=ANN))
            if isinstance(answer := engine.decide(FULL, case, command), Refused)
        )
        accepted = {
            type(command)
            for command in COMMANDS
            if command.by == ANN and isinstance(engine.rule_for(FULL, case, command), Row)
        }
        named = {_COMMAND_OF[name] for name in refusal.allowed}

        assert named == accepted - {MarkNew}


_COMMAND_OF: dict[str, type[Any]] = {
    "submit": Submit,
    "take": Take,
    "take --take-over": Take,
    "release": Release,
    "progress": SetInProgress,
    "todo": SetToDo,
    "assign": Assign,
    "wait": StartWait,
    "resolve": Resolve,
    "reopen": Reopen,
    "cancel": Cancel,
    "reply": SendAnswer,
    "note": AddNote,
    "attention": RaiseAttention,
    "due": SetDue,
    "read": MarkRead,
}


def test_waiting_for_the_next_deadline_is_never_in_vain(searches: dict[str, Search]) -> None:
    """A deadline that has come is carried out by one tick and is then none any more (no busy loop), in time or late."""
    for search in searches.values():
        for case, now in product(search.seen, (NOW, NOW + 5 * UNIT)):
            pending = [
                deadline
                for deadline in deadlines(search.process, case)
                if deadline.at <= NOW and not _is_idle_warning(case, deadline, now)
            ]
            events = engine.decide(search.process, case, Tick(at=NOW, by=SYSTEM, now=now, read_through_at=NOW))
            assert not isinstance(events, Refused)
            after = case
            for event in events:
                after = engine.evolve(after, event)

            assert bool(events) == bool(pending)
            assert not pending or pending[0] not in deadlines(search.process, after)


def _is_idle_warning(case: Case, deadline: Deadline, now: datetime) -> bool:
    """SL-17: a warning of a due date that has passed."""
    return deadline.kind is DeadlineKind.DUE_AT_RISK and case.due_at is not None and case.due_at <= now


def _name(rule: Rule) -> str:
    reason = rule.reason.value if isinstance(rule, Bar) else ""
    kind = rule.command
    return f"{rule.id} {kind.__name__} {reason}"
