"""How single values stand in a column: times, lists and text from outside."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import overload

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
#: Lone surrogates cannot be written as UTF-8; PostgreSQL takes no NUL (S15).
_UNSTORABLE = {0: "\ufffd", **dict.fromkeys(range(0xD800, 0xE000), "\ufffd")}

#: Stands after every row of a list that is read downwards.
TOP = (1 << 63) - 1

#: What one parameter of a statement may be.
Value = str | bytes | int | None
#: The named parameters of a statement.
Values = dict[str, Value]


@overload
def to_micros(at: datetime) -> int: ...
@overload
def to_micros(at: None) -> None: ...
@overload
def to_micros(at: datetime | None) -> int | None: ...
def to_micros(at: datetime | None) -> int | None:
    """Microseconds since 1970 UTC of an aware datetime; exact."""
    return None if at is None else (at - _EPOCH) // _MICROSECOND


@overload
def from_micros(micros: int) -> datetime: ...
@overload
def from_micros(micros: None) -> None: ...
@overload
def from_micros(micros: int | None) -> datetime | None: ...
def from_micros(micros: int | None) -> datetime | None:
    """The aware UTC datetime of microseconds since 1970."""
    return None if micros is None else _EPOCH + timedelta(microseconds=micros)


@overload
def storable(text: str) -> str: ...
@overload
def storable(text: None) -> None: ...
@overload
def storable(text: str | None) -> str | None: ...
def storable(text: str | None) -> str | None:
    """Text from outside with U+FFFD in place of what no database takes: NUL and lone surrogates."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return text.translate(_UNSTORABLE)


def json_list(values: Iterable[str | int]) -> str:
    """A JSON array for `json_each`; sorted by the caller where the order matters."""
    return json.dumps([storable(value) if isinstance(value, str) else value for value in values])


def texts_of(column: str) -> tuple[str, ...]:
    """The strings of a JSON array."""
    return tuple(json.loads(column))


def select(database: sqlite3.Connection, statement: str, **values: Value) -> list[sqlite3.Row]:
    """All rows of a query."""
    return database.execute(statement, values).fetchall()


def execute(database: sqlite3.Connection, statement: str, **values: Value) -> int:
    """Runs one statement; returns the number of rows it changed."""
    return database.execute(statement, values).rowcount


def execute_all(database: sqlite3.Connection, statement: str, rows: Sequence[Values]) -> int:
    """Runs one statement for every row; returns the number of rows changed in all. No rows: no statement."""
    return database.executemany(statement, rows).rowcount if rows else 0
