"""Every command becomes one operation with plain arguments, and its answer an exit code."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from tests.cli.scripted import CASE, DELIVERY, MAIL, ScriptedDaemon, write_config

from mailcase.inbound.control import Json, Request, Response
from mailcase.inbound.protocol import Exit

Mailcase = Callable[..., Result]

ACTING: list[tuple[list[str], str, dict[str, Json]]] = [
    (
        ["case", "new", "--process", "enquiry", "--subject", "S", "--requester", "p@example.net", "--text", "T"],
        "case.new",
        {"process": "enquiry", "subject": "S", "requester": "p@example.net", "text": "T"},
    ),
    (["case", "submit", "1-C"], "case.submit", {"ref": "1-C"}),
    (["case", "take", "1-c"], "case.take", {"ref": "1-C", "take_over": False}),
    (["case", "take", "1-C", "--take-over"], "case.take", {"ref": "1-C", "take_over": True}),
    (["case", "release", "1-C"], "case.release", {"ref": "1-C"}),
    (["case", "progress", "1-C"], "case.progress", {"ref": "1-C"}),
    (["case", "todo", "1-C"], "case.todo", {"ref": "1-C"}),
    (["case", "reopen", "1-C"], "case.reopen", {"ref": "1-C"}),
    (["case", "read", "1-C"], "case.read", {"ref": "1-C", "undo": False}),
    (["case", "read", "1-C", "--undo"], "case.read", {"ref": "1-C", "undo": True}),
    (["case", "cancel", "1-C", "--yes"], "case.cancel", {"ref": "1-C", "yes": True}),
    (["case", "assign", "1", "bob", "--note", "N"], "case.assign", {"ref": "1-C", "person": "bob", "note": "N"}),
    (
        ["case", "wait", "1-C", "--info", "client"],
        "case.wait",
        {"ref": "1-C", "info": "client", "until": None, "hold": False},
    ),
    (
        ["case", "wait", "1-C", "--until", "2026-07-01 10:00"],
        "case.wait",
        {"ref": "1-C", "info": None, "until": "2026-07-01T08:00:00Z", "hold": False},
    ),
    (["case", "wait", "1-C", "--hold"], "case.wait", {"ref": "1-C", "info": None, "until": None, "hold": True}),
    (["case", "resolve", "1-C", "--method", "M"], "case.resolve", {"ref": "1-C", "method": "M"}),
    (["case", "note", "1-C", "a remark"], "case.note", {"ref": "1-C", "text": "a remark"}),
    (["case", "attention", "1-C", "no paper"], "case.attention", {"ref": "1-C", "reason": "no paper"}),
    (["case", "due", "1-C", "2026-01-01 10:00"], "case.due", {"ref": "1-C", "at": "2026-01-01T09:00:00Z"}),
    (["mail", "retry", "7"], "mail.retry", {"id": 7}),
    (["outbox", "retry", "3"], "outbox.retry", {"id": 3}),
    (["outbox", "cancel", "3"], "outbox.cancel", {"id": 3}),
    (["outbox", "retry", "3", "4"], "outbox.retry", {"ids": [3, 4]}),
    (["outbox", "cancel", "3", "4"], "outbox.cancel", {"ids": [3, 4]}),
    (["outbox", "retry", "--all", "--state", "unknown"], "outbox.retry", {"state": "unknown"}),
    (["outbox", "cancel", "--all", "--state", "held"], "outbox.cancel", {"state": "held"}),
]

LOOKING: list[tuple[list[str], str, dict[str, Json]]] = [
    (
        [
            "case",
            "list",
            "--status",
            "to-do",
            "--queue",
            "support",
            "--assignee",
            "ann",
            "--requester",
            "p@example.net",
        ],
        "case.list",
        {
            "status": "to-do",
            "queue": "support",
            "assignee": "ann",
            "requester": "p@example.net",
            "list": None,
            "limit": 200,
        },
    ),
    (["case", "show", "[1-C]"], "case.show", {"ref": "1-C"}),
    (
        ["mail", "list", "--outcome", "parked", "--mailbox", "desk", "--since", "2026-01-02"],
        "mail.list",
        {"outcome": "parked", "mailbox": "desk", "since": "2026-01-01T23:00:00Z", "limit": 200},
    ),
    (["mail", "show", "7"], "mail.show", {"id": 7, "raw": False}),
    (["outbox", "list", "--state", "failed"], "outbox.list", {"state": "failed", "limit": 200}),
    (["outbox", "show", "3"], "outbox.show", {"id": 3, "raw": False}),
    (["mailbox", "list"], "mailbox.list", {}),
    (["mailbox", "check"], "mailbox.check", {"name": None}),
    (["mailbox", "check", "desk"], "mailbox.check", {"name": "desk"}),
    (["store", "migrate"], "store.migrate", {}),
    (["why", "<abc@example.net>"], "why", {"mail": "abc@example.net"}),
    (["why", "7"], "why", {"mail": "7"}),
]


@pytest.mark.parametrize(("words", "operation", "arguments"), [*ACTING, *LOOKING])
def test_every_command_is_one_operation_with_plain_arguments(
    daemon: ScriptedDaemon, mailcase: Mailcase, words: list[str], operation: str, arguments: dict[str, Json]
) -> None:
    result = mailcase(*words)

    assert result.exit_code == 0, result.stderr
    assert daemon.request.operation == operation
    assert daemon.request.arguments == arguments
    assert daemon.request.as_ == "ann"


# ---- answers by mail -----------------------------------------------------------------------------------------------


def test_a_reply_carries_its_text_from_standard_input_and_its_files(
    daemon: ScriptedDaemon, mailcase: Mailcase, folder: Path
) -> None:
    (folder / "plan.pdf").write_bytes(b"%PDF\x00")
    (folder / "data.csv.gz").write_bytes(b"\x1f\x8b")

    result = mailcase(
        "case", "reply", "1-C", "--attach", "plan.pdf", "--attach", "data.csv.gz", text="Dear Paul,\nit is done.\n"
    )

    assert result.exit_code == 0, result.stderr
    assert daemon.request.operation == "case.reply"
    assert daemon.request.arguments == {
        "ref": "1-C",
        "text": "Dear Paul,\nit is done.\n",
        "to": None,
        "wait": None,
        "attachments": [
            {"name": "plan.pdf", "type": "application/pdf"},
            {"name": "data.csv.gz", "type": "application/octet-stream"},
        ],
    }
    assert daemon.blobs == [(b"%PDF\x00", b"\x1f\x8b")]


def test_a_draft_takes_its_first_note_from_standard_input(daemon: ScriptedDaemon, mailcase: Mailcase) -> None:
    mailcase("case", "new", "--process", "enquiry", "--subject", "S", "--text", "-", text="It smokes.\r\nBadly.\n")

    assert daemon.request.arguments["text"] == "It smokes.\nBadly.\n"


def test_text_that_is_not_utf_8_is_refused_not_garbled(daemon: ScriptedDaemon, mailcase: Mailcase) -> None:
    result = mailcase("case", "reply", "1-C", text="Été".encode("latin-1"))

    assert result.exit_code == 2
    assert "not UTF-8" in result.stderr
    assert daemon.asked == []


@pytest.mark.parametrize("words", [["note", "1-C", "\udcff"], ["assign", "1-C", "bob", "--note", "\udce9"]])
def test_an_argument_that_is_not_utf_8_is_refused(daemon: ScriptedDaemon, mailcase: Mailcase, words: list[str]) -> None:
    result = mailcase("case", *words)

    assert result.exit_code == 2
    assert "not UTF-8" in result.stderr
    assert daemon.asked == []


def test_a_file_whose_name_is_not_utf_8_is_sent_under_a_readable_one(
    daemon: ScriptedDaemon, mailcase: Mailcase, folder: Path
) -> None:
    (folder / "plan\udcff.pdf").write_bytes(b"%PDF")

    assert mailcase("case", "reply", "1-C", "--text", "T", "--attach", "plan\udcff.pdf").exit_code == 0
    assert daemon.request.arguments["attachments"] == [{"name": "plan\ufffd.pdf", "type": "application/pdf"}]


def test_a_third_party_can_be_asked_and_waited_for(daemon: ScriptedDaemon, mailcase: Mailcase) -> None:
    """8.39."""
    words = ["--text", "When?", "--to", "supplier@example.com", "--wait", "third party"]

    mailcase("case", "reply", "1-C", *words)

    assert daemon.request.arguments["to"] == "supplier@example.com"
    assert daemon.request.arguments["wait"] == "third party"


def test_an_empty_reply_is_not_sent(daemon: ScriptedDaemon, mailcase: Mailcase) -> None:
    result = mailcase("case", "reply", "1-C", text=" \n")

    assert result.exit_code == 2
    assert "nothing to send" in result.stderr
    assert daemon.asked == []


def test_files_that_are_too_large_together_are_refused_by_name_of_the_limit(
    daemon: ScriptedDaemon, mailcase: Mailcase, folder: Path
) -> None:
    with (folder / "film.mp4").open("wb") as film:
        film.truncate(31 * 2**20)

    result = mailcase("case", "reply", "1-C", "--text", "T", "--attach", "film.mp4")

    assert result.exit_code == 1
    assert "at most 30 MB" in result.stderr
    assert daemon.asked == []


def test_a_note_can_be_long(daemon: ScriptedDaemon, mailcase: Mailcase) -> None:
    text = "é" * 60_000

    assert mailcase("case", "note", "1-C", text).exit_code == 0
    assert daemon.request.arguments["text"] == text


# ---- who acts ------------------------------------------------------------------------------------------------------


def test_as_names_another_person(daemon: ScriptedDaemon, mailcase: Mailcase) -> None:
    assert mailcase("case", "take", "1-C", "--as", "bob").exit_code == 0
    assert daemon.request.as_ == "bob"


@pytest.mark.parametrize("words", [words for words, _, _ in ACTING])
def test_whoever_is_nobody_must_say_who_acts(
    daemon: ScriptedDaemon, mailcase: Mailcase, folder: Path, words: list[str]
) -> None:
    write_config(folder)

    result = mailcase(*words)

    assert result.exit_code == 2
    assert "--as PERSON" in result.stderr
    assert "ann, bob" in result.stderr
    assert daemon.asked == []


@pytest.mark.parametrize("words", [words for words, _, _ in LOOKING])
def test_nobody_in_particular_may_look(
    daemon: ScriptedDaemon, mailcase: Mailcase, folder: Path, words: list[str]
) -> None:
    write_config(folder)

    assert mailcase(*words).exit_code == 0
    assert daemon.request.as_ is None


def test_an_unknown_person_is_wrong_usage_even_for_looking(daemon: ScriptedDaemon, mailcase: Mailcase) -> None:
    result = mailcase("case", "list", "--as", "zoe")

    assert result.exit_code == 2
    assert "'zoe'" in result.stderr
    assert daemon.asked == []


def test_ones_own_list_needs_somebody_whose_it_is(daemon: ScriptedDaemon, mailcase: Mailcase, folder: Path) -> None:
    write_config(folder)

    assert mailcase("case", "list", "--list", "inbox").exit_code == 2
    assert mailcase("case", "list", "--list", "inbox", "--assignee", "bob").exit_code == 2
    assert mailcase("case", "list", "--list", "inbox", "--assignee", "bob", "--as", "ann").exit_code == 0
    assert (daemon.request.as_, daemon.request.arguments["assignee"]) == ("ann", "bob")


# ---- wrong usage ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["case", "take", "x"], "names look like 1042-C"),
        (["case", "take", "0-C"], "names look like 1042-C"),
        (["case", "wait", "1-C"], "exactly one"),
        (["case", "wait", "1-C", "--hold", "--info", "client"], "exactly one"),
        (["case", "wait", "1-C", "--until", "tomorrow"], "YYYY-MM-DD HH:MM"),
        (["case", "due", "1-C", "2026-13-01 10:00"], "is not a time"),
        (["case", "list", "--status", "open"], "'to-do'"),
        (["mail", "show", "seven"], "not a valid integer"),
        (["mail", "list", "--outcome", "lost"], "'parked'"),
        (["case", "new", "--subject", "S"], "--process"),
        (["case", "reply", "1-C", "--text", "T", "--attach", "missing.txt"], "missing.txt"),
        (["--lang", "de", "case", "list"], "'fr'"),
    ],
)
def test_wrong_usage_is_exit_2_with_what_would_be_right(
    daemon: ScriptedDaemon, mailcase: Mailcase, words: list[str], said: str
) -> None:
    result = mailcase(*words)

    assert result.exit_code == 2
    assert said in result.stderr
    assert daemon.asked == []


def test_a_cancel_that_nobody_confirms_is_refused(daemon: ScriptedDaemon, mailcase: Mailcase) -> None:
    result = mailcase("case", "cancel", "1-C")

    assert result.exit_code == 1
    assert result.stderr.startswith("mailcase: ")
    assert "--yes" in result.stderr
    assert daemon.asked == []


# ---- exit codes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exit_code", [1, 2, 75, 78])
def test_what_the_daemon_refuses_is_told_on_standard_error_with_its_exit_code(
    daemon: ScriptedDaemon, mailcase: Mailcase, exit_code: int
) -> None:
    daemon.response = Response(exit=exit_code, error="1-C is closed: only a new case can follow")

    result = mailcase("case", "take", "1-C")

    assert result.exit_code == exit_code
    assert result.stdout == ""
    assert result.stderr == "mailcase: 1-C is closed: only a new case can follow\n"


def test_a_refused_reload_says_why_and_nothing_else(daemon: ScriptedDaemon, mailcase: Mailcase) -> None:
    daemon.response = Response(exit=78, data={"problems": ["config.yaml:3:1: x"]}, error="nothing is taken over: x")

    result = mailcase("reload")

    assert (result.exit_code, result.stdout) == (78, "")
    assert result.stderr == "mailcase: nothing is taken over: x\n"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (["relay", "outgoing"], "Taken over: relay, outgoing\n"),
        ([], "The file is as it was; secrets and templates count as they are now.\n"),
    ],
)
def test_a_reload_says_what_it_took_over(
    daemon: ScriptedDaemon, mailcase: Mailcase, changed: list[Json], said: str
) -> None:
    daemon.response = Response(data={"changed": changed})

    assert mailcase("reload").stdout == said


def test_a_check_that_found_something_prints_it_and_ends_with_1(daemon: ScriptedDaemon, mailcase: Mailcase) -> None:
    checks: Json = [
        {"mailbox": "desk", "check": "listen", "ok": True, "detail": None},
        {"mailbox": "desk", "check": "login", "ok": False, "detail": "NO wrong password"},
    ]
    daemon.response = Response(exit=1, data=checks, error="1 of 2 checks failed")

    result = mailcase("mailbox", "check")

    assert result.exit_code == 1
    assert result.stdout.splitlines() == ["desk  listen: fine", "desk  login: failed", "    NO wrong password"]
    assert "1 of 2" in result.stderr


# ---- JSON ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "data"),
    [
        (["case", "list"], [CASE]),
        (["case", "list"], []),
        (["case", "take", "1-C"], CASE | {"subject": "Été \x1b[2J ‮ 🔥"}),
        (["mail", "show", "7"], MAIL),
        (["outbox", "list"], [DELIVERY]),
        (["why", "7"], MAIL),
    ],
)
def test_json_is_what_the_daemon_answered_in_ascii(
    daemon: ScriptedDaemon, mailcase: Mailcase, words: list[str], data: Json
) -> None:
    daemon.response = Response(data=data)

    result = mailcase(*words, "--json")

    assert result.exit_code == 0
    assert result.stdout.isascii()
    assert json.loads(result.stdout) == data


def test_a_list_says_what_its_limit_leaves_out(daemon: ScriptedDaemon, mailcase: Mailcase) -> None:
    daemon.response = Response(data=[DELIVERY], more=41)

    result = mailcase("outbox", "list", "--limit", "1")

    assert daemon.request.arguments["limit"] == 1
    assert result.stdout.splitlines()[-1] == "and 41 more; --limit N shows so many"


def test_json_has_the_whole_list_page_by_page(daemon: ScriptedDaemon, mailcase: Mailcase) -> None:
    """A row that moved between two pages is there once."""
    rows: list[Json] = [DELIVERY | {"id": number} for number in (5, 4, 4, 3)]

    def page(request: Request) -> Response:
        return Response(data=rows[2:]) if request.arguments["after"] == 4 else Response(data=rows[:2], more=2)

    daemon.response = page

    result = mailcase("outbox", "list", "--json")

    assert [row["id"] for row in json.loads(result.stdout)] == [5, 4, 3]
    assert [request.arguments["after"] for request in daemon.asked] == [None, 4]


def test_json_with_a_limit_is_one_page(daemon: ScriptedDaemon, mailcase: Mailcase) -> None:
    daemon.response = Response(data=[DELIVERY], more=41)

    result = mailcase("outbox", "list", "--json", "--limit", "1")

    assert json.loads(result.stdout) == [DELIVERY]
    assert len(daemon.asked) == 1


# ---- options everywhere --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["--json", "--as", "bob", "--lang", "fr", "case", "take", "1-C"],
        ["case", "--json", "--as", "bob", "--lang", "fr", "take", "1-C"],
        ["case", "take", "1-C", "--json", "--as", "bob", "--lang", "fr"],
        ["--lang", "en", "--as", "ann", "case", "--json", "--lang", "fr", "take", "--as", "bob", "1-C"],
    ],
)
def test_options_stand_before_and_after_and_the_nearest_wins(
    daemon: ScriptedDaemon, mailcase: Mailcase, words: list[str]
) -> None:
    daemon.response = Response(data=CASE)

    result = mailcase(*words)

    assert json.loads(result.stdout) == CASE
    assert daemon.request.as_ == "bob"
    assert daemon.request.language == "fr"


def test_the_language_is_that_of_the_person_when_nobody_says_otherwise(
    daemon: ScriptedDaemon, mailcase: Mailcase, folder: Path
) -> None:
    path = folder / "config.yaml"
    path.write_text(path.read_text().replace("name: Bob Martin,", "name: Bob Martin, language: fr,"))

    mailcase("case", "list", "--as", "bob")
    mailcase("case", "list", "--as", "ann")

    assert [request.language for request in daemon.asked] == ["fr", "en"]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--all"],
        ["--state", "held"],
        ["3", "--all", "--state", "held"],
        ["3", "--state", "held"],
        ["--all", "--state", "sent"],
    ],
)
@pytest.mark.parametrize("verb", ["retry", "cancel"])
def test_deliveries_are_named_or_all_of_a_state_are_meant(mailcase: Mailcase, verb: str, words: list[str]) -> None:
    assert mailcase("outbox", verb, *words).exit_code == 2


def test_what_became_of_several_deliveries_is_told_and_those_left_fail_the_command(
    daemon: ScriptedDaemon, mailcase: Mailcase
) -> None:
    daemon.response = Response(exit=Exit.REFUSED, data={"done": [3, 4], "left": [7]}, error="delivery 7 was sent")

    result = mailcase("outbox", "retry", "3", "4", "7")

    assert result.exit_code == 1
    assert result.stdout == "Done  2\nLeft  7\n"
    assert "delivery 7 was sent" in result.stderr


@pytest.mark.parametrize(("raw", "shown"), [(b"Subject: x\r\n\r\n\x00\xff", b"Subject: x\r\n\r\n\x00\xff"), (b"", b"")])
@pytest.mark.parametrize("noun", ["mail", "outbox"])
def test_raw_mail_is_printed_byte_for_byte_into_a_pipe(
    daemon: ScriptedDaemon, mailcase: Mailcase, noun: str, raw: bytes, shown: bytes
) -> None:
    daemon.response = Response(data={"id": 7, "raw": base64.b64encode(raw).decode()})

    result = mailcase(noun, "show", "7", "--raw")

    assert result.stdout_bytes == shown
    assert daemon.request == Request(operation=f"{noun}.show", arguments={"id": 7, "raw": True}, as_="ann")
