"""What reaches the log and the terminal (S7, S16)."""

from __future__ import annotations

import base64
import errno
import io
import json
import os
import unicodedata
from collections.abc import Iterator
from contextlib import suppress

import pytest
import structlog

from mailcase.log import get_logger, set_up, without_secret

PASSWORD = 'SECRET"pw\\123'


@pytest.mark.parametrize(
    "said",
    [
        f"NO {PASSWORD} is wrong",
        'NO LOGIN "ann" "SECRET\\"pw\\\\123" failed',
        f"NO {base64.b64encode(PASSWORD.encode()).decode()}",
        "NO " + base64.b64encode(f"\0ann\0{PASSWORD}".encode()).decode(),
    ],
    ids=["plain", "quoted for IMAP", "base64", "SASL PLAIN"],
)
def test_S16_a_repeated_password_is_cut_out_in_every_form(said: str) -> None:
    shown = without_secret(said, "ann", PASSWORD)

    assert "***" in shown
    assert "SECRET" not in shown
    assert base64.b64encode(PASSWORD.encode()).decode() not in shown


def test_S16_no_password_cuts_nothing() -> None:
    assert without_secret("NO such user", "ann", "") == "NO such user"


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


#: What moves a cursor, writes a line of its own, or turns the reading order around.
HOSTILE = "x\x1b[2J\x9b31m\u202e\u2028\x07\r{end}"


@pytest.fixture(autouse=True)
def _settings_of_structlog() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def fail(text: str) -> None:
    raise ValueError(text)


def log_a_failure(stream: io.StringIO, text: str) -> str:
    set_up(stream)
    try:
        fail(text)
    except ValueError:
        get_logger().exception("mail_failed", sender=text)
    return stream.getvalue()


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["JSON", "terminal"])
def test_S7_a_traceback_brings_no_control_characters(stream: io.StringIO) -> None:
    written = log_a_failure(stream, HOSTILE)

    assert "ValueError: x\\x1b[2J" in written.replace("\\\\", "\\")
    # Colours are ours; they stand on the first line.
    after = written.split("\n", 1)[1] if isinstance(stream, Terminal) else written
    unsafe = {character for character in after if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp")}
    assert unsafe <= {"\n"}


def test_S7_a_traceback_keeps_its_lines_on_a_terminal() -> None:
    written = log_a_failure(Terminal(), "plain")

    assert "Traceback (most recent call last):\n" in written
    assert written.rstrip().endswith("ValueError: plain")


def test_S7_a_failure_is_one_line_of_json_whatever_its_text() -> None:
    (line,) = log_a_failure(io.StringIO(), 'a\n{"event": "login"}\n').splitlines()

    assert json.loads(line)["event"] == "mail_failed"


def test_a_traceback_that_quotes_a_mail_is_cut() -> None:
    written = log_a_failure(io.StringIO(), "x" * 1_000_000)

    assert len(written) < 2000


class FullDisk(io.StringIO):
    """A stream that takes nothing for a while."""

    is_full = True

    def write(self, text: str) -> int:
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(text)


def test_a_log_that_cannot_be_written_fails_nobody_and_says_so_afterwards() -> None:
    """R12: the disk of the log is often the disk of the store."""
    stream = FullDisk()
    set_up(stream)
    get_logger().info("mail_accepted", mail_id=1)
    get_logger().info("mail_accepted", mail_id=2)
    stream.is_full = False
    get_logger().info("mail_accepted", mail_id=3)
    get_logger().info("mail_accepted", mail_id=4)

    written = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["mail_id"], line.get("lines_lost")) for line in written] == [(3, 2), (4, None)]


def test_a_log_whose_reader_has_gone_fails_nobody() -> None:
    read_end, write_end = os.pipe()
    with open(write_end, "w", encoding="utf-8") as stream:
        set_up(stream)
        os.close(read_end)
        get_logger().info("mail_accepted", mail_id=1)
        with suppress(OSError):
            # What is left in its buffer.
            stream.close()
    get_logger().info("mail_accepted", mail_id=2)
