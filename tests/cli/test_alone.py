"""The shell without a daemon: the same operations in its own process, under the store's lock."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result

from mailcase.cli.ask import ask
from mailcase.clock import SystemClock
from mailcase.config.reader import load
from mailcase.config.settings import Settings
from mailcase.errors import TransientError
from mailcase.inbound.protocol import Request, Response
from mailcase.store.lock import StoreLock

Mailcase = Callable[..., Result]


def test_a_case_is_made_taken_and_shown_without_a_daemon(mailcase: Mailcase) -> None:
    made = mailcase("case", "new", "--process", "enquiry", "--subject", "Printer smokes", "--text", "Room 7", "--json")
    assert made.exit_code == 0, made.stderr
    ref = json.loads(made.stdout)["ref"]
    assert json.loads(made.stdout)["status"] == "draft"

    assert mailcase("case", "submit", ref).exit_code == 0
    taken = mailcase("case", "take", ref)

    assert taken.exit_code == 0, taken.stderr
    assert "In Progress" in taken.stdout
    shown = mailcase("case", "show", ref).stdout
    assert "Assignee  Ann Lee (ann)" in shown
    assert "Room 7" in shown
    listed = json.loads(mailcase("case", "list", "--list", "inbox", "--json").stdout)
    assert [case["ref"] for case in listed] == [ref]


def test_what_the_rules_forbid_is_refused_with_what_they_allow(mailcase: Mailcase) -> None:
    """2.8."""
    mailcase("case", "new", "--process", "enquiry", "--subject", "S")

    refused = mailcase("case", "reopen", "1001-C")

    assert refused.exit_code == 1
    assert refused.stdout == ""
    assert refused.stderr.startswith("mailcase: ")


def test_a_case_that_does_not_exist_is_refused(mailcase: Mailcase) -> None:
    refused = mailcase("case", "show", "999-C")

    assert refused.exit_code == 1
    assert "no case 999-C" in refused.stderr


def asked(settings: Settings, *, patience: timedelta) -> Response:
    request = Request(operation="case.list")
    return ask(settings.socket, request, (), SystemClock(), load=lambda: settings, patience=patience)


def test_a_store_that_somebody_else_holds_is_tried_again_later(folder: Path) -> None:
    settings = load(folder / "config.yaml")

    with StoreLock.acquire(settings.store), pytest.raises(TransientError, match="has the store"):
        asked(settings, patience=timedelta(milliseconds=250))


def test_a_store_that_is_held_for_a_moment_is_waited_for(folder: Path) -> None:
    settings = load(folder / "config.yaml")
    lock = StoreLock.acquire(settings.store)
    letting_go = threading.Timer(0.3, lock.release)
    letting_go.start()

    response = asked(settings, patience=timedelta(seconds=20))

    letting_go.join()
    assert response.data == []


def test_a_held_store_is_exit_75(folder: Path, mailcase: Mailcase) -> None:
    with StoreLock.acquire(load(folder / "config.yaml").store):
        result = mailcase("case", "list")

    assert result.exit_code == 75
    assert "no daemon answers" in result.stderr


def test_status_without_a_daemon_reads_the_store_and_says_that_none_runs(mailcase: Mailcase) -> None:
    mailcase("case", "new", "--process", "enquiry", "--subject", "S")

    status = mailcase("status", "--json")

    assert status.exit_code == 1
    told = json.loads(status.stdout)
    assert told["daemon"] is None
    assert told["cases"]["draft"] == 1
    assert [problem["what"] for problem in told["problems"]] == ["no-daemon"]
    assert "wants an operator" in status.stderr


def test_a_reload_without_a_daemon_is_refused(mailcase: Mailcase) -> None:
    refused = mailcase("reload")

    assert refused.exit_code == 1
    assert "no daemon runs" in refused.stderr
