"""What people read: labels, times in their zone, the marks, and nothing that a stranger wrote moves a cursor (S7)."""

from __future__ import annotations

import ast
import inspect
import unicodedata
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

import pytest
from tests.cli.scripted import CASE, DELIVERY, MAIL

from mailcase.cli import codes, reload, render_case, render_mail, render_status
from mailcase.cli.render_case import case_answered, case_list, case_show, case_summary
from mailcase.cli.render_mail import (
    mail_list,
    mail_show,
    mailbox_check,
    mailbox_list,
    outbox_list,
    outbox_show,
)
from mailcase.cli.render_status import status_screen
from mailcase.cli.render_store import backed_up, migrated, restored
from mailcase.cli.screen import Screen
from mailcase.cli.table import columns_of
from mailcase.cli.words import FRENCH
from mailcase.config.settings import Language
from mailcase.inbound.protocol import Json
from mailcase.mail.kind import Kind
from mailcase.store.rows.inbox import Outcome, Reason
from mailcase.store.rows.outbox import DeliveryState

View = Callable[[Json, Screen], Iterable[str]]

MAILBOX: dict[str, Json] = {
    "name": "desk",
    "kind": "imap",
    "account": "support@imap.example.org",
    "enabled": True,
    "addresses": ["support@example.org"],
    "read_through_at": "2026-03-04T10:00:00Z",
    "checked_at": "2026-03-04T10:01:00Z",
    "last_error": None,
}
BACKUP: dict[str, Json] = {
    "file": "/var/backups/mailcase.db",
    "size_bytes": 290_816,
    "made_at": "2026-03-04T10:00:00Z",
    "revision": "0001",
    "mails": 2,
    "cases": 1,
    "deliveries": 0,
    "secrets": ["keys.json"],
}
RESTORED: dict[str, Json] = {
    "store": "/var/lib/mailcase/mailcase.db",
    "backup_made_at": "2026-03-04T10:00:00Z",
    "mails": 2,
    "cases": 1,
    "deliveries_unknown": 3,
    "next_case_after": 11_001,
    "held_until": "2026-03-05T10:00:00Z",
    "moved_aside_to": "/var/lib/mailcase/mailcase.db.before-restore-20260305T100000Z",
}
STATUS: dict[str, Json] = {
    "version": "0.1.0",
    "at": "2026-03-04T12:00:00Z",
    "daemon": {
        "started_at": "2026-03-01T08:00:00Z",
        "uptime_s": 273_600,
        "configured_at": "2026-03-01T08:00:00Z",
        "reload_problems": [],
    },
    "mailboxes": [
        {
            "name": "desk",
            "kind": "imap",
            "enabled": True,
            "listening": None,
            "last_read_at": "2026-03-04T11:59:00Z",
            "backlog": 3,
            "backlog_oldest_at": "2026-03-04T11:58:00Z",
            "last_error": "NO \x1b[2Jwrong password",
            "login": {"kind": "client-credentials", "user": "me", "secret_ends_on": "2026-03-09"},
        }
    ],
    "cases": {"draft": 0, "to-do": 12, "in-progress": 3, "waiting": 0, "resolved": 1, "closed": 900},
    "due": {"red": 2, "amber": 0, "green": 9},
    "outbox": {
        "queued": 4,
        "claimed": 0,
        "deferred": 1,
        "failed": 0,
        "unknown": 1,
        "waiting": {"count": 5, "oldest_at": "2026-03-04T10:18:00Z", "oldest_age_s": 6120},
        "held": {"count": 2, "oldest_at": "2026-03-04T10:18:00Z", "oldest_age_s": 6120},
    },
    "mail": {"pending": 3, "unhandled": 40, "unhandled_recent": 0, "parked": 0, "parked_recent": 0},
    "held_windows": {"count": 1, "oldest_at": "2026-03-04T11:00:00Z", "oldest_age_s": 3600},
    "problems": [
        {
            "what": "unknown",
            "about": None,
            "count": 1,
            "since": None,
            "text": "1 deliveries of the last 7 days may have arrived or not",
            "advice": "mailcase outbox list --state unknown",
        }
    ],
}
CHECK: dict[str, Json] = {"mailbox": "desk", "check": "imap", "ok": False, "detail": "NO wrong password"}


def screen(language: Language = Language.ENGLISH, *, width: int | None = None, has_colour: bool = False) -> Screen:
    return Screen(
        width=width,
        has_colour=has_colour,
        zone=ZoneInfo("Europe/Paris"),
        language=language,
        now=datetime(2026, 3, 4, 12, tzinfo=UTC),
    )


def shown(view: View, data: Json, on: Screen | None = None) -> str:
    return "\n".join(view(data, on or screen()))


# ---- cases ---------------------------------------------------------------------------------------------------------


def test_a_case_is_shown_on_one_screen_with_its_timeline() -> None:
    assert shown(case_show, CASE).splitlines() == [
        "1042-C  Printer smokes",
        "Status        Waiting: Wait for more information, client, since 2026-03-04 10:00",
        "Reason        Updated By Resource",
        "Flags         Needs attention",
        "Lists         Work Inbox, Owned Work",
        "SLA           Due: Paused 3 h 20 m before due",
        "Assignee      ann",
        "Owner         ann",
        "Queue         support",
        "Process       enquiry",
        "Requester     paul@example.net",
        "Participants  paul@example.net, lea@example.net",
        "Created       2026-03-03 09:15 · Email",
        "Mailbox       desk",
        "Mails         7, 9",
        "Links         continues 1001-C",
        "Reopened      2026-03-03 13:00, System, An answer arrived",
        "",
        "Timeline",
        "2026-03-03 09:15  System  Case opened: Printer smokes",
        "2026-03-04 10:00  ann     Status changed: To Do -> Waiting",
    ]


def test_what_was_noted_on_a_case_can_be_read_whole_on_a_narrow_screen() -> None:
    words = "called twice, nobody answers, " * 5 + "at last"
    note: Json = {"at": "2026-03-04T10:00:00Z", "type": "note-added", "by": "ann", "text": words}

    for width in (40, 80):
        text = shown(case_show, {**CASE, "timeline": [note]}, screen(width=width))
        assert " ".join(text.split()).endswith(words)


def test_a_case_in_french_has_the_labels_of_the_spec() -> None:
    """1.2, 1.3."""
    text = shown(case_show, CASE, screen(Language.FRENCH))

    assert "En attente\N{NO-BREAK SPACE}: En attente de plus d'informations, client, depuis le 2026-03-04 10:00" in text
    assert "Nécessite une attention particulière" in text
    assert "Boîte de réception de travail, Mes responsabilités" in text
    assert "Mis à jour par une ressource" in text
    assert "Responsable     ann" in text
    assert "Chronologie" in text
    assert "Système  Cas créé\N{NO-BREAK SPACE}: Printer smokes" in text


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"wait": {"type": "until", "until": "2026-03-09T08:00:00Z"}}, "Waiting: Wait Until, until 2026-03-09 09:00"),
        ({"wait": {"type": "on-hold"}}, "Waiting: Pause"),
        ({"status": "closed", "status_reason": "Cancelled", "wait": None}, "Status        Cancelled"),
        ({"due_text": None, "due_at": "2026-03-05T08:00:00Z"}, "SLA           2026-03-05 09:00"),
        ({"due_text": None}, "SLA           Not Set"),
        ({"feedback_until": "2026-03-10T22:59:59Z"}, "Window ends   2026-03-10 23:59"),
        ({"links": [{"ref": "9-C", "kind": "continues-by"}]}, "continued by 9-C"),
        ({"resolutions": [{"by": "ann", "at": "2026-03-04T09:00:00Z", "method": "new fuse"}]}, "10:00, ann, new fuse"),
    ],
)
def test_a_case_shows_what_holds_for_it(changes: dict[str, Json], line: str) -> None:
    assert line in shown(case_show, CASE | changes)


def test_a_list_marks_what_wants_an_eye() -> None:
    cases: Json = [
        CASE,
        CASE | {"ref": "2-C", "flags": ["new-information"], "status": "to-do", "wait": None},
        CASE | {"ref": "3-C", "flags": [], "wait": {"type": "on-hold"}, "due_at": "2026-03-04T20:00:00Z"},
    ]

    assert shown(case_list, cases).splitlines() == [
        "   Case    Status            Due                         Queue    Assignee  Requester         Subject",
        "!  1042-C  Waiting (client)  Paused 3 h 20 m before due  support  ann       paul@example.net  Printer smokes",
        "*  2-C     To Do             Paused 3 h 20 m before due  support  ann       paul@example.net  Printer smokes",
        "   3-C     Waiting (Pause)   2026-03-04 21:00            support  ann       paul@example.net  Printer smokes",
    ]


@pytest.mark.parametrize(
    ("due_at", "status", "colour"),
    [
        ("2026-03-04T11:59:00Z", "to-do", "\x1b[31m"),
        ("2026-03-04T22:00:00Z", "to-do", "\x1b[33m"),
        ("2026-03-04T23:30:00Z", "to-do", "\x1b[32m"),
        ("2026-03-04T11:59:00Z", "closed", ""),
    ],
)
def test_due_dates_have_the_colours_of_the_spec(due_at: str, status: str, colour: str) -> None:
    """SL-9: red past due, amber due today (in the operator's zone), green on target."""
    case = CASE | {"due_at": due_at, "status": status, "wait": None, "flags": []}

    text = shown(case_list, [case], screen(has_colour=True))

    at = datetime.fromisoformat(due_at).astimezone(ZoneInfo("Europe/Paris")).strftime("%Y-%m-%d %H:%M")
    assert f"{colour}{at}" in text
    assert bool(colour) or f"m{at}" not in text


def test_after_a_command_the_case_takes_two_lines() -> None:
    assert shown(case_summary, CASE).splitlines() == [
        "1042-C  Printer smokes",
        "  Waiting (client) · Needs attention · Assignee ann · Due: Paused 3 h 20 m before due",
    ]


# ---- mail ----------------------------------------------------------------------------------------------------------


def test_after_a_reply_the_mail_is_named_that_carries_it() -> None:
    timeline: list[Json] = [{"type": "answer-sent", "by": "ann", "text": f"outbox mail {number}"} for number in (3, 8)]

    assert shown(case_answered, {**CASE, "timeline": timeline}).splitlines()[-1] == "  Answer written: outbox mail 8"


def test_why_shows_each_rule_with_its_evidence_and_marks_the_one_that_decided() -> None:
    assert shown(mail_show, MAIL).splitlines()[-8:] == [
        "",
        "Why",
        "  own-mail     not sent by us",
        "               <abc@example.net>",
        "  duplicate    not seen before",
        "               fingerprint 12ab",
        "→ in-reply-to  belongs to 1042-C",
        "               <m1@example.org>",
    ]
    assert "Outcome     appended (in-reply-to) 1042-C" in shown(mail_show, MAIL)


def test_a_mail_that_nobody_has_looked_at_yet_has_no_reasons() -> None:
    pending = MAIL | {"outcome": "pending", "reason": None, "cases": [], "trace": [], "subject": None, "from": None}

    text = shown(mail_show, pending)

    assert "Outcome     pending" in text
    assert "Why" not in text
    assert "Subject" not in text


def test_a_held_delivery_says_so() -> None:
    assert "queued (held)" in shown(outbox_list, [DELIVERY | {"state": "queued", "held": True}])


def test_a_held_delivery_has_no_next_attempt() -> None:
    held = {**DELIVERY, "state": "queued", "held": True, "next_at": "2026-03-04T10:00:00Z"}

    assert "2026-03-04" not in shown(outbox_show, held)
    assert "2026-03-04 11:00" in shown(outbox_show, {**held, "held": False})


def test_a_disabled_mailbox_says_so() -> None:
    assert "imap (disabled)" in shown(mailbox_list, [MAILBOX | {"enabled": False}])


@pytest.mark.parametrize("view", [case_list, mail_list, outbox_list, mailbox_list])
def test_an_empty_list_says_that_it_is(view: View) -> None:
    assert shown(view, []) == "Nothing to show."
    assert shown(view, [], screen(Language.FRENCH)) == "Rien à afficher."


# ---- hostile text, narrow screens ----------------------------------------------------------------------------------

HOSTILE = '\x1b[2J\x9b31m\r\n{"event":"login"}\u202e[link=x]\u2028\ud800\x00end'

VIEWS: list[tuple[View, Json]] = [
    (status_screen, STATUS),
    (case_list, [CASE]),
    (case_summary, CASE),
    (case_show, CASE),
    (mail_list, [MAIL]),
    (mail_show, MAIL),
    (outbox_list, [DELIVERY]),
    (outbox_show, DELIVERY),
    (mailbox_list, [MAILBOX]),
    (mailbox_check, [CHECK]),
    (backed_up, BACKUP),
    (restored, RESTORED),
    (migrated, {"store": "/var/lib/mailcase/mailcase.db", "revision": "0001"}),
]


def poisoned(value: Json) -> Json:
    """The same object with every free text hostile; times, numbers and truth values stay."""
    if isinstance(value, dict):
        return {key: poisoned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [poisoned(item) for item in value]
    if isinstance(value, str) and not value.endswith("00Z"):
        return value + HOSTILE
    return value


@pytest.mark.parametrize(("view", "data"), VIEWS)
@pytest.mark.parametrize("width", [None, 60])
def test_hostile_text_reaches_the_screen_only_as_text(view: View, data: Json, width: int | None) -> None:
    """S7: one line in, one line out; no control, bidi or surrogate character in any line."""
    lines = list(view(poisoned(data), screen(width=width)))

    assert lines
    for line in lines:
        bad = [character for character in line if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
        assert bad == []
    if width is None:
        assert len(lines) == len(list(view(data, screen())))


@pytest.mark.parametrize(("view", "data"), VIEWS)
@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("width", [40, 60, 80, 132])
def test_every_view_fits_every_terminal(view: View, data: Json, language: Language, width: int) -> None:
    for line in view(data, screen(language, width=width)):
        assert columns_of(line) <= width


def headings() -> set[str]:
    """Every English word that the views give to `word`, or to a table or list of fields that does."""
    found: set[str] = set()
    for module in (reload, render_case, render_mail, render_status):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            match node:
                case (
                    ast.Call(func=ast.Name(id="word"), args=[ast.Constant(value=str(text)), *_])
                    | ast.Tuple(elts=[ast.Constant(value=str(text)), ast.Call(func=ast.Name(id="Cell"))])
                    | ast.keyword(arg="title", value=ast.Constant(value=str(text)))
                ):
                    found.add(text)
    return found - {""}


def test_every_heading_has_a_french_word_and_every_word_is_used() -> None:
    others = {"continued by", "named, from outside, by", "fine", "failed", "Answer"}

    assert headings() | others == set(FRENCH)


@pytest.mark.parametrize("vocabulary", [Outcome, Reason, DeliveryState, Kind])
def test_every_code_that_is_shown_has_a_french_word(vocabulary: type[StrEnum]) -> None:
    assert [value for value in vocabulary if value not in codes.FRENCH] == []


def test_a_trace_in_french_has_french_rules_outcome_and_reason() -> None:
    text = shown(mail_show, MAIL, screen(Language.FRENCH))

    assert "ajouté au cas (In-Reply-To) 1042-C" in text
    assert "e-mail de nous" in text
    assert "doublon" in text
    assert not any(code in text for code in ("appended", "own-mail", "duplicate"))


def test_the_detail_of_a_reason_stays_beside_its_french_word() -> None:
    assert codes.code("too-large: 31 bytes", Language.FRENCH) == "trop volumineux\N{NO-BREAK SPACE}: 31 bytes"


# ---- status ----------------------------------------------------------------------------------------------------------


def test_what_wants_an_operator_stands_first_with_what_to_do() -> None:
    lines = list(status_screen(STATUS, screen()))

    assert lines[:3] == [
        "! 1 deliveries of the last 7 days may have arrived or not",
        "    mailcase outbox list --state unknown",
        "",
    ]


def test_a_long_problem_is_one_problem() -> None:
    problem: Json = {"what": "mailbox-failing", "text": "Mailbox desk cannot be read: " + "no route to the host " * 6}

    lines = list(status_screen({**STATUS, "problems": [problem]}, screen(width=60)))

    assert [line[:2] for line in lines[:4]] == ["! ", "  ", "  ", "  "]


def test_the_screen_says_how_everything_stands() -> None:
    text = shown(status_screen, STATUS)

    assert "since 2026-03-01 09:00 (3 d 4 h), mailcase 0.1.0" in text
    assert "12 To Do, 3 In Progress, 1 Resolved, 900 Closed" in text
    assert "2 past due, 9 due later" in text
    assert "3 pending, 40 unhandled" in text
    assert "4 queued, 1 deferred, 1 unknown; the oldest: 1 h 42 min; 2 held" in text
    assert "1 held; the oldest: 1 h 0 min" in text
    assert "client-credentials, until 2026-03-09" in text


def test_the_screen_is_one_screen() -> None:
    assert len(list(status_screen(STATUS, screen(width=80)))) <= 24


def test_without_a_daemon_the_screen_says_so() -> None:
    assert "does not run" in shown(status_screen, {**STATUS, "daemon": None})
