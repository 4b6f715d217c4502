"""The engine's table of rules as the tables and the diagram of docs/cases.md.

The table itself knows commands, guards and consequences by their functions; the words for them stand here. A function
without words is an error, so that a new rule cannot be left out of the document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

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
from mailcase.core.rules import Bar, Row, always
from mailcase.core.table import OPENINGS, TABLE

_COMMANDS: dict[type[object], str] = {
    Submit: "`case submit`",
    Take: "`case take`",
    SetInProgress: "`case progress`",
    SetToDo: "`case todo`",
    Assign: "`case assign`",
    Release: "`case release`",
    StartWait: "`case wait`",
    Resolve: "`case resolve`",
    Reopen: "`case reopen`",
    Cancel: "`case cancel`",
    RaiseAttention: "`case attention`",
    ReportUndelivered: "mail to the requester fails",
    ReceiveMail: "mail joins",
    FileMail: "mail is filed",
    SendAnswer: "`case reply`",
    MarkRead: "`case read`",
    MarkNew: "`case read --undo`",
    AddNote: "`case note`",
    LinkCase: "a link is found",
    SetDue: "`case due`",
    Tick: "time passes",
}
_ORIGINS = {Origin.MANUAL: "`case new`", Origin.EMAIL: "mail starts a case"}
_DEADLINES = {
    DeadlineKind.FOLLOW_UP: "the follow-up date has come",
    DeadlineKind.END_OF_WINDOW: "the feedback window is over and all mail is read past its end",
    DeadlineKind.DUE_AT_RISK: "the due date is at risk",
    DeadlineKind.OVERDUE: "the due date has passed",
}
_GUARDS: dict[Callable[..., bool], str] = {
    always: "",
    when.actor_is_unknown: "the person is not among `people`",
    when.actor_is_retired: "the person is retired",
    when.receiver_is_unknown: "the receiver is not among `people`",
    when.receiver_is_retired: "the receiver is retired",
    when.receiver_has_it: "the receiver has it already",
    when.actor_has_it: "the person has it already",
    when.somebody_else_has_it: "somebody else has it",
    when.must_take_over: "somebody else has it, and `--take-over` is not given",
    when.nobody_has_it: "nobody has it",
    when.may_take: "nobody else has it, and `answer_takes` is on",
    when.needs_attention: "it needs attention",
    when.is_calm: "it needs no attention",
    when.may_settle: "it needs attention, and the person may settle that",
    when.may_not_settle: "it needs attention, and others are to settle that",
    when.is_fate_unknown: "it may yet have arrived",
    when.lacks_reason: "a wait for information, without a reason",
    when.names_unknown_reason: "the reason is not among `wait_reasons`",
    when.lacks_date: "a wait until a moment, without the moment",
    when.is_over_before_it_begins: "the moment has passed",
    when.has_foreign_detail: "a reason or a moment that this wait does not have",
    when.is_same_wait: "it waits for exactly that",
    when.is_hold_with_attention: "`--hold`, and it needs attention",
    when.asks_information: "`--info REASON`",
    when.asks_until: "`--until MOMENT`",
    when.is_on_hold: "it is on hold",
    when.waits_for_information: "it waits for information",
    when.has_window: "the process has a feedback window",
    when.is_window_over: "the feedback window is over",
    when.came_too_late: "it arrived after the feedback window",
    when.is_unconfirmed: "it is not confirmed (`--yes`)",
    when.is_nothing_new: "nothing is new",
    when.is_new_already: "it is marked as new",
    when.is_due_fixed: "the due rule says `may_override: false`",
    when.is_clock_paused: "the clock is paused",
    when.is_due_unchanged: "it is due then already",
    when.is_due_in_past: "the date has passed",
    when.is_due_too_far: "the date is more than ten years ahead",
}
_CONSEQUENCES: dict[Callable[..., None], str] = {
    then.change_nothing: "nothing",
    then.open_by_hand: "whoever made it has it",
    then.open_from_mail: "new information; the clock starts; the case waits in its queue",
    then.submit: "the clock starts; into the queue, with an owner",
    then.progress: "the person has it; what was new is seen",
    then.settle_and_progress: "the person has it; the problem is settled",
    then.take_over: "the person has it",
    then.end_wait_in_progress: "the person has it; wait over; a problem is settled; the clock runs",
    then.end_wait_to_do: "wait over; the clock runs; back to the owner's inbox",
    then.undo_progress: "back to the queue, with an owner",
    then.hand_over: "the receiver has it",
    then.assign: "the receiver has it, or owns it where it rests",
    then.return_to_queue: "back to the queue, with an owner",
    then.release: "back to the queue; to-do work keeps an owner",
    then.wait: "every flag is cleared; the clock pauses or runs; with its owner",
    then.end_wait_by_mail: "new information; the clock runs; in the inbox",
    then.end_wait_by_time: "wait over; in the inbox",
    then.resolve: "the window begins; every flag is cleared; the clock stops",
    then.resolve_for_good: "every flag is cleared; the clock stops; nobody has it",
    then.close: "nobody has it",
    then.cancel: "every flag is cleared; nobody has it",
    then.reopen: "a reopening is recorded; the due date is what it was; with its owner, and in the queue",
    then.reopen_by_mail: "a reopening by the system; new information; in the inbox",
    then.flag_problem: "needs attention; the wait goes on",
    then.stop_for_problem: "needs attention; a wait ends; the clock runs",
    then.flag_undelivered: "needs attention; the wait goes on",
    then.stop_for_undelivered: "needs attention; a wait ends; the clock runs",
    then.reopen_undelivered: "a reopening by the system; needs attention",
    then.append_mail: "new information; in the inbox",
    then.file_mail: "on the timeline only",
    then.answer: "what was new is seen",
    then.answer_and_progress: "the person has it; what was new is seen",
    then.mark_read: "new information and wait over are cleared",
    then.mark_new: "new information; in the inbox",
    then.note: "on the timeline only",
    then.link: "on the timeline only",
    then.override_due: "the due date is that one; what was new is seen",
    then.remind: "a notice; once per due date",
    then.miss: "a notice; once per due date",
}
_DIAGRAM_NAMES = {
    Status.DRAFT: "Draft",
    Status.TO_DO: "ToDo",
    Status.IN_PROGRESS: "InProgress",
    Status.WAITING: "Waiting",
    Status.RESOLVED: "Resolved",
    Status.CLOSED: "Closed",
}


def rows() -> tuple[Row, ...]:
    """Rules that carry something out, in the order in which they are tried."""
    return tuple(rule for rule in TABLE if isinstance(rule, Row))


def bars() -> tuple[Bar, ...]:
    """Rules that refuse, in the order in which they are tried."""
    return tuple(rule for rule in TABLE if isinstance(rule, Bar))


def transitions() -> str:
    """What moves a case from one status to another."""
    openings = [
        (opening.id, "(none)", _ORIGINS[origin], "", f"`{opening.target}`", _CONSEQUENCES[opening.then])
        for origin, opening in OPENINGS.items()
    ]
    moving = [
        (row.id, statuses(row), _COMMANDS[row.command], condition(row), f"`{row.target}`", follows(row))
        for row in rows()
        if row.target is not None
    ]
    return table(("rule", "from", "what happens", "if", "to", "what follows"), [*openings, *moving])


def changes_within() -> str:
    """What changes a case in its status."""
    found = [
        (row.id, statuses(row), _COMMANDS[row.command], condition(row), follows(row))
        for row in rows()
        if row.target is None
    ]
    return table(("rule", "in", "what happens", "if", "what follows"), found)


def refusals() -> str:
    """What is refused; commands that are refused alike share a row."""
    grouped: dict[tuple[str, str, str, str], list[str]] = {}
    for bar in bars():
        key = (bar.id, statuses(bar), condition(bar), f"`{bar.reason}`")
        grouped.setdefault(key, []).append(_COMMANDS[bar.command])
    found = [(key[0], ", ".join(commands), *key[1:]) for key, commands in grouped.items()]
    return table(("rule", "asked", "in", "if", "reason"), found)


def diagram() -> str:
    """The same transitions as a Mermaid state diagram, but for those that end where they begin."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for opening in OPENINGS.values():
        arrows.setdefault(("[*]", _DIAGRAM_NAMES[opening.target]), []).append(opening.id)
    for row in rows():
        for status in reached(row):
            if row.target is not None and row.target is not status:
                arrows.setdefault((_DIAGRAM_NAMES[status], _DIAGRAM_NAMES[row.target]), []).append(row.id)
    lines = [f"    {a} --> {b}: {', '.join(dict.fromkeys(ids))}" for (a, b), ids in arrows.items()]
    return "\n".join(("```mermaid", "stateDiagram-v2", *lines, "    Closed --> [*]", "```"))


def reached(rule: Row | Bar) -> tuple[Status, ...]:
    """The statuses in which the rule can be the first that fits: no earlier rule answers every such command there."""
    earlier = TABLE[: next(place for place, other in enumerate(TABLE) if other is rule)]
    answered = {
        status
        for other in earlier
        if other.command is rule.command and other.guard is always
        for status in other.origin
    }
    return tuple(status for status in Status if status in rule.origin - answered)


def statuses(rule: Row | Bar) -> str:
    """The statuses of a rule in words."""
    found = reached(rule)
    return "any" if len(found) == len(Status) else ", ".join(f"`{status}`" for status in found)


def condition(rule: Row | Bar) -> str:
    """The guard in words."""
    if rule.guard in _GUARDS:
        return _GUARDS[rule.guard]
    kinds = [cell.cell_contents for cell in rule.guard.__closure__ or ()]
    return _DEADLINES[kinds[0]]


def follows(row: Row) -> str:
    """The consequences in words."""
    return _CONSEQUENCES[row.then]


def unused_words() -> Iterator[str]:
    """Words for what no rule has any more."""
    guards = {rule.guard for rule in TABLE}
    consequences = {row.then for row in rows()} | {opening.then for opening in OPENINGS.values()}
    commands = {rule.command for rule in TABLE}
    yield from (guard.__name__ for guard in _GUARDS if guard not in guards)
    yield from (consequence.__name__ for consequence in _CONSEQUENCES if consequence not in consequences)
    yield from (command.__name__ for command in _COMMANDS if command not in commands)


def table(heads: Iterable[str], found: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    heads = tuple(heads)
    lines = [heads, tuple("---" for _ in heads), *found]
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines)
