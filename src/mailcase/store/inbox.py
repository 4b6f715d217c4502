"""Mail that came in: taken, claimed, ended, looked at. Runs on the database thread, inside a transaction."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime

from mailcase.core.case import CaseId, MailboxName, MailId
from mailcase.errors import Conflict
from mailcase.store import mailboxes
from mailcase.store.columns import (
    TOP,
    Values,
    execute,
    execute_all,
    from_micros,
    json_list,
    select,
    storable,
    texts_of,
    to_micros,
)
from mailcase.store.rows.inbox import (
    Accepted,
    ClaimedMail,
    MailFilter,
    MailOutcome,
    MailRow,
    NewMail,
    Outcome,
    TraceStep,
)
from mailcase.store.rows.mailboxes import FolderState
from mailcase.store.turns import Turns, WaitingMail

# ---- C1: mail becomes ours -------------------------------------------------------------------------------------------

KNOWN_SOURCES = """
SELECT mailbox, source, id FROM inbox
WHERE (mailbox, source) IN (SELECT value ->> 0, value ->> 1 FROM json_each(:sources))
"""
ADD_RAW = "INSERT INTO raw_mail (sha256, raw) VALUES (:sha256, :raw) ON CONFLICT (sha256) DO NOTHING"
ADD_MAIL = """
INSERT INTO inbox (id, mailbox, source, sha256, size_bytes, envelope_from, envelope_to, arrived_at, received_at,
                   attempts, outcome, reason, trace)
VALUES (:id, :mailbox, :source, :sha256, :size_bytes, :envelope_from, :envelope_to, :arrived_at, :received_at,
        0, :outcome, :reason, '[]')
"""


def accept(
    database: sqlite3.Connection, mails: Sequence[NewMail], folder: FolderState | None, next_id: Callable[[], MailId]
) -> tuple[Accepted, ...]:
    """Keeps the mails whose (mailbox, source) is new, and how far the folder was read; answers in the order given."""
    sources = json.dumps([[storable(mail.mailbox), storable(mail.source)] for mail in mails])
    known = {
        (row["mailbox"], row["source"]): MailId(row["id"]) for row in select(database, KNOWN_SOURCES, sources=sources)
    }
    raws: list[Values] = []
    rows: list[Values] = []
    accepted: list[Accepted] = []
    for mail in mails:
        key = (storable(mail.mailbox), storable(mail.source))
        is_new = key not in known
        if is_new:
            known[key] = next_id()
            sha256 = _digest(mail)
            rows.append(_mail_values(known[key], mail, sha256))
            if sha256 is not None:
                raws.append({"sha256": sha256, "raw": mail.raw})
        accepted.append(Accepted(mail_id=known[key], is_new=is_new))
    execute_all(database, ADD_RAW, raws)
    execute_all(database, ADD_MAIL, rows)
    if folder is not None:
        mailboxes.save_folder(database, folder)
    return tuple(accepted)


def _digest(mail: NewMail) -> str | None:
    """None for mail that is recorded without its bytes, because it came before the start."""
    if mail.outcome is Outcome.BEFORE_START and not mail.raw:
        return None
    return hashlib.sha256(mail.raw).hexdigest()


def _mail_values(mail_id: MailId, mail: NewMail, sha256: str | None) -> Values:
    return {
        "id": mail_id,
        "mailbox": storable(mail.mailbox),
        "source": storable(mail.source),
        "sha256": sha256,
        "size_bytes": len(mail.raw),
        "envelope_from": storable(mail.envelope_from),
        "envelope_to": json_list(mail.envelope_to),
        "arrived_at": to_micros(mail.arrived_at),
        "received_at": to_micros(mail.received_at),
        "outcome": mail.outcome,
        "reason": storable(mail.reason),
    }


# ---- C2: mail is claimed ---------------------------------------------------------------------------------------------

# From one mailbox to the next along the index: it costs by the mailboxes that wait, not by their mail. INDEXED BY, here
# and below: SQLite would take other indexes, and walk or sort a whole backlog for every batch.
_WAITING = """
WITH RECURSIVE waiting(mailbox) AS (
    SELECT min(mailbox) FROM inbox INDEXED BY ix_inbox_pending WHERE outcome = 'pending'
    UNION ALL
    SELECT (SELECT min(i.mailbox) FROM inbox i INDEXED BY ix_inbox_pending
            WHERE i.outcome = 'pending' AND i.mailbox > waiting.mailbox)
    FROM waiting WHERE mailbox IS NOT NULL)
"""
WAITING_MAILBOXES = f"{_WAITING} SELECT mailbox FROM waiting WHERE mailbox IS NOT NULL"  # noqa: S608 - constants only
CLAIMABLE = """
SELECT id, attempts, size_bytes FROM inbox INDEXED BY ix_inbox_pending
WHERE outcome = 'pending' AND mailbox = :mailbox AND (claimed_until IS NULL OR claimed_until <= :now)
ORDER BY arrived_at, id LIMIT :limit_count
"""
CLAIM = """
UPDATE inbox SET attempts = attempts + 1, claimed_until = :lease_until WHERE id IN (SELECT value FROM json_each(:ids))
"""
# Without the bytes, which SQLite would take through its sort: six times the size of a mail.
CLAIMED = """
SELECT id, mailbox, envelope_from, envelope_to, arrived_at, attempts
FROM inbox WHERE id IN (SELECT value FROM json_each(:ids)) ORDER BY arrived_at, id
"""
RELEASE = """
UPDATE inbox SET claimed_until = NULL, attempts = attempts - :untried
WHERE id IN (SELECT value FROM json_each(:ids)) AND outcome = 'pending' AND claimed_until IS NOT NULL
"""
RELEASE_ALL = "UPDATE inbox SET claimed_until = NULL WHERE outcome = 'pending' AND claimed_until IS NOT NULL"
PENDING_COUNT = "SELECT count(*) AS count FROM inbox WHERE outcome = 'pending'"
OLDEST_PENDING = f"""
{_WAITING}
SELECT min((SELECT min(i.arrived_at) FROM inbox i INDEXED BY ix_inbox_pending
            WHERE i.outcome = 'pending' AND i.mailbox = waiting.mailbox)) AS arrived_at
FROM waiting
"""  # noqa: S608 - constants only


def claim(
    database: sqlite3.Connection, now: datetime, limit_count: int, limit_bytes: int, lease_until: datetime, turns: Turns
) -> tuple[ClaimedMail, ...]:
    """Claims the batch whose turn it is; its mails in order of arrival."""
    waiting = _waiting(database, now, limit_count)
    ids = json_list(turns.batch(waiting, limit_count=limit_count, limit_bytes=limit_bytes))
    execute(database, CLAIM, ids=ids, lease_until=to_micros(lease_until))
    return tuple(
        ClaimedMail(
            id=MailId(row["id"]),
            mailbox=MailboxName(row["mailbox"]),
            raw=_claimed_raw(database, MailId(row["id"])),
            envelope_from=row["envelope_from"],
            envelope_to=texts_of(row["envelope_to"]),
            arrived_at=from_micros(row["arrived_at"]),
            attempts=row["attempts"],
        )
        for row in select(database, CLAIMED, ids=ids)
    )


def _claimed_raw(database: sqlite3.Connection, mail_id: MailId) -> bytes:
    (row,) = select(database, RAW, mail_id=mail_id)
    return bytes(row["raw"])


def _waiting(database: sqlite3.Connection, now: datetime, limit_count: int) -> dict[MailboxName, list[WaitingMail]]:
    """The next mails of each mailbox, in order of arrival: as many as one batch could take of it."""
    names = [MailboxName(row["mailbox"]) for row in select(database, WAITING_MAILBOXES)]
    return {
        name: [
            WaitingMail(id=MailId(row["id"]), attempts=row["attempts"], size_bytes=row["size_bytes"])
            for row in select(database, CLAIMABLE, mailbox=name, now=to_micros(now), limit_count=limit_count)
        ]
        for name in names
    }


def release(database: sqlite3.Connection, mail_ids: Sequence[MailId], *, attempt_counts: bool) -> None:
    """Gives claimed mails back; ended ones stay as they are."""
    execute(database, RELEASE, ids=json_list(mail_ids), untried=0 if attempt_counts else 1)


def release_all(database: sqlite3.Connection) -> int:
    """Voids every claim; the attempts stay counted. Returns how many there were."""
    return execute(database, RELEASE_ALL)


def pending_count(database: sqlite3.Connection) -> int:
    """Mails that have no outcome yet, claimed or not."""
    return int(select(database, PENDING_COUNT)[0]["count"])


def oldest_pending_at(database: sqlite3.Connection) -> datetime | None:
    """The earliest arrival among the mails that have no outcome yet."""
    (row,) = select(database, OLDEST_PENDING)
    return from_micros(row["arrived_at"]) if row["arrived_at"] is not None else None


# ---- C3: mail ends ---------------------------------------------------------------------------------------------------

END_MAIL = """
UPDATE inbox
SET outcome = :outcome, reason = :reason, kind = :kind, message_id = :message_id, from_address = :from_address,
    subject = :subject, handled_at = :handled_at, trace = :trace, claimed_until = NULL
WHERE id = :id AND outcome = 'pending'
"""
ADD_MAIL_CASE = "INSERT INTO mail_cases (mail_id, case_id) VALUES (:mail_id, :case_id) ON CONFLICT DO NOTHING"


def save_outcomes(database: sqlite3.Connection, outcomes: Sequence[MailOutcome]) -> None:
    """Ends mails. Raises Conflict when one of them has ended already, so that no mail is handled twice."""
    rows: list[Values] = [
        {
            "id": ended.mail_id,
            "outcome": ended.outcome,
            "reason": storable(ended.reason),
            "kind": ended.kind,
            "message_id": storable(ended.message_id),
            "from_address": storable(ended.from_address),
            "subject": storable(ended.subject),
            "handled_at": to_micros(ended.handled_at),
            "trace": json.dumps([asdict(step) for step in ended.trace]),
        }
        for ended in outcomes
    ]
    if execute_all(database, END_MAIL, rows) != len(rows):
        raise Conflict("a mail of this batch has ended already")
    execute_all(
        database,
        ADD_MAIL_CASE,
        [{"mail_id": ended.mail_id, "case_id": case_id} for ended in outcomes for case_id in ended.case_ids],
    )


# ---- the operator's desk ---------------------------------------------------------------------------------------------

_MAIL_COLUMNS = """
SELECT i.id, i.mailbox, i.source, i.envelope_from, i.envelope_to, i.arrived_at, i.received_at, i.size_bytes, i.attempts,
       i.outcome, i.reason, i.kind, i.message_id, i.from_address, i.subject, i.trace,
       (SELECT json_group_array(m.case_id) FROM mail_cases m WHERE m.mail_id = i.id) AS case_ids
FROM inbox i
"""
_LISTED = """
(:mailbox IS NULL OR i.mailbox = :mailbox) AND i.received_at >= :since
AND (i.received_at, i.id) < (:after_at, :after_id)
"""
_NEWEST_FIRST = "ORDER BY i.received_at DESC, i.id DESC LIMIT :limit_count"
LIST_MAILS = f"{_MAIL_COLUMNS} WHERE {_LISTED} {_NEWEST_FIRST}"
LIST_MAILS_OF_OUTCOME = f"{_MAIL_COLUMNS} WHERE i.outcome = :outcome AND {_LISTED} {_NEWEST_FIRST}"
COUNT_MAILS = f"SELECT count(*) AS count FROM inbox i WHERE {_LISTED}"  # noqa: S608 - constants only
COUNT_MAILS_OF_OUTCOME = f"{COUNT_MAILS} AND i.outcome = :outcome"
LISTED_AT = "SELECT received_at FROM inbox WHERE id = :mail_id"
MAIL_BY_ID = f"{_MAIL_COLUMNS} WHERE i.id = :mail_id"
MAIL_BY_MESSAGE_ID = f"{_MAIL_COLUMNS} WHERE i.message_id = :message_id ORDER BY i.id DESC LIMIT 1"
RAW = "SELECT r.raw FROM inbox i JOIN raw_mail r ON r.sha256 = i.sha256 WHERE i.id = :mail_id"
RETRY_MAIL = """
UPDATE inbox
SET outcome = 'pending', reason = NULL, kind = NULL, message_id = NULL, from_address = NULL, subject = NULL,
    handled_at = NULL, trace = '[]', attempts = 0
WHERE id = :mail_id AND outcome IN ('parked', 'unhandled') AND size_bytes > 0
"""
FORGET_UNITS = "DELETE FROM taken WHERE mail_id = :mail_id AND case_id IS NULL"


def list_mails(database: sqlite3.Connection, wanted: MailFilter, limit_count: int) -> tuple[MailRow, ...]:
    """Newest receipt first."""
    statement = LIST_MAILS if wanted.outcome is None else LIST_MAILS_OF_OUTCOME
    rows = select(database, statement, **_list_values(database, wanted), limit_count=limit_count)
    return tuple(_mail_row(row) for row in rows)


def count_mails(database: sqlite3.Connection, wanted: MailFilter) -> int:
    """How many mails a list without a limit would have."""
    statement = COUNT_MAILS if wanted.outcome is None else COUNT_MAILS_OF_OUTCOME
    return int(select(database, statement, **_list_values(database, wanted))[0]["count"])


def _list_values(database: sqlite3.Connection, wanted: MailFilter) -> Values:
    """The parameters of a filter; a list begins at its top when the mail to go on after is unknown."""
    at = [] if wanted.after is None else select(database, LISTED_AT, mail_id=wanted.after)
    return {
        **({} if wanted.outcome is None else {"outcome": wanted.outcome}),
        "mailbox": wanted.mailbox,
        "since": 0 if wanted.since is None else to_micros(wanted.since),
        "after_at": at[0]["received_at"] if at else TOP,
        "after_id": wanted.after if at else TOP,
    }


def mail(database: sqlite3.Connection, mail_id: MailId) -> MailRow | None:
    """The mail of an id."""
    rows = select(database, MAIL_BY_ID, mail_id=mail_id)
    return _mail_row(rows[0]) if rows else None


def find_mail(database: sqlite3.Connection, message_id: str) -> MailRow | None:
    """The newest mail with that Message-ID."""
    rows = select(database, MAIL_BY_MESSAGE_ID, message_id=storable(message_id))
    return _mail_row(rows[0]) if rows else None


def raw(database: sqlite3.Connection, mail_id: MailId) -> bytes | None:
    """The bytes as received; None when there are none."""
    rows = select(database, RAW, mail_id=mail_id)
    return bytes(rows[0]["raw"]) if rows else None


def retry(database: sqlite3.Connection, mail_id: MailId) -> bool:
    """Puts a parked or unhandled mail back as if it had just come."""
    if not execute(database, RETRY_MAIL, mail_id=mail_id):
        return False
    execute(database, FORGET_UNITS, mail_id=mail_id)
    return True


def _mail_row(row: sqlite3.Row) -> MailRow:
    return MailRow(
        id=MailId(row["id"]),
        mailbox=MailboxName(row["mailbox"]),
        source=row["source"],
        envelope_from=row["envelope_from"],
        envelope_to=texts_of(row["envelope_to"]),
        arrived_at=from_micros(row["arrived_at"]),
        received_at=from_micros(row["received_at"]),
        size_bytes=row["size_bytes"],
        attempts=row["attempts"],
        outcome=Outcome(row["outcome"]),
        reason=row["reason"],
        kind=row["kind"],
        message_id=row["message_id"],
        from_address=row["from_address"],
        subject=row["subject"],
        trace=tuple(TraceStep(**step) for step in json.loads(row["trace"])),
        case_ids=tuple(CaseId(case_id) for case_id in sorted(json.loads(row["case_ids"]))),
    )
