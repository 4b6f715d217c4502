"""Opening a database beside its daemon, and SQLite's own word on whether it is whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from mailcase.errors import StoreUnavailable

#: A reader of a database in WAL mode waits for nobody, except while its log is being recovered.
_PATIENCE_SECONDS = 5.0
#: What damage is told at most; a broken page has many symptoms.
_FAULTS_AT_MOST = 20


@contextmanager
def reading(path: Path, *, alone: bool = False) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write. `alone` for a file that nobody else may have open: nothing is made beside it.

    Raises StoreUnavailable when it cannot be opened, or fails while it is read.
    """
    mode = "immutable=1" if alone else "mode=ro"
    try:
        with closing(
            sqlite3.connect(
                f"file:{quote(str(path))}?{mode}", uri=True, isolation_level=None, timeout=_PATIENCE_SECONDS
            )
        ) as database:
            database.row_factory = sqlite3.Row
            yield database
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{path} cannot be read: {error}") from error


def damage(database: sqlite3.Connection) -> list[str]:
    """What SQLite finds broken: pages, indexes, rows that name others which are not there. Reads everything."""
    found = [str(row[0]) for row in database.execute(f"PRAGMA integrity_check({_FAULTS_AT_MOST})") if row[0] != "ok"]
    orphans = database.execute("PRAGMA foreign_key_check").fetchmany(_FAULTS_AT_MOST)
    return [*found, *(f"row {row[1]} of {row[0]} names a row of {row[2]} that is not there" for row in orphans)]
