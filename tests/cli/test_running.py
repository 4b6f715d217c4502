"""`mailcase run` as a process, `mailcase try` against it, and shells beside it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import Result
from tests.cli.scripted import login, write_config

Mailcase = Callable[..., Result]

MAILCASE = str(Path(sys.executable).with_name("mailcase"))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def running(folder: Path, more: str = "") -> Iterator[subprocess.Popen[str]]:
    """A daemon that has said it is started; stopped at the end if it still runs."""
    write_config(folder, login=login(), port=free_port(), more=more)
    process = subprocess.Popen([MAILCASE, "run"], cwd=folder, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if json.loads(line)["event"] == "daemon_started":
                break
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_a_try_prints_the_answer_and_why(folder: Path, mailcase: Mailcase) -> None:
    with running(folder):
        tried = mailcase("try", "My printer smokes")
        listed = mailcase("case", "list", "--json")

    assert tried.exit_code == 0, tried.output
    assert "  From: Example Support <support@example.org>" in tried.stdout
    assert "  Subject: Re: My printer smokes [1001-C]" in tried.stdout
    assert "Outcome     new-case (routed) 1001-C" in tried.stdout
    assert "→ route" in tried.stdout
    assert [case["ref"] for case in json.loads(listed.stdout)] == ["1001-C"]


def test_a_try_can_be_json(folder: Path, mailcase: Mailcase) -> None:
    with running(folder):
        tried = json.loads(mailcase("try", "Ça fume", "--json").stdout)

    assert tried["answer"]["to"] == tried["mail"]["from"]
    assert "Ça fume" in tried["answer"]["subject"]
    assert tried["mail"]["outcome"] == "new-case"


def test_a_try_with_outgoing_held_says_where_the_answer_is(folder: Path, mailcase: Mailcase) -> None:
    with running(folder, more="outgoing: hold\n"):
        tried = mailcase("try", "My printer smokes")
        outbox = json.loads(mailcase("outbox", "list", "--json").stdout)

    assert tried.exit_code == 0, tried.output
    assert "Outgoing mail is held" in tried.stdout
    assert "Outcome     new-case" in tried.stdout
    assert {delivery["held"] for delivery in outbox} == {True}


def test_a_try_without_a_daemon_says_how_to_start_one(folder: Path, mailcase: Mailcase) -> None:
    write_config(folder, port=free_port())

    tried = mailcase("try", "My printer smokes")

    assert tried.exit_code == 1
    assert "mailcase run" in tried.stderr


def test_a_try_never_lets_an_answer_leave_the_house(folder: Path, mailcase: Mailcase) -> None:
    write_config(folder, port=free_port(), more="relay: {host: smtp.example.org}\n")

    tried = mailcase("try", "My printer smokes")

    assert tried.exit_code == 1
    assert "smtp.example.org" in tried.stderr
    assert "outgoing: hold" in tried.stderr


def test_a_try_needs_a_port_to_write_to(folder: Path, mailcase: Mailcase) -> None:
    (folder / "desk.secret").write_text("x\n")
    (folder / "desk.secret").chmod(0o600)
    path = folder / "config.yaml"
    imap = "{kind: imap, host: imap.example.org, user: me, password_file: desk.secret}"
    path.write_text(path.read_text().replace('{kind: smtp, listen: "127.0.0.1:2525"}', imap))

    tried = mailcase("try", "My printer smokes")

    assert tried.exit_code == 1
    assert "no mailbox receives over SMTP" in tried.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_daemon_cleanly(folder: Path, number: signal.Signals) -> None:
    with running(folder) as process:
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)

    assert process.returncode == 0
    assert json.loads(errors.splitlines()[-1])["event"] == "daemon_stopped"
    assert not (folder / "var" / "mailcase.sock").exists()


def test_a_closed_terminal_does_not_stop_the_daemon(folder: Path, mailcase: Mailcase) -> None:
    with running(folder) as process:
        process.send_signal(signal.SIGHUP)

        assert mailcase("case", "list").exit_code == 0
        assert process.poll() is None


def test_a_second_daemon_is_told_to_come_later(folder: Path) -> None:
    """R2: two daemons never share a store."""
    with running(folder):
        second = subprocess.run([MAILCASE, "run"], cwd=folder, capture_output=True, text=True, check=False, timeout=30)

    assert second.returncode == 75
    assert "another mailcase" in second.stderr


def test_a_wrong_configuration_does_not_start(folder: Path) -> None:
    write_config(folder, more="relay: {prot: 587}\n")

    ended = subprocess.run([MAILCASE, "run"], cwd=folder, capture_output=True, text=True, check=False, timeout=30)

    assert ended.returncode == 78
    assert "config.yaml:16:" in ended.stderr
