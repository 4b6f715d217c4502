"""R24: a backup taken in mid-run is restored and works on; nothing goes out twice for it (docs/decisions/0011)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.e2e.house import ANN, MARIE, START, House, imap_mailbox, living, mail_text, settings_in, subjects
from tests.servers.eventually import eventually
from tests.servers.imap_servers import ImapServer
from tests.servers.smtp_sink import SmtpSink

from mailcase import keyring
from mailcase.clock import SteppedClock
from mailcase.config.settings import Settings
from mailcase.core.case import MailboxName
from mailcase.errors import AppError, CommandRefused, PermanentError, StoreUnavailable
from mailcase.store.backup import back_up, read_backup
from mailcase.store.check import check
from mailcase.store.lock import StoreBusy, StoreLock
from mailcase.store.restore import NUMBERS_SKIPPED, Restored, restore

BACKUP_AT = START + timedelta(hours=1)
LOST_AT = START + timedelta(hours=5)
RESTORED_AT = START + timedelta(hours=6)


@dataclass
class Desk:
    """A desk whose mail comes by IMAP and stays on the server, over several lives of its store."""

    settings: Settings
    server: ImapServer
    folder: str
    sink: SmtpSink
    file: Path

    @asynccontextmanager
    async def lives(self, at: datetime) -> AsyncIterator[House]:
        async with living(self.settings, clock=SteppedClock(at)) as here:
            yield here

    def receives(self, number: int, *, at: datetime) -> None:
        with self.server.program() as program:
            program.put(self.folder, mail_text(number, text=f"It smokes, part {number}."), at=at)

    async def handles(self, here: House, count: int) -> None:
        """Looks at the mailbox until so many mails have ended."""

        async def handled() -> bool:
            here.daemon.watchers[MailboxName("desk")].look_now()
            outcomes = await here.outcomes()
            return len(outcomes) >= count and "pending" not in outcomes

        await eventually(handled, f"{count} handled mails")

    def backs_up(self) -> None:
        back_up(self.settings.store, self.file, now=BACKUP_AT)

    def restores(self, *, ran_until: datetime = LOST_AT) -> Restored:
        with StoreLock.acquire(self.settings.store):
            return restore(self.settings.store, self.file, now=RESTORED_AT, ran_until=ran_until, may_replace=True)


@pytest.fixture
async def desk(tmp_path: Path, pymap: ImapServer) -> AsyncIterator[Desk]:
    folder = pymap.new_folder()
    async with SmtpSink() as sink:
        mailboxes = imap_mailbox(tmp_path, pymap, folder, after="leave")
        settings = settings_in(tmp_path, relay_port=sink.port, mailboxes=mailboxes)
        here = Desk(settings=settings, server=pymap, folder=folder, sink=sink, file=tmp_path / "backup.db")
        async with here.lives(START) as life:
            # The first contact: what comes from now on is taken.
            states = life.app.store.folder_states
            await eventually(lambda: states(MailboxName("desk")), "the first contact")
        yield here


async def test_mail_that_was_answered_after_the_backup_is_taken_again_and_not_answered_again(desk: Desk) -> None:
    """The restored store knows nothing of it; whether it was answered only the customer knows."""
    async with desk.lives(BACKUP_AT) as here:
        desk.receives(1, at=BACKUP_AT)
        await desk.handles(here, 1)
        await here.until_sent(2)
        desk.backs_up()
        desk.receives(2, at=BACKUP_AT + timedelta(hours=1))
        await desk.handles(here, 2)
        await here.until_sent(4)
    acknowledged = len(subjects(desk.sink, MARIE))

    restored = desk.restores()
    async with desk.lives(RESTORED_AT) as here:
        await desk.handles(here, 2)

        assert acknowledged == 2
        assert restored.cases_after == 1001 + NUMBERS_SKIPPED
        assert await here.outcomes() == ["new-case", "new-case"]
        held = await here.deliveries("queued")
        ref = f"{restored.cases_after + 1}-C"
        assert {(row["to"], row["held"], row["case"]) for row in held} == {(MARIE, True, ref), (ANN, True, ref)}

        desk.receives(3, at=RESTORED_AT)
        await desk.handles(here, 3)
        await here.until_sent(4)
        assert check(desk.settings.store, desk.settings.processes, now=RESTORED_AT) == ()
    assert len(subjects(desk.sink, MARIE)) == acknowledged + 1


async def test_mail_that_waited_at_the_backup_is_not_sent_again(desk: Desk) -> None:
    desk.sink.script("MAIL", "450 4.3.0 later")
    async with desk.lives(BACKUP_AT) as here:
        desk.receives(1, at=BACKUP_AT)
        await desk.handles(here, 1)
        await eventually(lambda: here.deliveries("deferred"), "a deferred delivery")
        desk.backs_up()
        (waiting,) = await here.deliveries("deferred")
        await here.asks("outbox.retry", id=waiting["id"])
        await here.until_sent(2)

    restored = desk.restores()
    async with desk.lives(RESTORED_AT + timedelta(days=1)) as here:
        unknown = await here.deliveries("unknown")

        assert restored.unknown == len(unknown) > 0
        assert MARIE in {row["to"] for row in unknown}
        assert all("backup" in row["last_reply"] for row in unknown)
        assert len(subjects(desk.sink, MARIE)) == 1

        # The operator knows better.
        await here.asks("outbox.retry", id=waiting["id"])

        async def is_sent() -> bool:
            return len(subjects(desk.sink, MARIE)) == 2

        await eventually(is_sent, "the mail that was asked for")


async def test_what_fell_due_while_the_lost_daemon_ran_is_not_told_again(desk: Desk) -> None:
    """The window ends in the missing time: the case is closed again, its notice held."""
    async with desk.lives(BACKUP_AT) as here:
        desk.receives(1, at=BACKUP_AT)
        await desk.handles(here, 1)
        await here.asks("case.resolve", ref="1001-C")
        await here.until_sent(2)
        desk.backs_up()
    window_end = datetime.fromisoformat((await _shown(desk, "1001-C"))["feedback_until"])

    desk.restores(ran_until=window_end + timedelta(hours=1))
    async with desk.lives(window_end + timedelta(hours=2)) as here:
        here.daemon.watchers[MailboxName("desk")].look_now()
        await here.until_status("closed")

        assert [delivery["held"] for delivery in await here.deliveries("queued")] in ([], [True])
    assert len(subjects(desk.sink, MARIE)) == 2


async def _shown(desk: Desk, ref: str) -> dict[str, str]:
    async with desk.lives(BACKUP_AT) as here:
        shown: dict[str, str] = await here.asks("case.show", ref=ref)
        return shown


async def test_a_backup_of_a_running_daemon_is_whole_private_and_has_the_keys(desk: Desk) -> None:
    async with desk.lives(BACKUP_AT) as here:
        for number in range(20):
            desk.receives(number, at=BACKUP_AT)
        here.daemon.watchers[MailboxName("desk")].look_now()
        desk.backs_up()
        made = read_backup(desk.file)

    ring = (desk.settings.state_folder / keyring.FILE_NAME).read_bytes()
    assert desk.file.stat().st_mode & 0o777 == 0o600
    assert made.made_at == BACKUP_AT
    assert made.secrets == {keyring.FILE_NAME: ring}
    assert [path.name for path in desk.file.parent.glob("backup*")] == [desk.file.name]


async def test_a_restore_brings_a_lost_folder_back(desk: Desk) -> None:
    async with desk.lives(BACKUP_AT) as here:
        desk.receives(1, at=BACKUP_AT)
        await desk.handles(here, 1)
        desk.backs_up()
    folder = desk.settings.state_folder
    ring = (folder / keyring.FILE_NAME).read_bytes()
    for path in folder.iterdir():
        path.unlink()

    restored = desk.restores()

    assert restored.moved_to is None
    assert (folder / keyring.FILE_NAME).read_bytes() == ring
    assert json.loads(ring)["keys"][0]["secret"].encode() not in desk.settings.store.read_bytes()
    async with desk.lives(RESTORED_AT) as here:
        assert await here.status("1001-C") == "to-do"


async def test_a_restore_keeps_what_was_there_and_its_newer_keys(desk: Desk) -> None:
    desk.backs_up()
    later = replace(desk.settings.limits, key_renewal=timedelta(0))
    async with living(replace(desk.settings, limits=later), clock=SteppedClock(LOST_AT)) as here:
        desk.receives(1, at=LOST_AT)
        await desk.handles(here, 1)
    ring = (desk.settings.state_folder / keyring.FILE_NAME).read_bytes()

    restored = desk.restores()

    assert (desk.settings.state_folder / keyring.FILE_NAME).read_bytes() == ring
    assert restored.moved_to is not None
    with closing(sqlite3.connect(restored.moved_to)) as database:
        assert database.execute("SELECT count(*) FROM cases").fetchone() == (1,)


# ---- what is refused -------------------------------------------------------------------------------------------------


async def test_a_store_that_a_daemon_has_is_not_restored(desk: Desk) -> None:
    desk.backs_up()
    async with desk.lives(BACKUP_AT):
        with pytest.raises(StoreBusy):
            desk.restores()


def test_a_store_is_not_replaced_unasked(desk: Desk) -> None:
    desk.backs_up()
    before = desk.settings.store.read_bytes()

    with pytest.raises(CommandRefused, match="--yes"):
        restore(desk.settings.store, desk.file, now=RESTORED_AT, ran_until=LOST_AT, may_replace=False)

    assert desk.settings.store.read_bytes() == before


def test_a_damaged_backup_changes_nothing(desk: Desk) -> None:
    desk.backs_up()
    raw = bytearray(desk.file.read_bytes())
    raw[8192:12288] = b"\xff" * 4096
    desk.file.write_bytes(raw)
    before = {path.name: path.read_bytes() for path in desk.settings.state_folder.iterdir()}

    with pytest.raises(StoreUnavailable, match=r"damaged|cannot be read"):
        restore(desk.settings.store, desk.file, now=RESTORED_AT, ran_until=LOST_AT, may_replace=True)

    assert {path.name: path.read_bytes() for path in desk.settings.state_folder.iterdir()} == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE backup SET made_at = 'yesterday'",
        "UPDATE backup SET made_at = 9223372036854775807",
        "DELETE FROM backup",
        "UPDATE backup_files SET content = 'no bytes'",
        "DROP TABLE backup_files",
        "UPDATE backup_files SET name = '../../x'",
        "UPDATE alembic_version SET version_num = 'other'",
        "CREATE TRIGGER emptied AFTER INSERT ON inbox BEGIN DELETE FROM inbox; END",
        "CREATE VIEW more AS SELECT * FROM inbox",
    ],
)
def test_a_backup_that_somebody_changed_is_refused_in_words_and_changes_nothing(desk: Desk, statement: str) -> None:
    desk.backs_up()
    with closing(sqlite3.connect(desk.file)) as forged:
        forged.execute(statement)
        forged.commit()
    before = desk.settings.store.read_bytes()

    with pytest.raises(AppError, match=r"backup|other"):
        desk.restores()

    assert desk.settings.store.read_bytes() == before


def test_a_store_is_no_backup(desk: Desk) -> None:
    with pytest.raises(CommandRefused, match="not a backup"):
        read_backup(desk.settings.store)


async def test_a_daemon_does_not_run_on_a_backup(desk: Desk) -> None:
    """Else whoever copies the file into place would send its mail again."""
    desk.backs_up()
    desk.settings.store.write_bytes(desk.file.read_bytes())

    with pytest.raises(PermanentError, match="store restore"):
        async with desk.lives(RESTORED_AT):
            pass


def test_a_backup_never_replaces_a_file(desk: Desk) -> None:
    desk.file.write_text("another")

    with pytest.raises(CommandRefused, match="there already"):
        desk.backs_up()

    assert desk.file.read_text() == "another"


def test_a_backup_that_cannot_be_written_leaves_nothing(desk: Desk) -> None:
    with pytest.raises(CommandRefused, match="cannot write"):
        back_up(desk.settings.store, desk.file.parent / "missing" / "backup.db", now=BACKUP_AT)


def test_without_a_store_there_is_no_backup(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        back_up(tmp_path / "mailcase.db", tmp_path / "backup.db", now=BACKUP_AT)

    assert list(tmp_path.iterdir()) == []
