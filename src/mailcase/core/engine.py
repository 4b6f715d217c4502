"""The decider: which events a command leads to, or why it leads to none.

The rules it keeps:

1. The first rule of the table (table.py) that fits a command and a case answers it; a refused command changes nothing.
2. Every event names its rule. Whatever the process decided (due dates, ends of windows, people) stands in the events,
   so that `replay` gives the stored case whatever the process says later.
3. No time but the command's `at`, which is never before the case's last event.
4. One tick carries out one deadline, the earliest that has come; the caller ticks again as long as one is due.
5. What is allowed is found by asking rule 1, so a refusal can never promise what would be refused.
"""

from __future__ import annotations

from datetime import timedelta

from mailcase.core import assignment
from mailcase.core.case import Case, OutgoingId, PersonId, TextId, WaitType
from mailcase.core.commands import (
    AddNote,
    Assign,
    Cancel,
    Command,
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
)
from mailcase.core.events import CaseLinked, CaseOpened, Event
from mailcase.core.evolve import evolve, replay
from mailcase.core.guards import somebody_else_has_it
from mailcase.core.process import Process
from mailcase.core.react import react
from mailcase.core.refusal import Reason, Refused
from mailcase.core.rules import Bar, Row, Rule
from mailcase.core.story import Story
from mailcase.core.table import OPENINGS, TABLE

__all__ = ["decide", "evolve", "react", "replay", "rule_for"]

_RULES: dict[type[object], tuple[Rule, ...]] = {
    kind: tuple(rule for rule in TABLE if rule.command is kind) for kind in {rule.command for rule in TABLE}
}


def decide(process: Process, case: Case | None, command: Command) -> tuple[Event, ...] | Refused:
    """The events that the command leads to, in order; none where it has nothing to change; or the refusal.

    Raises ValueError where the caller is wrong: a case of another process, a case for OpenCase or none for another
    command, or a time before the case's last event.
    """
    if isinstance(command, OpenCase):
        if case is not None:
            raise ValueError(f"case {case.id} is open already")
        return _open(process, command)
    if case is None:
        raise ValueError(f"{type(command).__name__} needs a case")
    if case.process != process.name:
        raise ValueError(f"case {case.id} belongs to process {case.process}, not {process.name}")
    if command.at < case.last_event_at:
        raise ValueError(f"{type(command).__name__} at {command.at} is before the last event of case {case.id}")
    rule = rule_for(process, case, command)
    if isinstance(rule, Bar):
        return _refusal(process, case, command, rule)
    return _events(process, case, command, rule)


def rule_for(process: Process, case: Case, command: Command) -> Rule:
    """The one rule that answers this command on this case. The table is total: there always is one."""
    return next(rule for rule in _RULES[type(command)] if rule.fits(process, case, command))


def _events(process: Process, case: Case, command: Command, rule: Row) -> tuple[Event, ...]:
    story = Story(process, case, at=command.at, by=command.by, rule=rule.id)
    rule.tell(story, command)
    return tuple(story.events)


def _open(process: Process, command: OpenCase) -> tuple[Event, ...] | Refused:
    if process.is_retired:
        return Refused(rule="CR-1", reason=Reason.PROCESS_RETIRED)
    opening = OPENINGS[command.origin]
    opened = CaseOpened(
        at=command.at,
        by=command.by,
        rule=opening.id,
        case_id=command.case_id,
        process=process.name,
        origin=command.origin,
        status=opening.target,
        subject=command.subject,
        requester=command.requester,
        mail=command.mail,
        mailbox=command.mailbox,
        address=command.address,
        acknowledge=command.acknowledge,
    )
    story = Story(process, evolve(None, opened), at=command.at, by=command.by, rule=opening.id)
    for link in command.links:
        story.record(CaseLinked(at=command.at, by=command.by, rule=opening.id, link=link))
    opening.then(story, command)
    return (opened, *story.events)


def _refusal(process: Process, case: Case, command: Command, rule: Bar) -> Refused:
    people: tuple[PersonId, ...] = ()
    choices: tuple[str, ...] = ()
    match rule.reason:
        case Reason.SOMEBODY_ELSE_HAS_IT:
            keeper = assignment.keeper(case)
            people = (keeper,) if keeper is not None else ()
        case Reason.NOT_YOURS_TO_SETTLE:
            people = assignment.settlers(process, case)
        case Reason.PERSON_UNKNOWN | Reason.PERSON_RETIRED:
            choices = assignment.valid_people(process)
        case Reason.WAIT_REASON_MISSING | Reason.WAIT_REASON_UNKNOWN:
            choices = tuple(reason.name for reason in process.wait_reasons)
        case _:
            pass
    allowed = _allowed(process, case, command)
    return Refused(rule=rule.id, reason=rule.reason, people=people, choices=choices, allowed=allowed)


def _allowed(process: Process, case: Case, refused: Command) -> tuple[str, ...]:
    """What the same person could do at the same time, as the shell names it, in its order."""
    return tuple(
        name
        for name, trials in _trials(process, case, refused).items()
        if any(isinstance(rule_for(process, case, trial), Row) for trial in trials)
    )


def _trials(process: Process, case: Case, refused: Command) -> dict[str, tuple[Command, ...]]:
    """One or more commands per name; if any would be accepted, so would that name with the right details."""
    at, by = refused.at, refused.by
    later = at + timedelta(days=1)
    take_over = Take(at=at, by=by, take_over=True)
    reasons = [reason.name for reason in process.wait_reasons[:1]]
    people = assignment.valid_people(process)
    return {
        "submit": (Submit(at=at, by=by),),
        "take": (Take(at=at, by=by),),
        # AS-10: only with the option that says that it is meant.
        "take --take-over": (take_over,) if somebody_else_has_it(process, case, take_over) else (),
        "release": (Release(at=at, by=by),),
        "progress": (SetInProgress(at=at, by=by),),
        "todo": (SetToDo(at=at, by=by),),
        "assign": tuple(Assign(at=at, by=by, person=person) for person in people),
        "wait": (
            StartWait(at=at, by=by, type=WaitType.ON_HOLD),
            StartWait(at=at, by=by, type=WaitType.UNTIL, until=later),
            *(StartWait(at=at, by=by, type=WaitType.MORE_INFO, reason=reason) for reason in reasons),
        ),
        "resolve": (Resolve(at=at, by=by),),
        "reopen": (Reopen(at=at, by=by),),
        "cancel": (Cancel(at=at, by=by, is_confirmed=True),),
        "reply": (SendAnswer(at=at, by=by, mail=OutgoingId(0)),),
        "note": (AddNote(at=at, by=by, text=TextId(0)),),
        "attention": (RaiseAttention(at=at, by=by),),
        "due": tuple(SetDue(at=at, by=by, due_at=later + timedelta(days=days)) for days in range(2)),
        "read": (MarkRead(at=at, by=by),),
    }
