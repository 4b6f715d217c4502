"""What reaches the log and the terminal (S7, S16)."""

from __future__ import annotations

import base64
import io
import json
import unicodedata
from collections.abc import Iterator

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
