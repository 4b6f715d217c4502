"""On a real terminal: a pseudo-terminal of 60 columns, with the daemon's socket behind the command."""

from __future__ import annotations

import base64
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import unicodedata
from pathlib import Path

import pytest
from tests.cli.scripted import CASE, MAIL, ScriptedDaemon

from mailcase.cli.table import columns_of
from mailcase.inbound.control import Response

WIDTH = 60
#: The command as it is installed.
MAILCASE = str(Path(sys.executable).with_name("mailcase"))


def on_a_terminal(folder: Path, *words: str, typed: bytes = b"", **environment: str) -> tuple[int, str]:
    """Exit code and what appeared on the screen."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, WIDTH, 0, 0))
    process = subprocess.Popen(
        [MAILCASE, *words],
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", **environment},
        start_new_session=True,
    )
    os.close(theirs)
    if typed:
        os.write(ours, typed)
    screen = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        screen += chunk
    os.close(ours)
    return process.wait(30), screen.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("words", [["case", "list"], ["case", "list", "--lang", "fr"]])
def test_a_list_fits_sixty_columns(daemon: ScriptedDaemon, folder: Path, words: list[str]) -> None:
    daemon.response = Response(data=[CASE | {"subject": "A very long subject " * 20}])

    code, screen = on_a_terminal(folder, *words, NO_COLOR="1")

    assert code == 0
    assert len(screen.splitlines()) == 2
    assert all(columns_of(line) <= WIDTH for line in screen.splitlines())
    assert "\x1b" not in screen


def test_a_terminal_has_colours_and_a_pipe_or_no_color_has_none(daemon: ScriptedDaemon, folder: Path) -> None:
    daemon.response = Response(data=CASE)

    _, coloured = on_a_terminal(folder, "case", "show", "1042-C")
    _, plain = on_a_terminal(folder, "case", "show", "1042-C", NO_COLOR="1")
    _, dumb = on_a_terminal(folder, "case", "show", "1042-C", TERM="dumb")
    command = [MAILCASE, "case", "show", "1042-C"]
    piped = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)

    assert "\x1b[1m" in coloured
    assert "\x1b" not in plain + dumb + piped.stdout


def test_a_raw_mail_cannot_move_the_cursor(daemon: ScriptedDaemon, folder: Path) -> None:
    """S7."""
    raw = b"Subject: \x1b[2J\xc2\x9b31m\r\n\r\n\xe2\x80\xae\xff body\r\n"
    daemon.response = Response(data=MAIL | {"raw": base64.b64encode(raw).decode()})

    code, screen = on_a_terminal(folder, "mail", "show", "7", "--raw")

    assert code == 0
    assert "\\x1b[2J" in screen
    assert [character for character in screen if unicodedata.category(character) in ("Cc", "Cf")] == ["\n"] * 4


@pytest.mark.parametrize(("typed", "code", "is_cancelled"), [(b"y\n", 0, True), (b"n\n", 1, False), (b"\n", 1, False)])
def test_a_cancel_is_asked_for_and_done_only_on_yes(
    daemon: ScriptedDaemon, folder: Path, typed: bytes, code: int, is_cancelled: bool
) -> None:
    daemon.response = Response(data=CASE)

    ended, screen = on_a_terminal(folder, "case", "cancel", "1042-C", typed=typed)

    assert "cannot be reopened" in screen
    assert ended == code
    assert [request.operation for request in daemon.asked] == ["case.cancel"] * is_cancelled


def test_a_reply_without_text_is_asked_for(daemon: ScriptedDaemon, folder: Path) -> None:
    daemon.response = Response(data=CASE)

    code, screen = on_a_terminal(folder, "case", "reply", "1042-C", typed=b"It is done.\n\x04")

    assert code == 0
    assert "Ctrl-D" in screen
    assert daemon.request.arguments["text"] == "It is done.\n"
