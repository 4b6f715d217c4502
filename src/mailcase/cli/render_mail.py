"""Mail in and out, and mailboxes, for people to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailcase.cli.codes import code
from mailcase.cli.record import Record, records
from mailcase.cli.screen import Screen
from mailcase.cli.table import Cell, Column, Row, columns_of, fields, size, table, wrapped
from mailcase.cli.words import notice_label, word
from mailcase.inbound.protocol import Json

_BAD_OUTCOMES = frozenset({"unhandled", "parked"})
_BAD_STATES = frozenset({"failed", "unknown"})


def _listed(columns: Sequence[Column], rows: Sequence[Row], screen: Screen) -> Iterator[str]:
    if rows:
        yield from table(columns, rows, screen)
    else:
        yield word("Nothing to show.", screen.language)


def _named(pairs: Sequence[tuple[str, Cell]], screen: Screen) -> list[str]:
    return fields([(word(name, screen.language), cell) for name, cell in pairs], screen)


# ---- mail that came in ---------------------------------------------------------------------------------------------


def mail_list(data: Json, screen: Screen) -> Iterator[str]:
    """One line per mail."""
    columns = [
        Column(title=word("Id", screen.language), is_right=True),
        Column(title=word("Received", screen.language), dispensable=2),
        Column(title=word("Mailbox", screen.language), least=8, dispensable=4),
        Column(title=word("Outcome", screen.language)),
        Column(title=word("Reason", screen.language), least=8, dispensable=3),
        Column(title=word("Cases", screen.language), least=7),
        Column(title=word("From", screen.language), least=12, dispensable=1),
        Column(title=word("Subject", screen.language), least=16),
    ]
    rows = [
        [
            Cell(mail.text("id")),
            Cell(screen.local(mail.time("received_at"))),
            Cell(mail.text("mailbox")),
            _outcome(mail, screen),
            Cell(code(mail.text("reason"), screen.language)),
            Cell(" ".join(mail.texts("cases"))),
            Cell(mail.text("from")),
            Cell(mail.text("subject")),
        ]
        for mail in records(data)
    ]
    return _listed(columns, rows, screen)


def _outcome(mail: Record, screen: Screen) -> Cell:
    outcome = mail.text("outcome")
    return Cell(code(outcome, screen.language), colour="red" if outcome in _BAD_OUTCOMES else None)


def mail_show(data: Json, screen: Screen) -> Iterator[str]:
    """What is known of one mail, then why it ended so: `mail show` and `why`."""
    mail = Record(data)
    outcome, reason = _outcome(mail, screen), code(mail.text("reason"), screen.language)
    ending = [outcome.text, f"({reason})" if reason else "", *mail.texts("cases")]
    yield from _named(
        [
            ("Mail", Cell(mail.text("id"), bold=True)),
            ("From", Cell(mail.text("from"))),
            ("Subject", Cell(mail.text("subject"))),
            ("Received", Cell(screen.local(mail.time("received_at")))),
            ("Mailbox", Cell(mail.text("mailbox"))),
            ("Message-ID", Cell(mail.text("message_id"))),
            ("Size", Cell(size(mail.number("size_bytes") or 0))),
            ("Kind", Cell(code(mail.text("kind"), screen.language))),
            ("Outcome", Cell(" ".join(part for part in ending if part), colour=outcome.colour, bold=True)),
        ],
        screen,
    )
    steps = mail.records("trace")
    if steps:
        yield ""
        yield screen.styled(word("Why", screen.language), bold=True)
        yield from _trace(steps, screen)


def _trace(steps: Sequence[Record], screen: Screen) -> Iterator[str]:
    """Each rule tried with its result, its evidence below; an arrow marks the one that decided."""
    rules = [code(step.text("rule"), screen.language) for step in steps]
    width = max(columns_of(rule) for rule in rules)
    for step, rule in zip(steps, rules, strict=True):
        has_won = step.is_true("decisive")
        mark = "→ " if has_won else "  "
        indent = len(mark) + width + 2
        first, *more = wrapped(step.text("result"), screen, indent=indent)
        yield screen.styled(f"{mark}{rule}{' ' * (width - columns_of(rule))}  {first}", bold=has_won)
        yield from (" " * indent + line for line in more)
        if evidence := step.text("evidence"):
            yield from (
                " " * indent + screen.styled(line, dim=True) for line in wrapped(evidence, screen, indent=indent)
            )


# ---- mail that goes out --------------------------------------------------------------------------------------------


def outbox_list(data: Json, screen: Screen) -> Iterator[str]:
    """One line per recipient of a mail of ours."""
    columns = [
        Column(title=word("Id", screen.language), is_right=True),
        Column(title=word("State", screen.language)),
        Column(title=word("Case", screen.language)),
        Column(title=word("Notice", screen.language), least=10, dispensable=2),
        Column(title=word("To", screen.language), least=14),
        Column(title=word("Attempts", screen.language), is_right=True, dispensable=4),
        Column(title=word("Next", screen.language), dispensable=3),
        Column(title=word("Last reply", screen.language), least=12, dispensable=1),
    ]
    rows = [
        [
            Cell(delivery.text("id")),
            _state(delivery, screen),
            Cell(delivery.text("case")),
            Cell(notice_label(delivery.text("notice"), screen.language)),
            Cell(delivery.text("to")),
            Cell(delivery.text("attempts")),
            Cell(_next(delivery, screen)),
            Cell(delivery.text("last_reply")),
        ]
        for delivery in records(data)
    ]
    return _listed(columns, rows, screen)


def _state(delivery: Record, screen: Screen) -> Cell:
    state = delivery.text("state")
    if delivery.is_true("held"):
        return Cell(f"{code(state, screen.language)} ({word('held', screen.language)})", colour="yellow")
    return Cell(
        code(state, screen.language),
        colour="red" if state in _BAD_STATES else "yellow" if state == "deferred" else None,
    )


def _next(delivery: Record, screen: Screen) -> str:
    """When it is tried next; a held one is not tried."""
    return "" if delivery.is_true("held") else screen.local(delivery.time("next_at"))


def outbox_show(data: Json, screen: Screen) -> Iterator[str]:
    """Where one delivery stands."""
    delivery = Record(data)
    state = _state(delivery, screen)
    yield from _named(
        [
            ("Id", Cell(delivery.text("id"), bold=True)),
            ("State", Cell(state.text, colour=state.colour, bold=True)),
            ("Case", Cell(delivery.text("case"))),
            ("Notice", Cell(notice_label(delivery.text("notice"), screen.language))),
            ("To", Cell(delivery.text("to"))),
            ("Message-ID", Cell(delivery.text("message_id"))),
            ("Mail", Cell(delivery.text("mail_id"))),
            ("Attempts", Cell(delivery.text("attempts"))),
            ("Next", Cell(_next(delivery, screen))),
            ("Last reply", Cell(delivery.text("last_reply"))),
        ],
        screen,
    )


def outbox_changed(data: Json, screen: Screen) -> Iterator[str]:
    """How many deliveries were changed, and which were left as they are."""
    answer = Record(data)
    done, left = answer.texts("done"), answer.texts("left")
    yield from _named([("Done", Cell(str(len(done)), bold=True)), ("Left", Cell(", ".join(left)))], screen)


# ---- mailboxes -------------------------------------------------------------------------------------------------------


def mailbox_list(data: Json, screen: Screen) -> Iterator[str]:
    """One line per mailbox: how far it has been read, and what is wrong with it."""
    columns = [
        Column(title=word("Name", screen.language)),
        Column(title=word("Kind", screen.language)),
        Column(title=word("Account", screen.language), least=10, dispensable=2),
        Column(title=word("Read through", screen.language), dispensable=1),
        Column(title=word("Checked", screen.language), dispensable=3),
        Column(title=word("Error", screen.language), least=14),
    ]
    rows = [
        [
            Cell(mailbox.text("name"), bold=True),
            Cell(_mailbox_kind(mailbox, screen)),
            Cell(mailbox.text("account")),
            Cell(screen.local(mailbox.time("read_through_at"))),
            Cell(screen.local(mailbox.time("checked_at"))),
            Cell(mailbox.text("last_error"), colour="red"),
        ]
        for mailbox in records(data)
    ]
    return _listed(columns, rows, screen)


def _mailbox_kind(mailbox: Record, screen: Screen) -> str:
    kind = mailbox.text("kind")
    return kind if mailbox.is_true("enabled") else f"{kind} ({word('disabled', screen.language)})"


def mailbox_check(data: Json, screen: Screen) -> Iterator[str]:
    """One line per thing that was tried."""
    for check in records(data):
        is_ok = check.is_true("ok")
        verdict = screen.styled(
            word("fine" if is_ok else "failed", screen.language), colour="green" if is_ok else "red"
        )
        yield f"{check.text('mailbox')}  {check.text('check')}: {verdict}"
        if detail := check.text("detail"):
            yield from (f"    {line}" for line in wrapped(detail, screen, indent=4))
