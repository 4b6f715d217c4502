"""What the rest of the program makes of an error of sqlite3: who must act, and may it be tried again."""

from __future__ import annotations

import sqlite3

from mailcase.errors import Conflict, PermanentError, StoreFull, StoreUnavailable

#: sqlite3 raises these for what is wrong in a statement of ours, not in the database.
_OUR_FAULT = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_RANGE})
_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY})
_TAKEN_MEANWHILE = frozenset({sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY})


def translated(error: sqlite3.Error) -> Exception:
    """The error of ours that it is; a mistake in our statements stays what it is."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_MISUSE)
    if code in _TAKEN_MEANWHILE:
        return Conflict(f"taken meanwhile: {error}")
    if isinstance(error, sqlite3.IntegrityError | sqlite3.DataError):
        return PermanentError(f"the database refuses it: {error}")
    if code & 0xFF in _OUR_FAULT:
        return error
    if code & 0xFF in _FULL:
        return StoreFull(f"the database takes nothing more: {error} ({error.sqlite_errorname})")
    return StoreUnavailable(f"the database does not answer: {error} ({error.sqlite_errorname})")
