"""The port on SQLite: two connections, each with a thread of its own, and whole transactions as single calls on them.

Rules that hold here:
1. Every write is one function on the writer's thread, between BEGIN IMMEDIATE and COMMIT; those that wait together
   share both (`commits.py`). The queue of that thread is the gate: first come, first served, and what is queued runs to
   its end whether or not its caller still waits, so that a cancelled task leaves no half transaction (R20).
2. Every read is one function on the reader's thread, in one snapshot. It sees all that was committed before it began.
3. Nothing of sqlite3 leaves this module: `StoreUnavailable` may be tried again, `Conflict` is decided again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import aiosqlite

from mailcase.clock import Clock
from mailcase.core.case import Case, CaseId, MailboxName, MailId, OutgoingId
from mailcase.errors import PermanentError, StoreUnavailable
from mailcase.log import get_logger
from mailcase.store import cases, inbox, lookup, mailboxes, migrate, outbox, saving, standing
from mailcase.store.columns import from_micros, select
from mailcase.store.commits import Commits, Transaction
from mailcase.store.ids import IdsInMemory
from mailcase.store.port import Hook, Point
from mailcase.store.rows.cases import CaseBundle, CaseFilter
from mailcase.store.rows.changes import Changes, Recovered
from mailcase.store.rows.inbox import Accepted, ClaimedMail, MailFilter, MailRow, NewMail, Outcome
from mailcase.store.rows.lookup import Known, Wanted
from mailcase.store.rows.mailboxes import FolderState, MailboxState
from mailcase.store.rows.outbox import ClaimedOutgoing, DeliveryId, DeliveryRow
from mailcase.store.rows.standing import Standing, StandingOf
from mailcase.store.sqlite_errors import translated
from mailcase.store.turns import Turns

log = get_logger()

T = TypeVar("T")

#: How long a call waits for a lock of another process, in the queue of its thread and at the lock together: those that
#: queue behind one that waits are answered when it is, and not each after a wait of its own (R13).
BUSY_TIMEOUT = timedelta(seconds=3)
#: A wait in the queue that is not worth telling SQLite.
_SHORT_WAIT = timedelta(milliseconds=100)

PRAGMAS: Mapping[str, str] = {
    "journal_mode": "wal",
    "synchronous": "full",
    "foreign_keys": "on",
    "trusted_schema": "off",
    "secure_delete": "fast",
}
#: What the pragmas must read afterwards; anything less loses acknowledged mail when the power goes.
DURABLE: Mapping[str, str | int] = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}

RAN_UNTIL = "SELECT max(ran_until) AS ran_until FROM restores"


class SqliteStore:
    """`store.port.Store` on one SQLite file. The caller holds the file's `StoreLock` as long as the store is open."""

    def __init__(
        self,
        writer: aiosqlite.Connection,
        reader: aiosqlite.Connection,
        ids: IdsInMemory,
        *,
        ran_until: datetime | None,
        clock: Clock,
        hook: Hook | None,
        busy_timeout: timedelta,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._ids = ids
        self._ran_until = ran_until
        self._clock = clock
        self._commits = Commits(clock, hook)
        self._inbox_turns = Turns()
        self._patience = _Patience(busy_timeout)
        self._is_closed = False

    @classmethod
    async def open(
        cls, path: Path, *, clock: Clock, hook: Hook | None = None, busy_timeout: timedelta = BUSY_TIMEOUT
    ) -> SqliteStore:
        """Opens the store, made and migrated as needed: folder 0700, file 0600.

        Raises:
            StoreUnavailable: the file cannot be opened now.
            PermanentError: the file was made by a newer program, or its file system cannot keep what is committed.

        """
        migrate.upgrade(path, now=clock.now())
        writer = await _connect(path, mode="rw", busy_timeout=busy_timeout)
        try:
            ids, ran_until = await _run(writer, _prepare_writer)
            reader = await _connect(path, mode="ro", busy_timeout=busy_timeout)
        except BaseException:
            await writer.close()
            raise
        return cls(writer, reader, ids, ran_until=ran_until, clock=clock, hook=hook, busy_timeout=busy_timeout)

    @property
    def ids(self) -> IdsInMemory:
        return self._ids

    @property
    def ran_until(self) -> datetime | None:
        return self._ran_until

    @property
    def revision(self) -> str:
        return migrate.HEAD

    async def close(self) -> None:
        """Finishes what is queued, then closes; a second time is allowed."""
        if self._is_closed:
            return
        self._is_closed = True
        # The writer goes last: it folds the log into the file.
        await self._reader.close()
        await self._writer.close()

    async def _transaction(self, point: Point, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `work` and commits what it changed, with the hooks around the commit; all of it or nothing."""
        if self._is_closed:
            raise StoreUnavailable("the store is closed")

        transaction = Transaction(point, work)
        self._commits.add(transaction)
        queued = self._clock.monotonic()

        def commit(database: sqlite3.Connection) -> None:
            self._patience.tell(database, waited_seconds=self._clock.monotonic() - queued)
            self._commits.run(database)

        await _run(self._writer, commit)
        try:
            return transaction.result()
        except sqlite3.Error as error:
            raise translated(error) from error

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `work` in one snapshot of what is committed."""
        if self._is_closed:
            raise StoreUnavailable("the store is closed")
        return await _run(self._reader, lambda database: _snapshot(database, work))

    async def threads_answer(self) -> None:
        for connection in (self._writer, self._reader):
            await _run(connection, lambda _database: None)

    async def recover(self) -> Recovered:
        def work(database: sqlite3.Connection) -> Recovered:
            inbox_released = inbox.release_all(database)
            outbox_released, unknown = outbox.recover(database)
            return Recovered(inbox_released=inbox_released, outbox_released=outbox_released, unknown=unknown)

        return await self._transaction(Point.RECOVER, work)

    # -- C1

    async def accept(self, mails: Sequence[NewMail], *, folder: FolderState | None = None) -> tuple[Accepted, ...]:
        return await self._transaction(
            Point.ACCEPT, lambda database: inbox.accept(database, mails, folder, self._ids.mail)
        )

    async def folder_states(self, mailbox: MailboxName) -> tuple[FolderState, ...]:
        return await self._read(lambda database: mailboxes.folder_states(database, mailbox))

    async def save_mailbox(self, state: MailboxState) -> None:
        await self._transaction(Point.MAILBOX, lambda database: mailboxes.save_mailbox(database, state))

    async def mailbox_states(self) -> Mapping[MailboxName, MailboxState]:
        return await self._read(mailboxes.mailbox_states)

    async def outcomes_of(self, mailbox: MailboxName, sources: Sequence[str]) -> Mapping[str, Outcome]:
        return await self._read(lambda database: mailboxes.outcomes_of(database, mailbox, sources))

    async def knows_content(self, mailbox: MailboxName, sha256: Sequence[str]) -> frozenset[str]:
        return await self._read(lambda database: mailboxes.knows_content(database, mailbox, sha256))

    # -- C2

    async def claim_inbox(
        self, *, now: datetime, limit_count: int, limit_bytes: int, lease_until: datetime
    ) -> tuple[ClaimedMail, ...]:
        return await self._transaction(
            Point.CLAIM_INBOX,
            lambda database: inbox.claim(database, now, limit_count, limit_bytes, lease_until, self._inbox_turns),
        )

    async def release_inbox(self, mail_ids: Sequence[MailId], *, attempt_counts: bool) -> None:
        await self._transaction(
            Point.INBOX_ADMIN, lambda database: inbox.release(database, mail_ids, attempt_counts=attempt_counts)
        )

    async def pending_count(self) -> int:
        return await self._read(inbox.pending_count)

    async def oldest_pending_at(self) -> datetime | None:
        return await self._read(inbox.oldest_pending_at)

    # -- look-up and C3, commands, ticks, C5

    async def look_up(self, wanted: Wanted) -> Known:
        if wanted == Wanted():
            # Most deliveries are settled without a look at their case.
            return Known()
        return await self._read(lambda database: lookup.look_up(database, wanted))

    async def save(self, point: Point, changes: Changes, *, now: datetime) -> None:
        await self._transaction(point, lambda database: saving.save(database, changes, now))

    # -- time

    async def due_cases(
        self, *, now: datetime, windows_through: datetime | None, limit_count: int, after: CaseId | None = None
    ) -> tuple[Case, ...]:
        return await self._read(lambda database: cases.due_cases(database, now, windows_through, limit_count, after))

    async def next_wake(self) -> tuple[datetime | None, datetime | None]:
        return await self._read(cases.next_wake)

    async def held_windows(self, *, now: datetime) -> tuple[tuple[CaseId, datetime], ...]:
        return await self._read(lambda database: cases.held_windows(database, now))

    async def open_cases(self, *, after: CaseId | None, limit_count: int) -> tuple[Case, ...]:
        return await self._read(lambda database: cases.open_cases(database, after, limit_count))

    async def save_deadlines(self, deadlines: Sequence[tuple[CaseId, int, datetime | None, datetime | None]]) -> None:
        await self._transaction(Point.RECOVER, lambda database: cases.save_deadlines(database, deadlines))

    async def processes_in_use(self) -> Mapping[str, int]:
        return await self._read(cases.processes_in_use)

    # -- C4, J

    async def claim_outbox(
        self, *, now: datetime, limit_count: int, lease_until: datetime, holds_others: bool = False
    ) -> tuple[ClaimedOutgoing, ...]:
        return await self._transaction(
            Point.CLAIM_OUTBOX,
            lambda database: outbox.claim(database, now, limit_count, lease_until, holds_others=holds_others),
        )

    async def journal(self, delivery_ids: Sequence[DeliveryId], *, now: datetime) -> None:
        await self._transaction(Point.JOURNAL, lambda database: outbox.journal(database, delivery_ids, now))

    async def bring_forward(self, *, now: datetime, retry_for: timedelta) -> int:
        return await self._transaction(
            Point.OUTBOX_ADMIN, lambda database: outbox.bring_forward(database, now, retry_for)
        )

    async def next_delivery_at(self) -> datetime | None:
        return await self._read(outbox.next_delivery_at)

    # -- the operator's desk

    async def standing(self, of: StandingOf) -> Standing:
        return await self._read(lambda database: standing.standing(database, of))

    async def bundle(self, case_id: CaseId) -> CaseBundle | None:
        return await self._read(lambda database: cases.bundle(database, case_id))

    async def list_cases(self, wanted: CaseFilter) -> tuple[CaseBundle, ...]:
        return await self._read(lambda database: cases.list_cases(database, wanted))

    async def count_cases(self, wanted: CaseFilter) -> int:
        return await self._read(lambda database: cases.count_cases(database, wanted))

    async def list_mails(self, wanted: MailFilter, *, limit_count: int) -> tuple[MailRow, ...]:
        return await self._read(lambda database: inbox.list_mails(database, wanted, limit_count))

    async def count_mails(self, wanted: MailFilter) -> int:
        return await self._read(lambda database: inbox.count_mails(database, wanted))

    async def mail(self, mail_id: MailId) -> MailRow | None:
        return await self._read(lambda database: inbox.mail(database, mail_id))

    async def find_mail(self, message_id: str) -> MailRow | None:
        return await self._read(lambda database: inbox.find_mail(database, message_id))

    async def raw(self, mail_id: MailId) -> bytes | None:
        return await self._read(lambda database: inbox.raw(database, mail_id))

    async def retry_mail(self, mail_id: MailId) -> bool:
        return await self._transaction(Point.INBOX_ADMIN, lambda database: inbox.retry(database, mail_id))

    async def list_deliveries(
        self, *, state: str | None, limit_count: int, after: DeliveryId | None = None
    ) -> tuple[DeliveryRow, ...]:
        return await self._read(lambda database: outbox.list_deliveries(database, state, limit_count, after))

    async def count_deliveries(self, *, state: str | None, after: DeliveryId | None = None) -> int:
        return await self._read(lambda database: outbox.count_deliveries(database, state, after))

    async def delivery(self, delivery_id: DeliveryId) -> DeliveryRow | None:
        return await self._read(lambda database: outbox.delivery(database, delivery_id))

    async def outgoing_raw(self, outgoing_id: OutgoingId) -> bytes | None:
        return await self._read(lambda database: outbox.outgoing_raw(database, outgoing_id))

    async def deliveries_of(self, case_id: CaseId) -> tuple[DeliveryRow, ...]:
        return await self._read(lambda database: outbox.deliveries_of(database, case_id))

    async def delivery_ids(self, choice: str) -> tuple[DeliveryId, ...]:
        return await self._read(lambda database: outbox.delivery_ids(database, choice))

    async def retry_deliveries(self, delivery_ids: Sequence[DeliveryId], *, now: datetime) -> tuple[DeliveryId, ...]:
        return await self._transaction(Point.OUTBOX_ADMIN, lambda database: outbox.retry(database, delivery_ids, now))

    async def cancel_deliveries(self, delivery_ids: Sequence[DeliveryId]) -> tuple[DeliveryId, ...]:
        return await self._transaction(Point.OUTBOX_ADMIN, lambda database: outbox.cancel(database, delivery_ids))


class _Patience:
    """What a transaction has left of `BUSY_TIMEOUT` when its turn comes. Used on the writer's thread alone."""

    def __init__(self, whole: timedelta) -> None:
        self._whole = whole
        self._told = whole

    def tell(self, database: sqlite3.Connection, *, waited_seconds: float) -> None:
        """Lets SQLite wait for what is left; says nothing while that is the whole, as it nearly always is."""
        waited = timedelta(seconds=waited_seconds)
        left = self._whole if waited < _SHORT_WAIT else max(timedelta(0), self._whole - waited)
        if left != self._told:
            database.execute(f"PRAGMA busy_timeout = {left // timedelta(milliseconds=1)}").fetchall()
            self._told = left


# ---- on the threads of the database ----------------------------------------------------------------------------------


async def _connect(path: Path, *, mode: str, busy_timeout: timedelta) -> aiosqlite.Connection:
    connection = aiosqlite.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=busy_timeout.total_seconds(),
        cached_statements=256,
    )
    # Else a process that ends without `close`, by an exception at start for one, would hang at its exit.
    connection._thread.daemon = True
    try:
        await connection
    except sqlite3.Error as error:
        raise translated(error) from error
    connection.row_factory = sqlite3.Row
    return connection


async def _run(connection: aiosqlite.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    """One call on the thread of a connection. aiosqlite has no public name for that: its own methods queue single
    statements, between which other tasks get in, and cost eleven times as much (docs/decisions/0015).
    """
    try:
        result: T = await connection._execute(lambda: work(connection._conn))  # type: ignore[no-untyped-call]
    except sqlite3.Error as error:
        raise translated(error) from error
    return result


def _prepare_writer(database: sqlite3.Connection) -> tuple[IdsInMemory, datetime | None]:
    """Sets the pragmas, checks that they hold, counts on from the last ids, and finds `Cases.ran_until`."""
    for name, value in PRAGMAS.items():
        database.execute(f"PRAGMA {name} = {value}").fetchall()
    for name, wanted in DURABLE.items():
        found = database.execute(f"PRAGMA {name}").fetchone()[0]
        if found != wanted:
            raise PermanentError(
                f"the store is not durable: {name} is {found}, not {wanted}; is it on a network file system?"
            )
    return IdsInMemory(database), from_micros(select(database, RAN_UNTIL)[0]["ran_until"])


def _snapshot(database: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    database.execute("BEGIN")
    try:
        return work(database)
    finally:
        if database.in_transaction:
            database.execute("ROLLBACK")
