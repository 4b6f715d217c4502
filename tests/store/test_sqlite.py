"""What SQLite itself must be made to promise: durability, atomicity, and errors that say who must act."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from mailcase.clock import SystemClock
from mailcase.core.case import CaseId, MailId
from mailcase.errors import PermanentError, StoreFull, StoreUnavailable
from mailcase.store import sqlite
from mailcase.store.port import Point, Store
from mailcase.store.rows.cases import CaseFilter
from mailcase.store.rows.lookup import Wanted
from mailcase.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from tests.store.conftest import OpenStore, Samples


class Recorder:
    """A hook that remembers the commits, and dies at one of them when told to."""

    def __init__(self, *, dies: tuple[Point, str] | None = None) -> None:
        self.seen: list[tuple[Point, str]] = []
        self._dies = dies

    def __call__(self, point: Point, when: str) -> None:
        self.seen.append((point, when))
        if self._dies == (point, when):
            raise ZeroDivisionError("struck down")


class LateClock(SystemClock):
    """Each look at it is two seconds after the last."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def monotonic(self) -> float:
        self._seconds += 2
        return self._seconds


@pytest.fixture
def other_process(database: Path) -> Iterator[sqlite3.Connection]:
    """A second connection to the same file."""
    with closing(sqlite3.connect(database, isolation_level=None, timeout=0)) as connection:
        yield connection


# ---- durability


async def test_a_store_is_made_with_its_folder_for_its_owner_alone(tmp_path: Path, samples: Samples) -> None:
    path = tmp_path / "state" / "deep" / "mailcase 100%.db"

    store = await SqliteStore.open(path, clock=SystemClock())
    await store.accept([samples.mail(1)])

    files = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    await store.close()
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert set(files) == {path.name, f"{path.name}-wal", f"{path.name}-shm"}
    assert set(files.values()) == {0o600}


def test_the_writer_waits_for_the_disk(database: Path) -> None:
    """`synchronous = NORMAL` loses acknowledged mail when the power goes."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row

        sqlite._prepare_writer(connection)

        pragmas = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in sqlite.PRAGMAS}
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "trusted_schema": 0,
        "secure_delete": 2,
    }


def test_a_place_that_cannot_keep_a_commit_is_refused() -> None:
    refused = pytest.raises(PermanentError, match="journal_mode is memory")
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection, refused:
        sqlite._prepare_writer(connection)


KILLED = """
    import asyncio, sys
    from datetime import UTC, datetime
    from pathlib import Path
    from mailcase.clock import SystemClock
    from mailcase.store.port import NewMail
    from mailcase.store.sqlite import SqliteStore

    async def main():
        store = await SqliteStore.open(Path(sys.argv[1]), clock=SystemClock())
        at = datetime(2026, 3, 2, tzinfo=UTC)
        for number in range(1_000_000):
            raw = b"mail %d " % number * 500
            (taken,) = await store.accept([NewMail(
                mailbox="desk", source=f"imap:{number}", raw=raw, envelope_from=None, envelope_to=(),
                arrived_at=at, received_at=at)])
            print(taken.mail_id, number, flush=True)

    asyncio.run(main())
"""


def kill_after(acknowledged: int, database: Path) -> list[tuple[int, int]]:
    """Kills a process that takes mail once it has acknowledged so many; answers with all that it acknowledged."""
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(database)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as victim:
        assert victim.stdout is not None
        lines = [victim.stdout.readline() for _ in range(acknowledged)]
        victim.send_signal(signal.SIGKILL)
        lines.extend(victim.stdout)
    assert victim.returncode == -signal.SIGKILL
    whole = [line.split() for line in lines if line.endswith(b"\n")]
    return [(int(mail_id), int(number)) for mail_id, number in whole]


@pytest.mark.parametrize("acknowledged", [1, 40, 150])
async def test_what_was_acknowledged_survives_a_kill(open_store: OpenStore, database: Path, acknowledged: int) -> None:
    """R1: the ledger is the peer's, outside the process that dies."""
    ledger = kill_after(acknowledged, database)

    store = await open_store()

    assert len(ledger) >= acknowledged
    for mail_id, number in ledger:
        assert await store.raw(MailId(mail_id)) == b"mail %d " % number * 500
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


# ---- one transaction, all or nothing


async def test_the_hooks_stand_around_every_commit(open_store: OpenStore, samples: Samples) -> None:
    hook = Recorder()
    store = await open_store(hook)

    await store.accept([samples.mail(1)])
    await store.save(Point.COMMAND, samples.new_case(1001), now=samples.start)

    assert hook.seen == [
        (Point.ACCEPT, "before"),
        (Point.ACCEPT, "after"),
        (Point.COMMAND, "before"),
        (Point.COMMAND, "after"),
    ]


async def test_there_is_no_commit_where_nothing_changed(open_store: OpenStore, samples: Samples) -> None:
    """A loop that finds nothing to claim is not at a crash point, and costs no write."""
    hook = Recorder()
    store = await open_store(hook)

    now = samples.start
    assert await store.claim_inbox(now=now, limit_count=5, limit_bytes=5, lease_until=now) == ()
    assert await store.claim_outbox(now=now, limit_count=5, lease_until=now) == ()
    await store.accept([])

    assert hook.seen == []


async def test_dying_before_the_commit_keeps_nothing(open_store: OpenStore, samples: Samples) -> None:
    store = await open_store(Recorder(dies=(Point.ACCEPT, "before")))

    with pytest.raises(ZeroDivisionError):
        await store.accept([samples.mail(1)])

    assert await store.pending_count() == 0
    await store.save(Point.COMMAND, samples.new_case(1001), now=samples.start)


async def test_dying_after_the_commit_keeps_all(open_store: OpenStore, samples: Samples) -> None:
    store = await open_store(Recorder(dies=(Point.ACCEPT, "after")))

    with pytest.raises(ZeroDivisionError):
        await store.accept([samples.mail(1)])

    assert await store.pending_count() == 1


async def test_a_caller_cancelled_in_mid_transaction_leaves_it_whole(open_store: OpenStore, samples: Samples) -> None:
    """R20."""
    is_inside, may_go_on = threading.Event(), threading.Event()

    def wait_inside(point: Point, when: str) -> None:
        if point is Point.TICK and when == "before":
            is_inside.set()
            may_go_on.wait()

    store = await open_store(wait_inside)
    caller = asyncio.create_task(store.save(Point.TICK, samples.new_case(1001), now=samples.start))
    await asyncio.to_thread(is_inside.wait)

    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    may_go_on.set()

    await store.save(Point.COMMAND, samples.new_case(1002), now=samples.start)
    assert [bundle.case.id for bundle in await store.list_cases(CaseFilter())] == [1002, 1001]


async def test_callers_cancelled_at_any_point_leave_no_half_transaction(store: Store, samples: Samples) -> None:
    """R20: each case is there with its text and event, or not at all; nothing stays open."""
    cancelled = 0
    for number in range(1001, 1301):
        caller = asyncio.create_task(store.save(Point.TICK, samples.new_case(number), now=samples.start))
        # Some are cancelled before they are queued, some while the thread works, some after it has finished.
        for _ in range(number % 12):
            await store.pending_count()
        if number % 12 == 11:
            await asyncio.wait([caller])
        caller.cancel()
        cancelled += (await asyncio.gather(caller, return_exceptions=True))[0] is not None

    await store.save(Point.TICK, samples.new_case(2000), now=samples.start)
    whole = 0
    for number in range(1001, 1301):
        bundle = await store.bundle(CaseId(number))
        if bundle is not None:
            whole += 1
            assert len(bundle.timeline) == len(bundle.texts) == 1
    assert 0 < cancelled < 300
    assert 300 - cancelled <= whole < 300


async def test_reads_see_what_was_committed_and_nothing_else(open_store: OpenStore, samples: Samples) -> None:
    is_inside, may_go_on = threading.Event(), threading.Event()

    def wait_inside(point: Point, when: str) -> None:
        if when == "before":
            is_inside.set()
            may_go_on.wait()

    store = await open_store(wait_inside)
    caller = asyncio.create_task(store.accept([samples.mail(1)]))
    await asyncio.to_thread(is_inside.wait)

    before = await store.pending_count()
    may_go_on.set()
    await caller

    assert (before, await store.pending_count()) == (0, 1)


async def test_many_writers_wait_their_turn(store: Store, samples: Samples) -> None:
    async with asyncio.TaskGroup() as writers:
        for number in range(1001, 1051):
            writers.create_task(store.save(Point.TICK, samples.new_case(number), now=samples.start))

    known = await store.look_up(Wanted(case_ids=frozenset(CaseId(number) for number in range(1001, 1051))))
    assert len(known.cases) == 50


# ---- errors


async def test_a_locked_database_is_told_and_recovers(
    store: Store, samples: Samples, other_process: sqlite3.Connection
) -> None:
    """R13."""
    other_process.execute("BEGIN EXCLUSIVE")

    with pytest.raises(StoreUnavailable, match="locked"):
        await store.accept([samples.mail(1)])

    assert await store.pending_count() == 0
    other_process.execute("ROLLBACK")
    await store.accept([samples.mail(1)])


async def test_those_who_queue_behind_a_lock_wait_no_longer_than_one_alone(database: Path, samples: Samples) -> None:
    """R13: a listener answers 451 before its client loses patience, however many loops found the lock before it."""
    patience = timedelta(seconds=1)
    store = await SqliteStore.open(database, clock=SystemClock(), busy_timeout=patience)
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = SystemClock().monotonic()

        failures = await asyncio.gather(
            *(store.accept([samples.mail(number)]) for number in range(8)), return_exceptions=True
        )

        seconds = SystemClock().monotonic() - began
        other.execute("ROLLBACK")
    assert all(isinstance(failure, StoreUnavailable) for failure in failures)
    assert patience.total_seconds() <= seconds < 2 * patience.total_seconds()
    assert (await store.accept([samples.mail(1)]))[0].is_new
    await store.close()


async def test_a_lock_that_ends_in_time_is_waited_for(database: Path, samples: Samples) -> None:
    store = await SqliteStore.open(database, clock=SystemClock(), busy_timeout=timedelta(seconds=30))
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        caller = asyncio.create_task(store.accept([samples.mail(1)]))
        await store.pending_count()
        other.execute("ROLLBACK")

    assert (await caller)[0].is_new
    await store.close()


async def test_a_full_disk_is_told_keeps_nothing_and_recovers(store: Store, samples: Samples) -> None:
    """R12. SQLite's own limit of pages gives the very error that a full disk gives."""
    assert isinstance(store, SqliteStore)
    await store.accept([samples.mail(1)])
    await store._writer.execute("PRAGMA max_page_count = 1")

    with pytest.raises(StoreFull, match="full"):
        await store.accept([samples.mail(2), samples.mail(3, raw=b"x" * 1_000_000)])

    assert await store.pending_count() == 1
    await store._writer.execute("PRAGMA max_page_count = 4294967294")
    again = await store.accept([samples.mail(2), samples.mail(3, raw=b"x" * 1_000_000)])
    assert [row.is_new for row in again] == [True, True]


async def test_a_store_that_has_become_read_only_is_told_and_recovers(store: Store, samples: Samples) -> None:
    """R12: the very error of a file system that was mounted anew without the right to write."""
    assert isinstance(store, SqliteStore)
    await store._writer.execute("PRAGMA query_only = 1")

    with pytest.raises(StoreFull, match="readonly"):
        await store.accept([samples.mail(1)])

    assert await store.pending_count() == 0
    await store._writer.execute("PRAGMA query_only = 0")
    assert (await store.accept([samples.mail(1)]))[0].is_new


async def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "mailcase.db"
    path.write_bytes(b"this is not a database, is it? " * 100)

    with pytest.raises(StoreUnavailable, match="not a database"):
        await SqliteStore.open(path, clock=SystemClock())


async def test_a_place_where_nothing_can_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreUnavailable, match="file"):
        await SqliteStore.open(tmp_path / "file" / "mailcase.db", clock=SystemClock())


async def test_a_closed_store_is_out_of_reach(store: Store, samples: Samples) -> None:
    await store.close()
    await store.close()

    with pytest.raises(StoreUnavailable, match="closed"):
        await store.accept([samples.mail(1)])
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.pending_count()


async def test_closing_finishes_what_is_queued(open_store: OpenStore, samples: Samples) -> None:
    store = await open_store()
    caller = asyncio.create_task(store.accept([samples.mail(1)]))
    await asyncio.sleep(0)

    await store.close()

    assert (await caller)[0].is_new
    assert await (await open_store()).pending_count() == 1


async def test_a_slow_disk_is_logged(database: Path, samples: Samples) -> None:
    store = await SqliteStore.open(database, clock=LateClock())

    with capture_logs() as logs:
        await store.accept([samples.mail(1)])

    await store.close()
    assert logs == [{"event": "store_slow", "log_level": "warning", "point": "C1-accept", "duration_ms": 2000}]


def test_a_process_that_forgets_the_store_ends_all_the_same(database: Path) -> None:
    """aiosqlite's thread would keep it for ever."""
    forgetful = """
        import asyncio, sys
        from pathlib import Path
        from mailcase.clock import SystemClock
        from mailcase.store.sqlite import SqliteStore

        async def main():
            global store
            store = await SqliteStore.open(Path(sys.argv[1]), clock=SystemClock())

        asyncio.run(main())
    """
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(forgetful), str(database)]

    assert subprocess.run(command, timeout=30, check=False, env=os.environ).returncode == 0
