"""Hostile and huge mail through the whole daemon: an outcome for each, the next mail is taken, memory is bounded (S10).

What a single reading costs in time is proved in tests/mail/test_hostile.py, in memory in tests/mail/test_memory.py.
"""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.e2e.house import MARIE, SUPPORT, House, house, mail_text

MIB = 1024 * 1024
#: No mail may cost more (S10); here the client that sends it lives in the same process.
MEMORY_BYTES = 150 * MIB
HEAD = f"Message-ID: <1@customer.example>\nFrom: {MARIE}\nTo: {SUPPORT}\nSubject: huge\n"


def huge(more: str, body: str = "hello\n") -> bytes:
    return (HEAD + more + "\n" + body).replace("\n", "\r\n").encode()


def nested(depth: int) -> bytes:
    kind = "Content-Type: multipart/mixed; boundary=b{0}\n"
    inner = "".join(f"--b{n}\n" + kind.format(n + 1) + "\n" for n in range(depth))
    return huge(kind.format(0), inner + f"--b{depth}\n\nhello\n")


def forwarded(depth: int) -> bytes:
    return huge("Content-Type: message/rfc822\n", "Content-Type: message/rfc822\n\n" * depth + "hello\n")


MAILS: dict[str, Callable[[], bytes]] = {
    "10,000 recipients": lambda: huge("Cc: " + ",\n ".join(f"a{n}@example.net" for n in range(10_000)) + "\n"),
    "200 nested parts": lambda: nested(200),
    "1,000 nested parts": lambda: nested(1000),
    "1,000 nested mails": lambda: forwarded(1000),
    "100,000 parts": lambda: huge("Content-Type: multipart/mixed; boundary=b\n", "--b\n\nx\n" * 100_000 + "--b--\n"),
    "10 MB of headers": lambda: huge("".join(f"X-{n}: {'y' * 60}\n" for n in range(150_000))),
    "one header of 10 MB": lambda: huge(
        "References: " + "\n ".join(f"<{n}@{'x' * 60}>" for n in range(150_000)) + "\n"
    ),
    "24 MB of text": lambda: huge("", "It smokes and smells of burnt plastic.\n" * (24 * MIB // 40)),
    "24 MB of empty lines": lambda: huge("", "\n" * (12 * MIB - 1000)),
    "24 MB of soft line breaks": lambda: huge("Content-Transfer-Encoding: quoted-printable\n", "a=  \n" * (4 * MIB)),
    "24 MB of base64 in pieces": lambda: huge("Content-Transfer-Encoding: base64\n", ("QQ==" * 18 + "\n") * 320_000),
    "24 MB of nothing but tags": lambda: huge("Content-Type: text/html\n", ("<div>" * 14 + "\n") * 330_000),
}


@contextmanager
def memory_within(limit_bytes: int) -> Iterator[None]:
    """The peak of this process stays so close to what it has now."""
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not reset.exists():
        pytest.skip("only Linux tells the peak of a stretch of time")
    reset.write_text("5")
    before = _kib(status, "VmRSS")
    yield
    assert (_kib(status, "VmHWM") - before) * 1024 < limit_bytes


def _kib(status: Path, name: str) -> int:
    return int(next(line for line in status.read_text().splitlines() if line.startswith(name)).split()[1])


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", MAILS)
async def test_a_huge_mail_has_an_outcome_and_the_next_one_is_taken(tmp_path: Path, name: str) -> None:
    raw = MAILS[name]()
    async with house(tmp_path) as (here, _sink):
        with memory_within(MEMORY_BYTES):
            answer = await streamed(here, raw)
            await here.writes(mail_text(2))
            outcomes = await here.until_handled(2)

        assert answer.startswith(b"250 ")
        assert outcomes == ["new-case", "new-case"]
        assert [mail.attempts for mail in await here.mails()] == [1, 1]
        assert await here.app.store.raw((await here.mails())[0].id) == raw


async def test_a_mail_over_the_limit_is_refused_for_good_and_the_next_one_is_taken(tmp_path: Path) -> None:
    """552 to the announced size, and to the mail itself where nothing was announced."""
    raw = huge("", "x" * 70 + "\n") + b"y\r\n" * (17 * MIB)
    async with house(tmp_path) as (here, _sink):
        with pytest.raises(smtplib.SMTPSenderRefused) as announced:
            await here.writes(raw)
        with memory_within(MEMORY_BYTES):
            answer = await streamed(here, raw)
        await here.writes(mail_text(2))
        outcomes = await here.until_handled(1)

    assert announced.value.smtp_code == 552
    assert answer.startswith(b"552 ")
    assert outcomes == ["new-case"]


async def streamed(here: House, raw: bytes) -> bytes:
    """The answer to a mail whose size was not told before; a client that makes no copies, which would be measured."""
    reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
    greeting = [f"EHLO {MARIE.partition('@')[2]}", f"MAIL FROM:<{MARIE}>", f"RCPT TO:<{SUPPORT}>", "DATA"]
    await reader.readuntil(b"\r\n")
    for line in greeting:
        writer.write(line.encode() + b"\r\n")
        while (await reader.readuntil(b"\r\n"))[3:4] == b"-":
            pass
    for at in range(0, len(raw), MIB):
        writer.write(raw[at : at + MIB])
        await writer.drain()
    writer.write(b".\r\n")
    answer = await reader.readuntil(b"\r\n")
    writer.close()
    return answer
