"""A mail that cannot be handled is parked with its bytes and the reason; its neighbours are not (R6, L5)."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import structlog
from tests.e2e.hindrance import Hindrance
from tests.e2e.house import House, house, mail_text
from tests.servers.eventually import eventually

from mailcase.app import World
from mailcase.config.settings import Limits
from mailcase.handlers.probe import probe
from mailcase.handlers.read import Reader, ReadMail
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
    return World(reads=lambda reader: Poisoned(reader, act), hook=hook)


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


async def test_a_mail_that_hangs_is_parked_and_holds_nobody_up_for_long(tmp_path: Path) -> None:
    released = threading.Event()
    limits = Limits(read_timeout=timedelta(seconds=2), attempts=1)
    hindrance = Hindrance(Point.CLAIM_INBOX)

    def hang() -> None:
        released.wait(60)

    try:
        async with house(tmp_path, limits=limits, world=world(hang, hindrance)) as (here, _sink):
            await receives_together(here, hindrance)
            outcomes = await here.until_handled(5)
            mails = await here.mails()
    finally:
        released.set()

    assert outcomes == ["new-case", "new-case", "parked", "new-case", "new-case"]
    assert mails[2].reason == "attempts-used-up: reading it takes longer than 2 s"


async def test_a_mail_that_failed_once_is_read_in_a_process_with_a_memory_limit_first(tmp_path: Path) -> None:
    """The daemon does not try what its own process might not survive."""
    readings: list[int] = []

    def fail_once() -> None:
        readings.append(os.getpid())
        raise ValueError("only here")

    limits = Limits(read_memory_bytes=1024 * 1024)
    async with house(tmp_path, limits=limits, world=world(fail_once)) as (here, _sink):
        await here.writes(mail_text(1, text=f"{POISON}\n" * 400_000))
        outcomes = await here.until_handled(1)
        (mail,) = await here.mails()

    assert outcomes == ["parked"]
    assert len(readings) == 1
    assert "the process that reads it ended with" in (mail.reason or "")


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


# ---- the process beside ----------------------------------------------------------------------------------------------


async def test_an_ordinary_mail_passes_the_probe() -> None:
    assert await probe(mail_text(1), limit=timedelta(seconds=20), memory_bytes=512 * 1024 * 1024) is None


async def test_a_probe_that_takes_too_long_is_ended() -> None:
    trouble = await probe(mail_text(1), limit=timedelta(milliseconds=1), memory_bytes=512 * 1024 * 1024)

    assert trouble == "reading it takes longer than 0.001 s"


async def test_the_probe_takes_no_module_from_the_folder_it_is_started_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mailcase").mkdir()
    (tmp_path / "mailcase" / "__init__.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)

    assert await probe(mail_text(1), limit=timedelta(seconds=20), memory_bytes=512 * 1024 * 1024) is None
