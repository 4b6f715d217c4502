"""A backup becomes the store again, and no mail goes out twice for it (docs/decisions/0011).

What happened between the backup and the restore is not known here, but it did happen: mail that waited then has gone
out, case numbers were given, mail that is found again has been answered. So what waited is `unknown`, numbers go on
after a gap, and mail of ours about that time is held (`restores.ran_until`, handlers/workspace.py).
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mailcase import keyring, private_file
from mailcase.errors import CommandRefused, StoreUnavailable
from mailcase.store import migrate
from mailcase.store.backup import Backup, read_backup
from mailcase.store.columns import execute, select, to_micros
from mailcase.store.verify import damage, reading

#: Numbers of cases that may have been given since the backup, where no store is left to ask.
NUMBERS_SKIPPED = 10_000

FORGET_MARK = "DROP TABLE backup"
FORGET_FILES = "DROP TABLE backup_files"
DOUBT = """
UPDATE deliveries
SET state = 'unknown', last_reply = 'restored from a backup: the mail may have gone out since', claimed_until = NULL,
    journaled_at = NULL, next_at = NULL
WHERE state IN ('queued', 'claimed', 'deferred') AND is_held = 0
"""
ADD_RESTORE = """
INSERT INTO restores (restored_at, backup_at, ran_until, cases_after)
VALUES (:restored_at, :backup_at, :ran_until, :cases_after)
"""
LAST_CASE = "SELECT coalesce(max(id), 0) AS id FROM cases"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a restore did."""

    backup: Backup
    #: Where the store went that was there before; None when there was none.
    moved_to: Path | None
    #: Deliveries that waited at the time of the backup, now `unknown`.
    unknown: int
    #: Numbers of new cases begin after this.
    cases_after: int


def restore(store: Path, file: Path, *, now: datetime, ran_until: datetime, may_replace: bool) -> Restored:
    """Puts the store of a backup in its place. The caller holds the store's `StoreLock`.

    Raises:
        CommandRefused: the file is no backup, there is a store that may not be replaced, or a place cannot be written.
        StoreUnavailable: the backup is damaged; nothing was changed.
        UnknownRevision: a newer program made the backup; nothing was changed.
        ConfigError: the key ring that is there, or that of the backup, is damaged.

    """
    backup = read_backup(file)
    migrate.refuse_unknown(file, backup.revision)
    if store.exists() and not may_replace:
        raise CommandRefused(f"there is a store, {store}; --yes moves it aside and restores")
    part = store.with_name(f"{store.name}.restoring")
    aside = store.with_name(f"{store.name}.before-restore-{now:%Y%m%dT%H%M%SZ}")
    try:
        private_file.create_new_private(part)
        try:
            _copy(file, part)
            migrate.upgrade(part, now=now, keeps_copy=False)
            cases_after = max(_last_case(part) + NUMBERS_SKIPPED, _last_case(store))
            unknown = _settle(part, backup, now=now, ran_until=ran_until, cases_after=cases_after)
            _put_back(backup, store.parent)
            moved_to = _move_aside(store, aside)
            private_file.replace(part, store)
        finally:
            for path in (part, *_companions(part)):
                path.unlink(missing_ok=True)
    except OSError as error:
        raise CommandRefused(f"cannot restore {store}: {error.strerror}") from error
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot restore {store}: {error}") from error
    return Restored(backup=backup, moved_to=moved_to, unknown=unknown, cases_after=cases_after)


def refuse_another_user(store: Path) -> None:
    """What root restores belongs to root, and the daemon could not open it. Raises CommandRefused; to be asked before
    the lock is taken, whose file would belong to root as well.
    """
    folder = store.parent
    if folder.exists() and folder.stat().st_uid != os.geteuid():
        raise CommandRefused(f"{folder} belongs to the user {folder.stat().st_uid}: restore as that user, with sudo -u")


def _copy(file: Path, part: Path) -> None:
    with reading(file, alone=True) as source, closing(sqlite3.connect(part, isolation_level=None)) as target:
        source.backup(target)
        # Else the secrets could still be read from free pages.
        target.execute("PRAGMA secure_delete = on").fetchall()
        target.execute(FORGET_MARK)
        target.execute(FORGET_FILES)


def _settle(part: Path, backup: Backup, *, now: datetime, ran_until: datetime, cases_after: int) -> int:
    """Draws the consequences of the time that is missing; returns how many deliveries are in doubt."""
    with closing(sqlite3.connect(part, isolation_level=None)) as database:
        database.row_factory = sqlite3.Row
        database.execute("BEGIN")
        unknown = execute(database, DOUBT)
        execute(
            database,
            ADD_RESTORE,
            restored_at=to_micros(now),
            backup_at=to_micros(backup.made_at),
            ran_until=to_micros(ran_until),
            cases_after=cases_after,
        )
        database.execute("COMMIT")
        if found := damage(database):
            raise StoreUnavailable(f"the restored store is damaged: {'; '.join(found)}")
        return unknown


def _put_back(backup: Backup, folder: Path) -> None:
    """The keys of both times are kept, since mail of both is under way."""
    for name, content in backup.secrets.items():
        if name != keyring.FILE_NAME:
            raise CommandRefused(f"{backup.file} holds a file that belongs elsewhere: {name!r}")
        keyring.put_back(folder, content)


def _last_case(store: Path) -> int:
    """The greatest number of a case in a store; 0 where none can be read."""
    if not store.exists():
        return 0
    with suppress(StoreUnavailable), reading(store) as database:
        return int(select(database, LAST_CASE)[0]["id"])
    return 0


def _move_aside(store: Path, aside: Path) -> Path | None:
    """Keeps the present store under another name as well; its own name is taken from it only by the restored one, so
    that no daemon ever finds none and makes an empty one. Its log goes with it: SQLite would apply it to the new file.
    """
    if not store.exists():
        return None
    # Folds the log into the file; a damaged store keeps it, under its new name.
    with suppress(sqlite3.Error), closing(sqlite3.connect(store)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    aside.hardlink_to(store)
    for old, kept in zip(_companions(store), _companions(aside), strict=True):
        if old.exists():
            old.replace(kept)
    return aside


def _companions(store: Path) -> tuple[Path, Path]:
    return store.with_name(f"{store.name}-wal"), store.with_name(f"{store.name}-shm")
