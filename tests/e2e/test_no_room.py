"""R12, R13: nothing can be written for a while. No mail is said to be taken, nothing dies, and all goes on by itself
within 30 seconds."""

from __future__ import annotations

import smtplib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import structlog
from tests.e2e.house import START, House, house, imap_mailbox, living, mail_text, settings_in
from tests.servers.eventually import eventually
from tests.servers.imap_servers import ImapServer
from tests.servers.smtp_sink import SmtpSink

from mailcase.app import World
from mailcase.clock import SteppedClock, SystemClock
from mailcase.config.settings import Limits
from mailcase.core.case import MailboxName
from mailcase.store.sqlite import SqliteStore

#: R12: within so many seconds after there is room again, everything must go on.
RECOVERY_SECONDS = 30
EVERYTHING = 4_294_967_294
CLOCK = SystemClock()
#: Mail that does not fit into the pages that there are.
MUCH = "It smokes and smokes.\n" * 4000


async def limit_pages(here: House, count: int) -> None:
    """SQLite's own limit gives the very error of a full disk, from the very places."""
    assert isinstance(here.app.store, SqliteStore)
    await here.app.store._writer.execute(f"PRAGMA max_page_count = {count}")


async def refused(here: House, number: int) -> str:
    """The answer to a mail that is not taken."""
    with pytest.raises(smtplib.SMTPDataError) as answer:
        await here.writes(mail_text(number, text=MUCH))
    words = answer.value.smtp_error
    return f"{answer.value.smtp_code} {words.decode() if isinstance(words, bytes) else words}"


async def test_a_full_disk_is_452_and_everything_goes_on_by_itself(tmp_path: Path) -> None:
    async with house(tmp_path) as (here, _sink):
        await here.writes(mail_text(1))
        await here.until_handled(1)
        await limit_pages(here, 1)

        answers = [await refused(here, number) for number in (2, 3)]
        shown = await here.status()
        await limit_pages(here, EVERYTHING)
        began = CLOCK.monotonic()
        await here.writes(mail_text(2, text=MUCH))
        await here.until_handled(2)
        await here.until_sent(4)

        assert CLOCK.monotonic() - began < RECOVERY_SECONDS
        assert answers == ["452 4.3.1 no room for the mail now, try again later"] * 2
        assert shown == "to-do"
        assert not here.running.done()


async def test_mail_on_an_imap_server_waits_for_room(tmp_path: Path, pymap: ImapServer) -> None:
    """It is neither lost nor moved, and taken once there is room."""
    folder = pymap.new_folder()
    async with SmtpSink() as sink:
        mailboxes = imap_mailbox(tmp_path, pymap, folder)
        settings = settings_in(tmp_path, relay_port=sink.port, mailboxes=mailboxes)
        with structlog.testing.capture_logs() as logs:
            async with living(settings, clock=SteppedClock(START)) as here:

                async def has(event: str) -> bool:
                    here.daemon.watchers[MailboxName("desk")].look_now()
                    return any(entry["event"] == event for entry in logs)

                await eventually(lambda: has("mailbox_first_contact"), "the first contact")
                await limit_pages(here, 1)
                with pymap.program() as program:
                    program.put(folder, mail_text(1, text=MUCH), at=START)
                await eventually(lambda: has("mailbox_failed"), "a failed look")
                with pymap.program() as program:
                    left = program.uids(folder)
                taken = await here.outcomes()

                await limit_pages(here, EVERYTHING)
                await here.until_handled(1)

    assert len(left) == 1
    assert taken == []
    assert len([entry for entry in logs if entry["event"] == "mailbox_failed"]) == 1


class Disk:
    """A disk of 100 GB, as full as it is told to be. Of it 500 MB are kept free."""

    total = 100 * 10**9

    def __init__(self) -> None:
        self.free = self.total

    def __call__(self, _folder: Path) -> Disk:
        return self


async def test_mail_is_refused_while_there_is_still_room_for_the_work(tmp_path: Path) -> None:
    """S19: before the mail is sent, with a word to the operator, once; the cases go on, and mail does by itself."""
    disk = Disk()
    with structlog.testing.capture_logs() as logs:
        async with house(tmp_path, world=World(measure=disk)) as (here, _sink):
            await here.writes(mail_text(1))
            await here.until_handled(1)
            disk.free = 499 * 10**6
            answers = [await refused_at_once(here, number) for number in (2, 3)]
            told = (await here.answer("status")).data
            await here.asks("case.take", ref="1001-C")
            disk.free = 501 * 10**6
            answers.append(await refused_at_once(here, 4))
            disk.free = 551 * 10**6
            await here.writes(mail_text(4))
            await here.until_handled(2)
            after = (await here.answer("status")).data

    assert answers == ["452 4.3.1 no room for the mail now, try again later"] * 3
    assert isinstance(told, dict)
    assert isinstance(after, dict)
    assert "499 MB < 500 MB" in str(told["problems"])
    assert after["problems"] == []
    assert [entry["event"] for entry in logs if entry["event"].startswith("space_")] == ["space_short", "space_again"]


async def test_nothing_is_kept_free_where_the_operator_says_so(tmp_path: Path) -> None:
    disk = Disk()
    disk.free = 0
    async with house(tmp_path, limits=Limits(reserve_bytes=0), world=World(measure=disk)) as (here, _sink):
        await here.writes(mail_text(1))
        assert await here.until_handled(1) == ["new-case"]


async def refused_at_once(here: House, number: int) -> str:
    """The answer to the MAIL command."""
    with pytest.raises(smtplib.SMTPSenderRefused) as answer:
        await here.writes(mail_text(number))
    words = answer.value.smtp_error
    return f"{answer.value.smtp_code} {words.decode() if isinstance(words, bytes) else words}"


async def test_mail_on_an_imap_server_waits_for_free_space(tmp_path: Path, pymap: ImapServer) -> None:
    """S19: it stays where it is, and is taken as soon as there is room."""
    folder, disk = pymap.new_folder(), Disk()
    async with SmtpSink() as sink:
        settings = settings_in(tmp_path, relay_port=sink.port, mailboxes=imap_mailbox(tmp_path, pymap, folder))
        with structlog.testing.capture_logs() as logs:
            async with living(settings, clock=SteppedClock(START), world=World(measure=disk)) as here:

                async def has(event: str) -> bool:
                    here.daemon.watchers[MailboxName("desk")].look_now()
                    return any(entry["event"] == event for entry in logs)

                await eventually(lambda: has("mailbox_first_contact"), "the first contact")
                disk.free = 10**6
                with pymap.program() as program:
                    program.put(folder, mail_text(1), at=START)
                await eventually(lambda: has("mailbox_failed"), "a failed look")
                with pymap.program() as program:
                    left = program.uids(folder)
                taken = await here.outcomes()
                disk.free = disk.total
                await here.until_handled(1)

    failure = next(entry for entry in logs if entry["event"] == "mailbox_failed")
    assert (len(left), taken) == (1, [])
    assert "make room" in failure["reason"]


async def test_a_locked_store_is_451_within_seconds_and_everything_goes_on_by_itself(tmp_path: Path) -> None:
    async with house(tmp_path) as (here, _sink):
        await here.writes(mail_text(1))
        await here.until_handled(1)
        with closing(sqlite3.connect(here.app.settings.store, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            # Every loop finds the lock as well.
            for wake in (here.app.wakes.inbox, here.app.wakes.due, here.app.wakes.outbox):
                wake.set()
            began = CLOCK.monotonic()
            answer = await refused(here, 2)
            seconds = CLOCK.monotonic() - began
            other.execute("ROLLBACK")

        began = CLOCK.monotonic()
        await here.writes(mail_text(2, text=MUCH))
        await here.until_handled(2)

        assert answer.startswith("451 4.3.0")
        assert seconds < 6
        assert CLOCK.monotonic() - began < RECOVERY_SECONDS
