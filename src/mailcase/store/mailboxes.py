"""How far each mailbox and each of its folders has been read. Runs on the database thread, inside a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from mailcase.core.case import MailboxName
from mailcase.store.columns import execute, from_micros, json_list, select, storable, to_micros
from mailcase.store.rows.inbox import Outcome
from mailcase.store.rows.mailboxes import FolderState, MailboxState

SAVE_FOLDER = """
INSERT INTO folder_state (mailbox, folder, uidvalidity, last_uid, started_at)
VALUES (:mailbox, :folder, :uidvalidity, :last_uid, :started_at)
ON CONFLICT (mailbox, folder) DO UPDATE
SET uidvalidity = excluded.uidvalidity, last_uid = excluded.last_uid, started_at = excluded.started_at
"""
FOLDERS = """
SELECT folder, uidvalidity, last_uid, started_at FROM folder_state WHERE mailbox = :mailbox ORDER BY folder
"""
SAVE_MAILBOX = """
INSERT INTO mailbox_state (mailbox, account, read_through_at, checked_at, last_error)
VALUES (:mailbox, :account, :read_through_at, :checked_at, :last_error)
ON CONFLICT (mailbox) DO UPDATE
SET account = excluded.account, read_through_at = excluded.read_through_at, checked_at = excluded.checked_at,
    last_error = excluded.last_error
"""
MAILBOXES = """
SELECT mailbox, account, read_through_at, checked_at, last_error FROM mailbox_state ORDER BY mailbox
"""
OUTCOMES_OF = """
SELECT source, outcome FROM inbox
WHERE mailbox = :mailbox AND source IN (SELECT value FROM json_each(:sources)) ORDER BY id
"""
KNOWN_CONTENT = """
SELECT DISTINCT sha256 FROM inbox
WHERE mailbox = :mailbox AND sha256 IN (SELECT value FROM json_each(:digests)) ORDER BY sha256
"""


def save_folder(database: sqlite3.Connection, folder: FolderState) -> None:
    """Replaces what is known about a folder; called in the transaction that takes its mail."""
    execute(
        database,
        SAVE_FOLDER,
        mailbox=folder.mailbox,
        folder=folder.folder,
        uidvalidity=folder.uidvalidity,
        last_uid=folder.last_uid,
        started_at=to_micros(folder.started_at),
    )


def folder_states(database: sqlite3.Connection, mailbox: MailboxName) -> tuple[FolderState, ...]:
    """What is known about each folder of a mailbox, by name."""
    return tuple(
        FolderState(
            mailbox=mailbox,
            folder=row["folder"],
            uidvalidity=row["uidvalidity"],
            last_uid=row["last_uid"],
            started_at=from_micros(row["started_at"]),
        )
        for row in select(database, FOLDERS, mailbox=mailbox)
    )


def save_mailbox(database: sqlite3.Connection, state: MailboxState) -> None:
    """Replaces what is known about a mailbox."""
    execute(
        database,
        SAVE_MAILBOX,
        mailbox=state.mailbox,
        account=state.account,
        read_through_at=to_micros(state.read_through_at),
        checked_at=to_micros(state.checked_at),
        last_error=storable(state.last_error),
    )


def mailbox_states(database: sqlite3.Connection) -> dict[MailboxName, MailboxState]:
    """Every mailbox that was ever looked at, by name."""
    return {
        MailboxName(row["mailbox"]): MailboxState(
            mailbox=MailboxName(row["mailbox"]),
            account=row["account"],
            read_through_at=from_micros(row["read_through_at"]),
            checked_at=from_micros(row["checked_at"]),
            last_error=row["last_error"],
        )
        for row in select(database, MAILBOXES)
    }


def outcomes_of(database: sqlite3.Connection, mailbox: MailboxName, sources: Sequence[str]) -> dict[str, Outcome]:
    """What became of those of the sources that the mailbox has a row for."""
    rows = select(database, OUTCOMES_OF, mailbox=storable(mailbox), sources=json_list(sources))
    return {row["source"]: Outcome(row["outcome"]) for row in rows}


def knows_content(database: sqlite3.Connection, mailbox: MailboxName, digests: Sequence[str]) -> frozenset[str]:
    """Those of the digests that the mailbox has a mail for."""
    rows = select(database, KNOWN_CONTENT, mailbox=mailbox, digests=json_list(digests))
    return frozenset(row["sha256"] for row in rows)
