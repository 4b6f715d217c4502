"""A backup: one SQLite file with the store as it was at one moment, and the secrets that lie beside it.

It is made by a connection that only reads, so a daemon may work on meanwhile. The table `backup` marks it; a daemon
refuses to run on such a file, since mail that waited in it may have gone out long ago: `restore` makes a store of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from mailcase import keyring
from mailcase.errors import CommandRefused, StoreUnavailable
from mailcase.private_file import create_new_private, publish
from mailcase.store.columns import from_micros, select, to_micros
from mailcase.store.verify import damage, reading

MARK = "CREATE TABLE backup (made_at INTEGER NOT NULL)"
ADD_MARK = "INSERT INTO backup (made_at) VALUES (:made_at)"
FILES = "CREATE TABLE backup_files (name TEXT PRIMARY KEY, content BLOB NOT NULL)"
ADD_FILE = "INSERT INTO backup_files (name, content) VALUES (:name, :content)"
IS_MARKED = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'backup'"
MADE_AT = "SELECT made_at FROM backup"
READ_FILES = "SELECT name, content FROM backup_files ORDER BY name"
CONTENTS = """
SELECT (SELECT version_num FROM alembic_version) AS revision, (SELECT count(*) FROM inbox) AS mails,
       (SELECT count(*) FROM cases) AS cases, (SELECT count(*) FROM deliveries) AS deliveries
"""
#: A store has none: they would run with every statement of the daemon.
PROGRAMS = "SELECT type || ' ' || name FROM sqlite_master WHERE type IN ('trigger', 'view') ORDER BY name"
#: What belongs to the store beside it: the key ring. Refresh tokens are never in a backup (S17).
SECRET_FILES = (keyring.FILE_NAME,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """What a backup holds; every one has been looked through."""

    file: Path
    made_at: datetime
    revision: str
    mails: int
    cases: int
    deliveries: int
    #: By path relative to the folder of the store. Never to be shown.
    secrets: Mapping[str, bytes] = field(repr=False)


def back_up(store: Path, file: Path, *, now: datetime) -> Backup:
    """Makes a backup of a store that a daemon may be working on.

    Raises:
        StoreUnavailable: there is no store, it cannot be read, or what was read of it is damaged.
        CommandRefused: the file is there already, or cannot be written.

    """
    if file.exists():
        raise CommandRefused(f"{file} is there already; a backup never replaces another")
    part = file.with_name(f"{file.name}.part")
    try:
        create_new_private(part)
        try:
            _copy(store, part, now)
            made = read_backup(part)
            publish(part, file)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise CommandRefused(f"cannot write {file}: {error.strerror}") from error
    return replace(made, file=file)


def _copy(store: Path, part: Path, now: datetime) -> None:
    with reading(store) as source:
        source.execute("SELECT 1 FROM cases LIMIT 1")
        try:
            with closing(sqlite3.connect(part, isolation_level=None)) as target:
                # In one step, hence of one moment; writers go on beside it.
                source.backup(target)
                # Else the file would need two more beside it.
                target.execute("PRAGMA journal_mode = delete").fetchall()
                target.execute("PRAGMA synchronous = full")
                _add_secrets(target, store.parent, now)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"the backup failed: {error}") from error


def _add_secrets(target: sqlite3.Connection, folder: Path, now: datetime) -> None:
    target.execute("BEGIN")
    target.execute(MARK)
    target.execute(ADD_MARK, {"made_at": to_micros(now)})
    target.execute(FILES)
    for path in (folder / name for name in SECRET_FILES if (folder / name).is_file()):
        values = {"name": path.name, "content": path.read_bytes()}
        target.execute(ADD_FILE, values)
    target.execute("COMMIT")


def read_backup(file: Path) -> Backup:
    """Looks a backup through.

    Raises:
        CommandRefused: it is not a backup, or somebody has put something into it.
        StoreUnavailable: it cannot be read, or is damaged.

    """
    with reading(file, alone=True) as database:
        if database.execute(IS_MARKED).fetchone() is None:
            raise CommandRefused(f"{file} is not a backup that `mailcase store backup` made")
        if found := damage(database):
            raise StoreUnavailable(f"{file} is damaged: {'; '.join(found)}")
        if programs := [str(row[0]) for row in database.execute(PROGRAMS)]:
            raise CommandRefused(f"{file} holds what no backup of ours does: {', '.join(programs)}")
        try:
            return _described(file, database)
        except (ValueError, TypeError, IndexError, OverflowError) as error:
            raise CommandRefused(f"{file} is not as `mailcase store backup` made it: {error}") from error


def _described(file: Path, database: sqlite3.Connection) -> Backup:
    """What the backup says of itself. Raises ValueError and its like where it was changed by hand."""
    (contents,) = select(database, CONTENTS)
    (mark,) = select(database, MADE_AT)
    return Backup(
        file=file,
        made_at=from_micros(int(mark["made_at"])),
        revision=str(contents["revision"] or ""),
        mails=contents["mails"],
        cases=contents["cases"],
        deliveries=contents["deliveries"],
        secrets={str(row["name"]): bytes(row["content"]) for row in select(database, READ_FILES)},
    )


def is_backup(path: Path) -> bool:
    """Whether a database is a backup that nobody has restored. Raises sqlite3.Error when it cannot be read."""
    with closing(sqlite3.connect(path)) as database:
        return database.execute(IS_MARKED).fetchone() is not None
