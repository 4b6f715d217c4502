"""Mail is read in a process of its own, which may take only so long and so much (L5)."""

from __future__ import annotations

import asyncio
import io
import os
import pickle
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from tests.handlers import office
from tests.handlers.office import START, raw_mail

from mailcase.config.reader import load
from mailcase.core.case import MailboxName, MailId
from mailcase.errors import TransientError
from mailcase.handlers.address_book import AddressBook
from mailcase.handlers.read import Reader, ReadMail
from mailcase.handlers.reading_process import ReadingLost, ReadingProcess, _Unpickler
from mailcase.mail.signing import Key, KeyRing
from mailcase.store.rows.inbox import ClaimedMail

MEMORY = 512 * 1024 * 1024
LONG = timedelta(seconds=30)


def reader_in(folder: Path) -> Reader:
    file = folder / "mailcase.yaml"
    file.write_text(office.SETTINGS, encoding="utf-8")
    ring = KeyRing(keys=(Key(id="aa", secret=b"a" * 32, created_at=START),))
    book = AddressBook(load(file, environment={}, needs_secrets=False))
    return Reader(book, ring, key_lifetime=timedelta(days=400))


def claimed(raw: bytes, number: int = 1) -> ClaimedMail:
    return ClaimedMail(
        id=MailId(number),
        mailbox=MailboxName("desk"),
        raw=raw,
        envelope_from=None,
        envelope_to=(),
        arrived_at=START,
        attempts=1,
    )


@asynccontextmanager
async def process(
    folder: Path, *, limit: timedelta = LONG, memory_bytes: int = MEMORY
) -> AsyncIterator[ReadingProcess]:
    reading = ReadingProcess(reader_in(folder), limit=limit, memory_bytes=memory_bytes)
    try:
        yield reading
    finally:
        await reading.close()


async def test_the_first_mail_does_not_wait_for_the_start_of_the_process(tmp_path: Path) -> None:
    async with process(tmp_path) as reading:
        await reading.make_ready()
        ready = reading._child
        await reading.read([claimed(raw_mail())], now=START)

        assert ready is not None
        assert reading._child is ready


async def test_what_is_read_there_is_what_would_be_read_here(tmp_path: Path) -> None:
    mails = [claimed(raw_mail(text=f"Number {number}", files=[("a.pdf", b"x" * 9000)]), number) for number in range(30)]
    reader = reader_in(tmp_path)
    async with process(tmp_path) as reading:
        first = await reading.read(mails, now=START)
        second = await reading.read(mails[:1], now=START)

    assert first == tuple(reader.read(mail, now=START) for mail in mails)
    assert second == first[:1]


async def test_more_than_the_pipes_hold_passes_in_one_batch(tmp_path: Path) -> None:
    mails = [claimed(raw_mail(text="line of text\n" * 40_000), number) for number in range(8)]
    async with process(tmp_path) as reading:
        results = await reading.read(mails, now=START)

    assert all(isinstance(result, ReadMail) for result in results)


async def test_one_that_takes_too_long_is_ended_and_the_next_is_read_by_another(tmp_path: Path) -> None:
    async with process(tmp_path, limit=timedelta(0)) as reading:
        (lost,) = await reading.read([claimed(raw_mail())], now=START)

    assert isinstance(lost, ReadingLost)
    assert str(lost) == "reading it takes longer than 0 s"


async def test_a_mail_that_needs_too_much_memory_harms_no_neighbour(tmp_path: Path) -> None:
    huge = b"Subject: big\r\n\r\n" + b"x" * (300 * 1024 * 1024)
    mails = [claimed(raw_mail(), 1), claimed(huge, 2), claimed(raw_mail(), 3)]
    async with process(tmp_path, memory_bytes=256 * 1024 * 1024) as reading:
        first, second, third = await reading.read(mails, now=START)

    assert isinstance(first, ReadMail)
    assert str(second).startswith("the process that reads it ended with")
    assert isinstance(third, ReadMail)


@pytest.mark.parametrize(
    ("program", "words"), [("/does/not/exist", "no process can be had"), ("/bin/false", "does not start")]
)
async def test_a_process_that_cannot_be_had_costs_no_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, words: str
) -> None:
    monkeypatch.setattr(sys, "executable", program)
    async with process(tmp_path) as reading:
        with pytest.raises(TransientError, match=words):
            await reading.read([claimed(raw_mail())], now=START)


async def test_a_batch_that_is_given_up_does_not_answer_for_the_next(tmp_path: Path) -> None:
    """R20."""
    mails = [claimed(raw_mail(text="old" * 100_000), number) for number in range(20)]
    new = claimed(raw_mail(text="new"), 21)
    async with process(tmp_path) as reading:
        await reading.read([new], now=START)
        given_up = asyncio.create_task(reading.read(mails, now=START))
        await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up

        (result,) = await reading.read([new], now=START)

    assert isinstance(result, ReadMail)
    assert result.message.text == "new\n"


async def test_it_takes_no_module_from_the_folder_it_is_started_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mailcase").mkdir()
    (tmp_path / "mailcase" / "__init__.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    async with process(tmp_path) as reading:
        (result,) = await reading.read([claimed(raw_mail())], now=START)

    assert isinstance(result, ReadMail)


@pytest.mark.parametrize("value", [os.system, pickle.loads, asyncio.sleep], ids=lambda value: value.__name__)
def test_an_answer_that_holds_anything_but_a_read_mail_is_refused(value: object) -> None:
    """The process has had hostile bytes in its hands; what it sends is not trusted with more than data."""
    with pytest.raises(pickle.UnpicklingError, match="no part of a read mail"):
        _Unpickler(io.BytesIO(pickle.dumps(value))).load()
