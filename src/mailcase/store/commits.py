"""Group commit: transactions that wait for the writer together share one commit, and one wait for the disk.

Rules that hold here:
1. Each is whole or nothing, and alone in its success: where one of a group fails, the group is rolled back and each is
   done again by itself. So the work of a transaction may run twice; it changes nothing but the database.
2. They run in the order in which they came, each seeing what those before it did.
3. The hooks stand around the commit, those of all transactions in it.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mailcase.clock import Clock
from mailcase.log import get_logger
from mailcase.store.port import Hook, Point

log = get_logger()

T = TypeVar("T")

#: Transactions in one commit at most: a crowd must not make the first of them wait for the work of all.
GROUP = 64
#: A commit that takes longer is logged: the disk is what limits the daemon.
SLOW_AFTER_SECONDS = 1.0


class Transaction(Generic[T]):
    """One transaction, and after `Commits.run` what became of it."""

    def __init__(self, point: Point, work: Callable[[sqlite3.Connection], T]) -> None:
        self.point = point
        self.work = work
        self._results: list[T] = []
        self._error: BaseException | None = None

    def succeed(self, result: T) -> None:
        self._results.append(result)

    def fail(self, error: BaseException) -> None:
        self._error = error

    def result(self) -> T:
        """What the work returned. Raises what kept it from being committed."""
        if self._error is not None:
            raise self._error
        return self._results[0]


class Commits:
    """The transactions that wait. `add` is called on the event loop, `run` on the thread of the writer."""

    def __init__(self, clock: Clock, hook: Hook | None) -> None:
        self._clock = clock
        self._hook = hook
        self._waiting: deque[Transaction[Any]] = deque()

    def add(self, transaction: Transaction[Any]) -> None:
        """Puts it in the line."""
        self._waiting.append(transaction)

    def run(self, database: sqlite3.Connection) -> None:
        """Commits what waits, up to GROUP of them. Called once per transaction; most calls find theirs done."""
        group: list[Transaction[Any]] = []
        while self._waiting and len(group) < GROUP:
            group.append(self._waiting.popleft())
        if not group:
            return
        started = self._clock.monotonic()
        if len(group) == 1 or not self._try_together(database, group):
            for transaction in group:
                self._try_alone(database, transaction)
        seconds = self._clock.monotonic() - started
        if seconds > SLOW_AFTER_SECONDS:
            log.warning("store_slow", point=group[0].point.value, duration_ms=round(seconds * 1000))

    def _try_together(self, database: sqlite3.Connection, group: Sequence[Transaction[Any]]) -> bool:
        try:
            database.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            # Locked: all have waited for it, none waits again (R13).
            for transaction in group:
                transaction.fail(error)
            return True
        try:
            committed = self._commit(database, group)
        except Exception:  # noqa: BLE001 - whose error it is, and what it says, shows when each is done alone
            return False
        self._tell(committed)
        return True

    def _try_alone(self, database: sqlite3.Connection, transaction: Transaction[Any]) -> None:
        try:
            database.execute("BEGIN IMMEDIATE")
            committed = self._commit(database, [transaction])
        except BaseException as error:  # noqa: BLE001 - it is handed to the one who waits
            transaction.fail(error)
        else:
            self._tell(committed)

    def _commit(self, database: sqlite3.Connection, group: Sequence[Transaction[Any]]) -> list[_Committed]:
        """All of them or nothing, in the transaction that has been begun."""
        try:
            done = [_work(database, transaction) for transaction in group]
            for each in done:
                if each.is_changed and self._hook is not None:
                    self._hook(each.transaction.point, "before")
            database.execute("COMMIT")
        finally:
            # Still open only after an error, which some errors of SQLite have ended by themselves.
            if database.in_transaction:
                database.execute("ROLLBACK")
        return done

    def _tell(self, committed: Sequence[_Committed]) -> None:
        """Nothing that a hook raises now can undo the commit."""
        for each in committed:
            try:
                if each.is_changed and self._hook is not None:
                    self._hook(each.transaction.point, "after")
            except BaseException as error:  # noqa: BLE001 - it is handed to the one who waits
                each.transaction.fail(error)
            else:
                each.transaction.succeed(each.result)


@dataclass(frozen=True, slots=True)
class _Committed:
    transaction: Transaction[Any]
    result: Any
    #: It wrote something; else it is at no crash point.
    is_changed: bool


def _work(database: sqlite3.Connection, transaction: Transaction[Any]) -> _Committed:
    changes_before = database.total_changes
    result = transaction.work(database)
    return _Committed(transaction, result, database.total_changes > changes_before)
