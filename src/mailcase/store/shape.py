"""Whether a database has the tables that this program works with, told without the tools of migration.

A revision is a name, not a proof: before a release, a step is changed in place, and a store that an earlier form of it
made would fail at the first statement that needs what is missing.
"""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Final

from mailcase.store.columns import json_list

#: The tables of `schema.py`; whatever else an operator has put into the file is no matter.
TABLES: Final = (
    "anchors",
    "cases",
    "deliveries",
    "events",
    "folder_state",
    "inbox",
    "links",
    "mail_cases",
    "mailbox_state",
    "outgoing",
    "participants",
    "parties",
    "raw_mail",
    "restores",
    "taken",
    "texts",
)
#: `shape` of a database that was migrated to the newest step.
SHAPE: Final = "99afa12afba27a3c"

WHAT_TO_DO: Final = (
    "there is no way from one to the other: run the version that made it, or move the file aside, with its -wal and "
    "-shm, and begin with an empty store"
)

COLUMNS = """
SELECT t.name || '.' || c.name AS line FROM json_each(:tables) wanted
JOIN sqlite_master t ON t.type = 'table' AND t.name = wanted.value JOIN pragma_table_info(t.name) c
ORDER BY line
"""
INDEXES = """
SELECT i.name || ' ' || i."unique" || i.partial || ' ' || coalesce(c.name, '') AS line FROM json_each(:tables) wanted
JOIN sqlite_master t ON t.type = 'table' AND t.name = wanted.value JOIN pragma_index_list(t.name) i
JOIN pragma_index_info(i.name) c
WHERE i.name LIKE 'ix\\_%' ESCAPE '\\' ORDER BY i.name, c.seqno
"""


def fits(database: sqlite3.Connection) -> bool:
    """False where a development version of mailcase has made other tables under the newest revision."""
    return shape(database) == SHAPE


def shape(database: sqlite3.Connection) -> str:
    """A digest of our tables, their columns and indexes."""
    tables = json_list(TABLES)
    lines = [row[0] for statement in (COLUMNS, INDEXES) for row in database.execute(statement, {"tables": tables})]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
