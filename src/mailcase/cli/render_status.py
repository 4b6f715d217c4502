"""How everything stands, for people to read: what wants an operator stands first, with what to do."""

from __future__ import annotations

from collections.abc import Iterator

from mailcase.cli.codes import code
from mailcase.cli.record import Record
from mailcase.cli.screen import Screen
from mailcase.cli.table import Cell, Column, fields, table, wrapped
from mailcase.cli.words import colon, label, word
from mailcase.core.case import Status
from mailcase.inbound.protocol import Json
from mailcase.store.rows.outbox import DeliveryState

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def status_screen(data: Json, screen: Screen) -> Iterator[str]:
    """The whole screen."""
    answer = Record(data)
    yield from _problems(answer, screen)
    yield from fields(
        [
            (word("Daemon", screen.language), _daemon(answer, screen)),
            (word("Cases", screen.language), _cases(answer, screen)),
            (word("Due", screen.language), _due(answer, screen)),
            (word("Mail", screen.language), _mail(answer, screen)),
            (word("Outbox", screen.language), _outbox(answer, screen)),
            (word("Windows", screen.language), _windows(answer, screen)),
        ],
        screen,
    )
    yield ""
    yield from _mailboxes(answer, screen)


def _problems(answer: Record, screen: Screen) -> Iterator[str]:
    problems = answer.records("problems")
    for problem in problems:
        for number, line in enumerate(wrapped(problem.text("text"), screen, indent=2)):
            yield ("  " if number else "! ") + screen.styled(line, colour="red", bold=True)
        for line in wrapped(problem.text("advice"), screen, indent=4):
            yield f"    {line}"
    if problems:
        yield ""


def _daemon(answer: Record, screen: Screen) -> Cell:
    daemon, version = answer.record("daemon"), f"mailcase {answer.text('version')}"
    if daemon is None:
        return Cell(f"{word('does not run', screen.language)} ({version})", colour="red")
    since = f"{word('since', screen.language)} {screen.local(daemon.time('started_at'))}"
    return Cell(f"{since} ({age(daemon.number('uptime_s') or 0, screen)}), {version}", colour="green")


def _counts(record: Record, names: list[tuple[str, str]]) -> str:
    """`3 To Do, 1 Waiting`; what there is none of is left out."""
    return ", ".join(f"{count} {name}" for key, name in names if (count := record.number(key)))


def _cases(answer: Record, screen: Screen) -> Cell:
    names = [(status.value, label(Status, status.value, screen.language)) for status in Status]
    return Cell(_counts(answer.record("cases") or Record(None), names) or word("none", screen.language))


def _due(answer: Record, screen: Screen) -> Cell:
    due = answer.record("due") or Record(None)
    names = [
        ("red", word("past due", screen.language)),
        ("amber", word("due today", screen.language)),
        ("green", word("due later", screen.language)),
    ]
    colour = "red" if due.number("red") else "yellow" if due.number("amber") else None
    return Cell(_counts(due, names) or word("no due date", screen.language), colour=colour)


def _mail(answer: Record, screen: Screen) -> Cell:
    mail = answer.record("mail") or Record(None)
    names = [(key, code(key, screen.language)) for key in ("pending", "unhandled", "parked")]
    is_bad = bool(mail.number("unhandled_recent") or mail.number("parked_recent"))
    return Cell(_counts(mail, names) or word("all handled", screen.language), colour="red" if is_bad else None)


def _outbox(answer: Record, screen: Screen) -> Cell:
    outbox = answer.record("outbox") or Record(None)
    states = [state.value for state in DeliveryState]
    text = _counts(outbox, [(state, code(state, screen.language)) for state in states])
    parts = [text] if text else []
    if waiting := _oldest(outbox.record("waiting"), screen):
        parts.append(waiting)
    held = outbox.record("held") or Record(None)
    if held.number("count"):
        parts.append(f"{held.text('count')} {word('held', screen.language)}")
    return Cell("; ".join(parts) or word("empty", screen.language))


def _windows(answer: Record, screen: Screen) -> Cell:
    held = answer.record("held_windows") or Record(None)
    if not held.number("count"):
        return Cell(word("none is held", screen.language))
    return Cell(f"{held.text('count')} {word('held', screen.language)}; {_oldest(held, screen)}", colour="yellow")


def _oldest(some: Record | None, screen: Screen) -> str:
    seconds = some.number("oldest_age_s") if some else None
    return (
        ""
        if seconds is None
        else f"{word('the oldest', screen.language)}{colon(screen.language)}{age(seconds, screen)}"
    )


def age(seconds: int, screen: Screen) -> str:
    """A length of time as people say it: `3 d 4 h`, `12 min`."""
    day = "j" if screen.language == "fr" else "d"
    if seconds >= _DAY:
        return f"{seconds // _DAY} {day} {seconds % _DAY // _HOUR} h"
    if seconds >= _HOUR:
        return f"{seconds // _HOUR} h {seconds % _HOUR // _MINUTE} min"
    return f"{seconds // _MINUTE} min" if seconds >= _MINUTE else f"{seconds} s"


def _mailboxes(answer: Record, screen: Screen) -> Iterator[str]:
    columns = [
        Column(title=word("Mailbox", screen.language)),
        Column(title=word("Kind", screen.language), dispensable=1),
        Column(title=word("State", screen.language), least=14),
        Column(title=word("Backlog", screen.language), is_right=True),
        Column(title=word("Login", screen.language), least=10, dispensable=2),
    ]
    rows = [
        [
            Cell(mailbox.text("name"), bold=True),
            Cell(mailbox.text("kind")),
            _state(mailbox, screen),
            Cell(mailbox.text("backlog")),
            _login(mailbox.record("login"), screen),
        ]
        for mailbox in answer.records("mailboxes")
    ]
    return iter(table(columns, rows, screen))


def _login(login: Record | None, screen: Screen) -> Cell:
    """How it logs in, and until when; a failure stands in the state of its mailbox."""
    if login is None:
        return Cell("")
    ends_on = login.text("secret_ends_on")
    return Cell(f"{login.text('kind')}, {word('until', screen.language)} {ends_on}" if ends_on else login.text("kind"))


def _state(mailbox: Record, screen: Screen) -> Cell:
    if not mailbox.is_true("enabled"):
        return Cell(word("disabled", screen.language))
    if error := mailbox.text("last_error"):
        return Cell(error, colour="red")
    if mailbox.text("kind") != "imap":
        is_listening = mailbox.is_true("listening")
        if is_listening:
            return Cell(word("listening", screen.language))
        return Cell(word("not listening", screen.language), colour="red")
    read_at = mailbox.time("last_read_at")
    if read_at is None:
        return Cell(word("not read yet", screen.language), colour="yellow")
    return Cell(f"{word('read', screen.language)} {screen.local(read_at)}")
