"""Mail of ours: queued, claimed, journaled, settled. Runs on the database thread, inside a transaction.

The line of one recipient of one case is strict: a delivery waits while an earlier one is queued, claimed or deferred. A
held one is out of the line until somebody releases it, so that a trial run does not silence a case for good.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby

from mailcase.core.case import CaseId, OutgoingId
from mailcase.core.process import outgoing_kind
from mailcase.errors import Conflict
from mailcase.store.columns import (
    TOP,
    Values,
    execute,
    execute_all,
    from_micros,
    json_list,
    select,
    storable,
    to_micros,
)
from mailcase.store.rows.outbox import (
    ClaimedDelivery,
    ClaimedOutgoing,
    DeliveryChoice,
    DeliveryId,
    DeliveryResult,
    DeliveryRow,
    DeliveryState,
    OutgoingMail,
)

#: Reply of a delivery whose attempt began in an earlier life of the daemon and was never settled.
INTERRUPTED = "interrupted: the mail may or may not have gone out"

# ---- C3: mail is queued ----------------------------------------------------------------------------------------------

ADD_OUTGOING = """
INSERT INTO outgoing (id, case_id, kind, message_id, envelope_from, created_at, raw)
VALUES (:id, :case_id, :kind, :message_id, :envelope_from, :created_at, :raw)
"""
ADD_DELIVERY = """
INSERT INTO deliveries (id, outgoing_id, case_id, address, state, is_held, is_released, attempts, next_at)
VALUES (:id, :outgoing_id, :case_id, :address, 'queued', :is_held, 0, 0, :next_at)
"""


def add(database: sqlite3.Connection, mails: Sequence[OutgoingMail]) -> None:
    """Queues finished mails with one delivery per recipient."""
    outgoing: list[Values] = [
        {
            "id": mail.id,
            "case_id": mail.case_id,
            "kind": mail.kind,
            "message_id": mail.message_id,
            "envelope_from": mail.envelope_from,
            "created_at": to_micros(mail.created_at),
            "raw": mail.raw,
        }
        for mail in mails
    ]
    deliveries: list[Values] = [
        {
            "id": delivery.id,
            "outgoing_id": mail.id,
            "case_id": mail.case_id,
            "address": storable(delivery.address),
            "is_held": mail.is_held,
            "next_at": to_micros(mail.created_at),
        }
        for mail in mails
        for delivery in mail.deliveries
    ]
    execute_all(database, ADD_OUTGOING, outgoing)
    execute_all(database, ADD_DELIVERY, deliveries)


# ---- C4: mail is claimed ---------------------------------------------------------------------------------------------

_FIRST_IN_LINE = """
d.state IN ('queued', 'deferred') AND d.is_held = 0 AND NOT EXISTS (
    SELECT 1 FROM deliveries e
    WHERE e.case_id = d.case_id AND e.address = d.address AND e.id < d.id
      AND e.state IN ('queued', 'claimed', 'deferred') AND e.is_held = 0)
"""
LAPSED = """
UPDATE deliveries SET state = 'queued', claimed_until = NULL
WHERE state = 'claimed' AND journaled_at IS NULL AND claimed_until <= :now
"""
HOLD = """
UPDATE deliveries INDEXED BY ix_deliveries_due SET is_held = 1
WHERE state IN ('queued', 'deferred') AND is_held = 0 AND is_released = 0
"""
# INDEXED BY: SQLite would take other indexes, and walk or sort a whole backlog for every batch.
CLAIMABLE = f"""
SELECT d.outgoing_id FROM deliveries d INDEXED BY ix_deliveries_due
WHERE d.next_at <= :now AND {_FIRST_IN_LINE} ORDER BY d.next_at, d.id
"""  # noqa: S608 - constants only
CLAIMABLE_OF_MAILS = f"""
SELECT d.id FROM deliveries d INDEXED BY ix_deliveries_outgoing_id
WHERE d.outgoing_id IN (SELECT value FROM json_each(:mails)) AND d.next_at <= :now AND {_FIRST_IN_LINE} ORDER BY d.id
"""  # noqa: S608 - constants only
CLAIM = """
UPDATE deliveries SET state = 'claimed', claimed_until = :lease_until WHERE id IN (SELECT value FROM json_each(:ids))
"""
CLAIMED = """
SELECT o.id, o.case_id, o.kind, o.message_id, o.envelope_from, o.created_at, o.raw,
       d.id AS delivery_id, d.address, d.attempts
FROM deliveries d JOIN outgoing o ON o.id = d.outgoing_id
WHERE d.id IN (SELECT value FROM json_each(:ids)) ORDER BY o.id, d.id
"""
# Written, or put off, by a clock that was ahead: no delivery waits for longer than sending is tried at all.
BRING_FORWARD = """
UPDATE deliveries SET next_at = :now
WHERE state IN ('queued', 'deferred') AND next_at > :now AND EXISTS (
    SELECT 1 FROM outgoing o WHERE o.id = deliveries.outgoing_id
      AND (o.created_at > :now OR deliveries.next_at > o.created_at + :retry_for))
"""
NEXT_AT = f"""
SELECT d.next_at FROM deliveries d INDEXED BY ix_deliveries_due
WHERE {_FIRST_IN_LINE} ORDER BY d.next_at, d.id LIMIT 1
"""  # noqa: S608 - constants only


def bring_forward(database: sqlite3.Connection, now: datetime, retry_for: timedelta) -> int:
    """Makes due what a clock that was ahead has put off to a time that no delivery waits for; tells how many."""
    return execute(database, BRING_FORWARD, now=to_micros(now), retry_for=retry_for // timedelta(microseconds=1))


def claim(
    database: sqlite3.Connection, now: datetime, limit_count: int, lease_until: datetime, *, holds_others: bool = False
) -> tuple[ClaimedOutgoing, ...]:
    """Claims the due deliveries of at most `limit_count` mails, all of a mail together. `holds_others`: only what an
    operator has released; all others are held from now on.
    """
    micros = to_micros(now)
    execute(database, LAPSED, now=micros)
    if holds_others:
        execute(database, HOLD)
    mails = json_list(_due_mails(database, micros, limit_count))
    ids = json_list(row["id"] for row in select(database, CLAIMABLE_OF_MAILS, now=micros, mails=mails))
    execute(database, CLAIM, ids=ids, lease_until=to_micros(lease_until))
    rows = select(database, CLAIMED, ids=ids)
    return tuple(_claimed_mail(list(group)) for _, group in groupby(rows, key=lambda row: int(row["id"])))


def _due_mails(database: sqlite3.Connection, now: int, limit_count: int) -> list[int]:
    """Reads only as far as it must: a backlog costs no more than a batch."""
    found: dict[int, None] = {}
    for row in database.execute(CLAIMABLE, {"now": now}):
        if row["outgoing_id"] not in found and len(found) == limit_count:
            break
        found[row["outgoing_id"]] = None
    return list(found)


def _claimed_mail(rows: Sequence[sqlite3.Row]) -> ClaimedOutgoing:
    first = rows[0]
    return ClaimedOutgoing(
        id=OutgoingId(first["id"]),
        case_id=CaseId(first["case_id"]),
        kind=outgoing_kind(first["kind"]),
        message_id=first["message_id"],
        envelope_from=first["envelope_from"],
        raw=first["raw"],
        created_at=from_micros(first["created_at"]),
        deliveries=tuple(
            ClaimedDelivery(id=DeliveryId(row["delivery_id"]), address=row["address"], attempts=row["attempts"])
            for row in rows
        ),
    )


def next_delivery_at(database: sqlite3.Connection) -> datetime | None:
    """When the earliest delivery that is first in its line is due; those behind it are woken by its settling."""
    rows = select(database, NEXT_AT)
    return from_micros(rows[0]["next_at"]) if rows else None


# ---- the attempt, and C5 ---------------------------------------------------------------------------------------------

JOURNAL = """
UPDATE deliveries SET attempts = attempts + 1, journaled_at = :now
WHERE id IN (SELECT value FROM json_each(:ids)) AND state = 'claimed' AND journaled_at IS NULL
"""
SETTLE = """
UPDATE deliveries
SET state = :state, last_reply = :reply, claimed_until = NULL, journaled_at = NULL,
    next_at = CASE WHEN :state = 'deferred' THEN :next_at WHEN :state = 'queued' THEN next_at END
WHERE id = :id AND state NOT IN ('sent', 'failed', 'cancelled')
  AND (:state <> 'queued' OR (state = 'claimed' AND journaled_at IS NULL))
"""
INTERRUPT = f"""
UPDATE deliveries SET state = 'unknown', last_reply = '{INTERRUPTED}', claimed_until = NULL, next_at = NULL
WHERE state = 'claimed' AND journaled_at IS NOT NULL
"""  # noqa: S608 - constants only
UNCLAIM = (
    "UPDATE deliveries SET state = 'queued', claimed_until = NULL WHERE state = 'claimed' AND journaled_at IS NULL"
)


def journal(database: sqlite3.Connection, delivery_ids: Sequence[DeliveryId], now: datetime) -> None:
    """Records that attempts begin. Raises Conflict when one of them is no longer claimed or has begun already."""
    if execute(database, JOURNAL, ids=json_list(delivery_ids), now=to_micros(now)) != len(delivery_ids):
        raise Conflict("a delivery of this attempt is no longer ours to send")


def settle(database: sqlite3.Connection, results: Sequence[DeliveryResult]) -> None:
    """Saves what became of attempts. A claim may have lapsed meanwhile, and only the first journal entry sends (R17):
    what is over stays so, and one given back untried changes nothing once somebody else has begun it.
    """
    rows: list[Values] = [
        {
            "id": result.id,
            "state": result.state,
            "reply": storable(result.reply),
            "next_at": to_micros(result.next_at),
        }
        for result in results
    ]
    execute_all(database, SETTLE, rows)


def recover(database: sqlite3.Connection) -> tuple[int, tuple[DeliveryRow, ...]]:
    """Voids every claim. Returns how many had not begun, and the interrupted ones: the latter at every start until a
    result is saved for them, so that a second crash hides none from its case.
    """
    execute(database, INTERRUPT)
    released = execute(database, UNCLAIM)
    return released, tuple(_delivery_row(row) for row in select(database, UNSETTLED))


# ---- the operator's desk ---------------------------------------------------------------------------------------------

_DELIVERY_COLUMNS = """
SELECT d.id, d.outgoing_id, d.case_id, o.kind, o.message_id, d.address, d.state, d.is_held, d.attempts, d.next_at,
       d.last_reply, o.created_at
FROM deliveries d JOIN outgoing o ON o.id = d.outgoing_id
"""
UNSETTLED = f"{_DELIVERY_COLUMNS} WHERE d.state = 'unknown' AND d.journaled_at IS NOT NULL ORDER BY d.id"
_NEWEST_FIRST = "d.id < :after ORDER BY d.id DESC LIMIT :limit_count"
LIST_DELIVERIES = f"{_DELIVERY_COLUMNS} WHERE {_NEWEST_FIRST}"
LIST_DELIVERIES_IN_STATE = f"{_DELIVERY_COLUMNS} WHERE d.state = :state AND {_NEWEST_FIRST}"
_HELD = "d.state IN ('queued', 'deferred') AND d.is_held = 1"
LIST_HELD_DELIVERIES = f"{_DELIVERY_COLUMNS} WHERE {_HELD} AND {_NEWEST_FIRST}"
COUNT_DELIVERIES = "SELECT count(*) AS count FROM deliveries WHERE id < :after"
COUNT_DELIVERIES_IN_STATE = f"{COUNT_DELIVERIES} AND state = :state"
COUNT_HELD_DELIVERIES = f"SELECT count(*) AS count FROM deliveries d WHERE {_HELD} AND d.id < :after"  # noqa: S608
IDS_IN_STATE = "SELECT id FROM deliveries WHERE state = :state ORDER BY id"
HELD_IDS = f"SELECT d.id FROM deliveries d WHERE {_HELD} ORDER BY d.id"  # noqa: S608 - constants only
DELIVERIES_OF_CASE = f"{_DELIVERY_COLUMNS} WHERE d.case_id = :case_id ORDER BY d.id"
DELIVERY_BY_ID = f"{_DELIVERY_COLUMNS} WHERE d.id = :delivery_id"
OUTGOING_RAW = "SELECT raw FROM outgoing WHERE id = :outgoing_id"
# What is queued and was never released can be: it may be held by the next claim.
RETRY_DELIVERIES = """
UPDATE deliveries SET state = 'queued', is_held = 0, is_released = 1, next_at = :now, journaled_at = NULL
WHERE id IN (SELECT value FROM json_each(:ids))
  AND (state IN ('deferred', 'failed', 'unknown', 'cancelled') OR (state = 'queued' AND is_released = 0))
RETURNING id
"""
CANCEL_DELIVERIES = """
UPDATE deliveries SET state = 'cancelled', is_held = 0, next_at = NULL
WHERE id IN (SELECT value FROM json_each(:ids)) AND state IN ('queued', 'deferred')
RETURNING id
"""


def list_deliveries(
    database: sqlite3.Connection, choice: str | None, limit_count: int, after: DeliveryId | None
) -> tuple[DeliveryRow, ...]:
    """Newest first."""
    values: Values = {"limit_count": limit_count, "after": TOP if after is None else after}
    if choice is None:
        rows = select(database, LIST_DELIVERIES, **values)
    elif choice == DeliveryChoice.HELD:
        rows = select(database, LIST_HELD_DELIVERIES, **values)
    else:
        rows = select(database, LIST_DELIVERIES_IN_STATE, state=choice, **values)
    return tuple(_delivery_row(row) for row in rows)


def count_deliveries(database: sqlite3.Connection, choice: str | None, after: DeliveryId | None) -> int:
    """How many deliveries a list without a limit would have."""
    start = TOP if after is None else after
    if choice is None:
        rows = select(database, COUNT_DELIVERIES, after=start)
    elif choice == DeliveryChoice.HELD:
        rows = select(database, COUNT_HELD_DELIVERIES, after=start)
    else:
        rows = select(database, COUNT_DELIVERIES_IN_STATE, state=choice, after=start)
    return int(rows[0]["count"])


def delivery_ids(database: sqlite3.Connection, choice: str) -> tuple[DeliveryId, ...]:
    """All deliveries of a choice, oldest first."""
    if choice == DeliveryChoice.HELD:
        return _ids(select(database, HELD_IDS))
    return _ids(select(database, IDS_IN_STATE, state=choice))


def deliveries_of(database: sqlite3.Connection, case_id: CaseId) -> tuple[DeliveryRow, ...]:
    """All deliveries of a case, oldest first."""
    return tuple(_delivery_row(row) for row in select(database, DELIVERIES_OF_CASE, case_id=case_id))


def delivery(database: sqlite3.Connection, delivery_id: DeliveryId) -> DeliveryRow | None:
    """The delivery of an id."""
    rows = select(database, DELIVERY_BY_ID, delivery_id=delivery_id)
    return _delivery_row(rows[0]) if rows else None


def outgoing_raw(database: sqlite3.Connection, outgoing_id: OutgoingId) -> bytes | None:
    """The finished bytes of a mail of ours."""
    rows = select(database, OUTGOING_RAW, outgoing_id=outgoing_id)
    return bytes(rows[0]["raw"]) if rows else None


def retry(database: sqlite3.Connection, delivery_ids: Sequence[DeliveryId], now: datetime) -> tuple[DeliveryId, ...]:
    """Queues deliveries for now, out of any hold; those of them that could be."""
    return _ids(select(database, RETRY_DELIVERIES, ids=json_list(delivery_ids), now=to_micros(now)))


def cancel(database: sqlite3.Connection, delivery_ids: Sequence[DeliveryId]) -> tuple[DeliveryId, ...]:
    """Cancels deliveries that wait; those of them that did."""
    return _ids(select(database, CANCEL_DELIVERIES, ids=json_list(delivery_ids)))


def _ids(rows: Sequence[sqlite3.Row]) -> tuple[DeliveryId, ...]:
    return tuple(DeliveryId(row["id"]) for row in rows)


def _delivery_row(row: sqlite3.Row) -> DeliveryRow:
    return DeliveryRow(
        id=DeliveryId(row["id"]),
        outgoing_id=OutgoingId(row["outgoing_id"]),
        case_id=CaseId(row["case_id"]),
        kind=outgoing_kind(row["kind"]),
        message_id=row["message_id"],
        address=row["address"],
        state=DeliveryState(row["state"]),
        is_held=bool(row["is_held"]),
        attempts=row["attempts"],
        next_at=from_micros(row["next_at"]),
        last_reply=row["last_reply"],
        created_at=from_micros(row["created_at"]),
    )
