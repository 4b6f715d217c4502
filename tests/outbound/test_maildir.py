"""The local Maildir in the place of a relay."""

from __future__ import annotations

import mailbox
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from tests.outbound.outgoing import MADE_AT, RAW, Journal, claimed

from mailcase.config.settings import MaildirRelay
from mailcase.errors import StoreUnavailable
from mailcase.outbound.maildir import MaildirOutbox, file_name
from mailcase.outbound.port import Outlet
from mailcase.store.rows.outbox import DeliveryId, DeliveryState


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "var" / "outgoing"


@pytest.fixture
def outlet(folder: Path) -> Outlet:
    return MaildirOutbox(MaildirRelay(path=folder))


async def test_a_mail_is_one_file_with_the_same_bytes(outlet: Outlet, folder: Path) -> None:
    journal = Journal()
    async with outlet.session() as session:
        attempts = await session.send(claimed("anna@example.org", "ben@example.org"), before_data=journal)

    (file,) = (folder / "new").iterdir()
    assert file.read_bytes() == RAW
    assert [attempt.state for attempt in attempts] == [DeliveryState.SENT, DeliveryState.SENT]
    assert str(file) in attempts[0].reply
    assert journal.entries == [(100, 101)]
    assert list((folder / "tmp").iterdir()) == []


async def test_a_mail_client_can_open_it(outlet: Outlet, folder: Path) -> None:
    async with outlet.session() as session:
        await session.send(claimed(), before_data=Journal())

    box = mailbox.Maildir(folder, create=False)
    assert [message["subject"] for message in box] == ["hello"]


async def test_file_names_sort_like_the_times_of_the_mails(outlet: Outlet, folder: Path) -> None:
    made = [MADE_AT, MADE_AT + timedelta(microseconds=1), MADE_AT + timedelta(seconds=1), MADE_AT + timedelta(days=9)]
    async with outlet.session() as session:
        for number in (4, 2, 1, 3):
            raw = f"Subject: {number}\r\n\r\n".encode()
            await session.send(claimed(number=number, raw=raw, created_at=made[number - 1]), before_data=Journal())

    names = sorted(file.name for file in (folder / "new").iterdir())
    assert [(folder / "new" / name).read_bytes()[9:10] for name in names] == [b"1", b"2", b"3", b"4"]


async def test_a_mail_that_is_sent_twice_is_still_one_file(outlet: Outlet, folder: Path) -> None:
    """R3: what a crash between sending and settling leads to."""
    async with outlet.session() as session:
        await session.send(claimed(), before_data=Journal())
        await session.send(claimed(), before_data=Journal())

    assert len(list((folder / "new").iterdir())) == 1


async def test_a_failing_journal_gives_the_mail_back(outlet: Outlet, folder: Path) -> None:
    async def failing(_ids: Sequence[DeliveryId]) -> None:
        raise StoreUnavailable("database is locked")

    async with outlet.session() as session:
        attempts = await session.send(claimed(), before_data=failing)

    assert [attempt.state for attempt in attempts] == [DeliveryState.QUEUED]
    assert files_below(folder) == []


async def test_a_folder_that_cannot_be_written_defers(outlet: Outlet, folder: Path) -> None:
    put_a_file_at(folder)

    async with outlet.session() as session:
        attempts = await session.send(claimed(), before_data=Journal())

    assert [attempt.state for attempt in attempts] == [DeliveryState.DEFERRED]
    assert str(folder) in attempts[0].reply


async def test_a_mail_that_cannot_be_finished_never_shows(outlet: Outlet, folder: Path) -> None:
    mail = claimed()
    (folder / "tmp" / file_name(mail)).mkdir(parents=True)

    async with outlet.session() as session:
        attempts = await session.send(mail, before_data=Journal())

    assert [attempt.state for attempt in attempts] == [DeliveryState.DEFERRED]
    assert files_below(folder / "new") == []


def files_below(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def put_a_file_at(folder: Path) -> None:
    folder.parent.mkdir()
    folder.write_text("a file where the folder should be")
