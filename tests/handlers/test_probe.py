"""A suspect mail is read in a process of its own, which may take only so long and so much (DESIGN 8, Poison; L5)."""

from __future__ import annotations

from datetime import timedelta

from tests.handlers.office import raw_mail

from mailcase.handlers.probe import probe

MEMORY = 512 * 1024 * 1024


async def test_a_mail_that_can_be_read_passes() -> None:
    assert await probe(raw_mail(), limit=timedelta(seconds=30), memory_bytes=MEMORY) is None


async def test_a_reader_that_takes_too_long_is_killed() -> None:
    assert await probe(raw_mail(), limit=timedelta(0), memory_bytes=MEMORY) == "reading it takes longer than 0 s"


async def test_a_reader_that_needs_too_much_memory_ends_by_itself() -> None:
    huge = b"Subject: big\r\n\r\n" + b"x" * (80 * 1024 * 1024)

    trouble = await probe(huge, limit=timedelta(seconds=30), memory_bytes=96 * 1024 * 1024)

    assert trouble is not None
    assert trouble.startswith("the process that reads it ended with")
