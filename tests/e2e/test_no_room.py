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

from mailcase.clock import SteppedClock, SystemClock
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
