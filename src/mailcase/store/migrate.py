"""Brings a database to the shape that this program knows.

Alembic and SQLAlchemy take half a second to import, so they are imported only when there is something to do; whether
there is, plain SQL tells. The caller holds the `StoreLock`.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mailcase.errors import PermanentError, StoreUnavailable
from mailcase.log import get_logger
from mailcase.private_file import create_new_private, create_private, replace
from mailcase.store.backup import is_backup
from mailcase.store.shape import WHAT_TO_DO, fits
from mailcase.store.verify import damage

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

log = get_logger()

#: The newest step in `migrations/versions`.
HEAD = "0001"

_SCRIPTS = Path(__file__).parent / "migrations"


class UnknownRevision(PermanentError):
    """A newer program has shaped this database; the operator must run that one, or restore an older copy."""


def upgrade(path: Path, *, now: datetime, keeps_copy: bool = True) -> tuple[str, str]:
    """Migrates the database, made if missing, in one transaction; returns the revisions before ("" for none) and after.

    A database that has something in it is copied beside itself first, to `NAME.before-REVISION-TIME`, unless the caller
    has one.

    Raises:
        UnknownRevision: the database comes from a newer program.
        PermanentError: it is a backup, which only a restore makes a store of, or has other tables than its revision.
        StoreUnavailable: the file cannot be read or written; it is as it was.

    """
    try:
        create_private(path)
        before = revision(path)
        if is_backup(path):
            raise PermanentError(
                f"{path} is a backup; `mailcase store restore` makes a store of it, with nothing sent twice"
            )
        if before == HEAD:
            _refuse_other_shape(path)
            return before, HEAD
        refuse_unknown(path, before)
        if keeps_copy and _has_tables(path):
            copy = path.with_name(f"{path.name}.before-{HEAD}-{now:%Y%m%dT%H%M%SZ}")
            _copy(path, copy)
            log.info("store_copied", copy=str(copy), revision=before, next_revision=HEAD)
        _run(path)
        if before:
            log.info("store_migrated", revision=before, next_revision=HEAD)
    except (OSError, sqlite3.Error) as error:
        raise StoreUnavailable(f"cannot migrate the store {path}: {error}") from error
    return before, HEAD


def revision(path: Path) -> str:
    """The step that the database stands at, "" before the first. Raises sqlite3.Error when it cannot be read."""
    with closing(sqlite3.connect(path)) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
            return ""
        row = database.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(row[0]) if row else ""


def refuse_unknown(path: Path, found: str) -> None:
    """Raises UnknownRevision unless this program knows the step, and so the way from it to its own."""
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if found and found not in known:
        raise UnknownRevision(
            f"the store {path} has the revision {found}, this program knows up to {HEAD}: "
            "run the newer program, or restore a copy from before its migration"
        )


def _refuse_other_shape(path: Path) -> None:
    """Raises PermanentError where the newest step, as it was at the time, made other tables than it does now."""
    with closing(sqlite3.connect(path)) as database:
        if not fits(database):
            raise PermanentError(
                f"the store {path} has the revision {HEAD} and other tables than this version of mailcase, so a "
                f"development version made it; {WHAT_TO_DO}"
            )


def _has_tables(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None


def _copy(path: Path, copy: Path) -> None:
    part = copy.with_name(f"{copy.name}.part")
    create_new_private(part)
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(part)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode = delete").fetchall()
            if found := damage(target):
                raise StoreUnavailable(f"the store {path} is damaged and is not migrated: {'; '.join(found)}")
        replace(part, copy)
    finally:
        part.unlink(missing_ok=True)


def _run(path: Path) -> None:
    from alembic import command
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import NullPool

    def connect() -> sqlite3.Connection:
        # No implicit transactions of the driver: ours holds the whole migration, DDL included.
        return sqlite3.connect(path, isolation_level=None)

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            command.upgrade(_config(connection), "head")
            connection.exec_driver_sql("COMMIT")
    except DBAPIError as error:
        raise StoreUnavailable(f"cannot migrate the store {path}: {error.orig}") from error


def _config(connection: Connection | None = None) -> Config:
    from alembic.config import Config

    config = Config()
    # The file of settings is ours to do without; "%" is its only special sign.
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
