"""A mail that cannot be handled is parked with its bytes and the reason; its neighbours are not (R6, L5)."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import structlog
from tests.e2e.hindrance import Hindrance
from tests.e2e.house import House, house, mail_text
from tests.handlers.reading_here import reads_here
from tests.servers.eventually import eventually

from mailcase.app import World
from mailcase.config.settings import Limits
from mailcase.handlers.read import Reader, ReadMail
from mailcase.handlers.reading_process import ReadingProcess
from mailcase.store.port import Point
from mailcase.store.rows.inbox import ClaimedMail

POISON = "poison"


class Poisoned:
    """A reader that does something at each reading of the poison, and reads everything else."""

    def __init__(self, reader: Reader, act: Callable[[], None]) -> None:
        self._reader = reader
        self._act = act

    def read(self, claimed: ClaimedMail, *, now: datetime) -> ReadMail:
        if POISON.encode() in claimed.raw:
            self._act()
        return self._reader.read(claimed, now=now)


def world(act: Callable[[], None], hook: Hindrance | None = None) -> World:
    return World(reads=reads_here(lambda reader: Poisoned(reader, act)), hook=hook)


async def receives_together(here: House, hindrance: Hindrance) -> None:
    """Five mails, the third of them poison, that are claimed in one batch."""
    hindrance.begin()
    for number in range(1, 6):
        await here.writes(mail_text(number, subject=f"Mail {number}", text=POISON if number == 3 else "It smokes."))
    hindrance.end()


def raises(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


@pytest.mark.parametrize("error", [RecursionError("too deep"), MemoryError(), ValueError("a bug")], ids=repr)
async def test_a_mail_that_raises_is_parked_after_its_attempts_and_its_neighbours_are_handled(
    tmp_path: Path, error: BaseException
) -> None:
    hindrance = Hindrance(Point.CLAIM_INBOX)
    async with house(tmp_path, world=world(raises(error), hindrance)) as (here, _sink):
        await receives_together(here, hindrance)
        outcomes = await here.until_handled(5)
        mails = await here.mails()
        raw = await here.app.store.raw(mails[2].id)

    assert outcomes == ["new-case", "new-case", "parked", "new-case", "new-case"]
    assert mails[2].attempts == Limits().attempts
    assert mails[2].reason == f"attempts-used-up: {error!r}"
    assert raw == mail_text(3, subject="Mail 3", text=POISON)
    assert [mail.case_ids for mail in mails if mail.case_ids] == [(1001,), (1002,), (1003,), (1004,)]


async def test_a_parked_mail_can_be_brought_back(tmp_path: Path) -> None:
    """`mailcase mail retry`, once what was wrong has been put right."""
    broken = threading.Event()
    broken.set()

    def fail_while_broken() -> None:
        if broken.is_set():
            raise ValueError("a bug")

    async with house(tmp_path, limits=Limits(attempts=1), world=world(fail_while_broken)) as (here, _sink):
        await here.writes(mail_text(1, text=POISON))
        parked = await here.until_handled(1)
        broken.clear()
        await here.asks("mail.retry", id=1)

        async def is_handled() -> bool:
            return await here.outcomes() == ["new-case"]

        await eventually(is_handled, "a case of the parked mail")

    assert parked == ["parked"]


async def test_mails_that_fail_together_are_handled_singly(tmp_path: Path) -> None:
    hindrance = Hindrance(Point.CLAIM_INBOX)
    failures = [RuntimeError("not together")]

    def hook(point: Point, when: str) -> None:
        hindrance(point, when)
        if (point, when) == (Point.SAVE_MAIL, "before") and failures:
            raise failures.pop()

    with structlog.testing.capture_logs() as logs:
        async with house(tmp_path, world=World(hook=hook)) as (here, _sink):
            await receives_together(here, hindrance)
            outcomes = await here.until_handled(5)
            mails = await here.mails()

    assert outcomes == ["new-case"] * 5
    assert [mail.attempts for mail in mails] == [1] * 5
    assert [entry["mails"] for entry in logs if entry["event"] == "batch_failed"] == [5]


# ---- in the process that reads, as the daemon has it -----------------------------------------------------------------


class Hanging(Reader):
    """Reads for ever when it meets poison, and cannot be interrupted, as a regular expression that runs away."""

    def read(self, claimed: ClaimedMail, *, now: datetime) -> ReadMail:
        while POISON.encode() in claimed.raw:
            pass
        return super().read(claimed, now=now)


class Crashing(Reader):
    """Ends the process when it meets poison, as a crash in a C library."""

    def read(self, claimed: ClaimedMail, *, now: datetime) -> ReadMail:
        if POISON.encode() in claimed.raw:
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().read(claimed, now=now)


class Greedy(Reader):
    """Takes memory without end when it meets poison."""

    def read(self, claimed: ClaimedMail, *, now: datetime) -> ReadMail:
        taken = [b""]
        while POISON.encode() in claimed.raw:
            taken.append(bytes(10_000_000))
        return super().read(claimed, now=now)


def in_its_process(kind: type[Reader]) -> World:
    """The daemon's own reading process, with another reader in it."""

    def reads(reader: Reader, limits: Limits) -> ReadingProcess:
        other = kind.__new__(kind)
        vars(other).update(vars(reader))
        return ReadingProcess(other, limit=limits.read_timeout, memory_bytes=limits.read_memory_bytes)

    return World(reads=reads)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Hanging, "cannot-be-handled: reading it takes longer than 1 s"),
        (Crashing, f"cannot-be-handled: the process that reads it ended with -{signal.SIGSEGV.value}"),
        (Greedy, "attempts-used-up: MemoryError()"),
    ],
)
async def test_R6_what_kills_the_reading_process_kills_only_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Reader], reason: str
) -> None:
    """The daemon lives, the neighbours of the batch are handled, and the mail is parked with its bytes."""
    # That process is to find the readers of this file.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    hindrance = Hindrance(Point.CLAIM_INBOX)
    limits = Limits(read_timeout=timedelta(seconds=1))
    async with house(tmp_path, limits=limits, world=replace(in_its_process(kind), hook=hindrance)) as (here, _sink):
        await receives_together(here, hindrance)
        outcomes = await here.until_handled(5)
        mails = await here.mails()
        await here.writes(mail_text(6))
        await here.until_handled(6)

    assert outcomes == ["new-case", "new-case", "parked", "new-case", "new-case"]
    assert mails[2].reason == reason
