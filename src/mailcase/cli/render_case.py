"""Cases for people to read: the list, the summary after a command, and the one screen of `case show`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mailcase.cli.record import Record, records
from mailcase.cli.screen import Screen
from mailcase.cli.table import Cell, Column, beside, columns_of, cut, fields, table
from mailcase.cli.words import actor_label, colon, event_label, label, link_label, list_label, status_label, word
from mailcase.core.case import Flag, Origin, ReopeningCause, Status, StatusReason, WaitType
from mailcase.core.sla import DueColour, due_colour
from mailcase.inbound.protocol import Json

_COLUMNS = (
    Column(title=""),
    Column(title="Case"),
    Column(title="Status", least=11),
    Column(title="Due", least=16, dispensable=1),
    Column(title="Queue", least=8, dispensable=4),
    Column(title="Assignee", least=8, dispensable=2),
    Column(title="Requester", least=12, dispensable=3),
    Column(title="Subject", least=16),
)
_STATUS_COLOURS = {
    Status.TO_DO: "cyan",
    Status.IN_PROGRESS: "blue",
    Status.WAITING: "magenta",
    Status.RESOLVED: "green",
}


def case_list(data: Json, screen: Screen) -> Iterator[str]:
    """One line per case."""
    rows = [_row(case, screen) for case in records(data)]
    if not rows:
        yield word("Nothing to show.", screen.language)
        return
    columns = [replace(column, title=word(column.title, screen.language)) for column in _COLUMNS]
    yield from table(columns, rows, screen)


def _row(case: Record, screen: Screen) -> list[Cell]:
    marks = "!" if Flag.NEEDS_ATTENTION in case.texts("flags") else "*" if case.texts("flags") else ""
    return [
        Cell(marks, colour="red"),
        Cell(case.text("ref"), bold=bool(marks)),
        Cell(_status(case, screen), colour=_colour(case)),
        _short_due(case, screen),
        Cell(case.text("queue")),
        Cell(case.text("assignee")),
        Cell(case.text("requester")),
        Cell(case.text("subject"), bold=bool(marks)),
    ]


def _colour(case: Record) -> str | None:
    status = case.text("status")
    return _STATUS_COLOURS.get(Status(status)) if status in tuple(Status) else None


def _status(case: Record, screen: Screen) -> str:
    """`Waiting (client)`, `Cancelled`."""
    text = status_label(case.text("status"), case.text("status_reason"), screen.language)
    wait = case.record("wait")
    if wait is None:
        return text
    what = (
        wait.text("reason") or screen.local(wait.time("until")) or label(WaitType, wait.text("type"), screen.language)
    )
    return f"{text} ({what})"


def _short_due(case: Record, screen: Screen) -> Cell:
    """The due date, or what the due message says after its colon (SL-8)."""
    due_at = case.time("due_at")
    if due_at is None:
        return Cell(case.text("due_text").partition(":")[2].strip())
    return Cell(screen.local(due_at), colour=_due_colour(case, screen))


_COLOURS = {DueColour.RED: "red", DueColour.AMBER: "yellow", DueColour.GREEN: "green", DueColour.GREY: None}


def _due_colour(case: Record, screen: Screen) -> str | None:
    """SL-9, as the terminal has its colours; none once the work is done."""
    if case.text("status") in (Status.RESOLVED, Status.CLOSED):
        return None
    return _COLOURS[due_colour(case.time("due_at"), screen.now, screen.zone)]


def case_summary(data: Json, screen: Screen) -> Iterator[str]:
    """What a command has made of a case, in a line or two."""
    case = Record(data)
    yield f"{screen.styled(case.text('ref'), bold=True)}  {_title(case, screen)}"
    parts = [_status(case, screen), *_flags(case, screen)]
    if assignee := case.text("assignee"):
        parts.append(f"{word('Assignee', screen.language)} {screen.name_of(assignee)}")
    elif queue := case.text("queue"):
        parts.append(f"{word('Queue', screen.language)} {queue}")
    if due := case.text("due_text"):
        parts.append(due)
    yield _one_line("  " + " · ".join(parts), screen)


def case_answered(data: Json, screen: Screen) -> Iterator[str]:
    """The same after `case reply`, with the mail that was written: the outbox says whether it has gone out."""
    yield from case_summary(data, screen)
    written = [event for event in Record(data).records("timeline") if event.text("type") == "answer-sent"]
    yield from (_one_line(f"  {_event(event, screen)}", screen) for event in written[-1:])


def _title(case: Record, screen: Screen) -> str:
    room = None if screen.width is None else screen.width - len(case.text("ref")) - 2
    return case.text("subject") if room is None else cut(case.text("subject"), room)


def _one_line(line: str, screen: Screen) -> str:
    return line if screen.width is None else cut(line, screen.width)


def case_show(data: Json, screen: Screen) -> Iterator[str]:
    """One screen: what it is, where it stands, who is in it, and its timeline."""
    case = Record(data)
    yield f"{screen.styled(case.text('ref'), bold=True)}  {screen.styled(_title(case, screen), bold=True)}"
    yield from fields([(word(name, screen.language), cell) for name, cell in _facts(case, screen)], screen)
    yield ""
    yield screen.styled(word("Timeline", screen.language), bold=True)
    timeline = [(event, _actor(event, screen)) for event in case.records("timeline")]
    width = max((columns_of(who) for _, who in timeline), default=0)
    for event, who in timeline:
        head = f"{screen.local(event.time('at'))}  {who}{' ' * (width - columns_of(who))}  "
        yield from beside(head, _event(event, screen), screen)


def _facts(case: Record, screen: Screen) -> Iterator[tuple[str, Cell]]:
    language = screen.language
    yield "Status", Cell(_long_status(case, screen), colour=_colour(case))
    yield "Reason", Cell(label(StatusReason, case.text("status_reason"), language))
    yield "Flags", Cell(", ".join(_flags(case, screen)), colour="red", bold=True)
    yield "Lists", Cell(", ".join(list_label(name, language) for name in case.texts("lists")))
    due = case.text("due_text") or screen.local(case.time("due_at")) or word("Not Set", language)
    yield "SLA", Cell(due, colour=_due_colour(case, screen))
    yield "Window ends", Cell(screen.local(case.time("feedback_until")))
    yield "Assignee", Cell(_person(case.text("assignee"), screen))
    yield "Owner", Cell(_person(case.text("owner"), screen))
    yield "Queue", Cell(case.text("queue"))
    yield "Process", Cell(case.text("process"))
    yield "Requester", Cell(case.text("requester"))
    yield "Participants", Cell(case.text("participants"))
    yield "Unconfirmed", Cell(case.text("unconfirmed"), colour="yellow")
    yield "Created", Cell(_created(case, screen))
    yield "Mailbox", Cell(case.text("mailbox"))
    yield "Mails", Cell(", ".join(case.texts("mails")))
    yield "Links", Cell(", ".join(_link(link, screen) for link in case.records("links")))
    yield "Resolved", Cell("; ".join(_done(entry, screen, "method") for entry in case.records("resolutions")))
    yield "Reopened", Cell("; ".join(_done(entry, screen, "cause") for entry in case.records("reopenings")))


def _long_status(case: Record, screen: Screen) -> str:
    text = status_label(case.text("status"), case.text("status_reason"), screen.language)
    wait = case.record("wait")
    if wait is None:
        return text
    parts = [label(WaitType, wait.text("type"), screen.language)]
    if reason := wait.text("reason"):
        parts.append(reason)
    if until := wait.time("until"):
        parts.append(f"{word('until', screen.language)} {screen.local(until)}")
    if since := wait.time("since"):
        parts.append(f"{word('since', screen.language)} {screen.local(since)}")
    return f"{text}{colon(screen.language)}{', '.join(parts)}"


def _flags(case: Record, screen: Screen) -> list[str]:
    return [label(Flag, flag, screen.language) for flag in case.texts("flags")]


def _created(case: Record, screen: Screen) -> str:
    origin = label(Origin, case.text("origin"), screen.language)
    return " · ".join(part for part in (screen.local(case.time("created_at")), origin) if part)


def _link(link: Record, screen: Screen) -> str:
    return f"{link_label(link.text('kind'), screen.language)} {link.text('ref')}"


def _person(person: str, screen: Screen) -> str:
    """`Ann Lee (ann)`: the name to read and the id to type."""
    name = screen.name_of(person)
    return name if name == person else f"{name} ({person})"


def _actor(entry: Record, screen: Screen) -> str:
    return actor_label(entry.text("by"), screen.name_of(entry.text("by")), screen.language)


def _done(entry: Record, screen: Screen, what: str) -> str:
    how = label(ReopeningCause, entry.text(what), screen.language)
    return ", ".join(part for part in (screen.local(entry.time("at")), _actor(entry, screen), how) if part)


def _event(event: Record, screen: Screen) -> str:
    text = event.text("text")
    what = event_label(event.text("type"), screen.language)
    return f"{what}{colon(screen.language) + text if text else ''}"
