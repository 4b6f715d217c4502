"""Counts how everything stands: along indexes, so that it takes no longer with a hundred thousand cases. Runs on the
database thread, in one snapshot.
"""

from __future__ import annotations

import sqlite3

from mailcase.core.case import MailboxName, Status
from mailcase.store.columns import from_micros, select, to_micros
from mailcase.store.rows.outbox import DeliveryState
from mailcase.store.rows.standing import Some, Standing, StandingOf

CASES = "SELECT status, count(*) AS count FROM cases GROUP BY status ORDER BY status"
DUE = """
SELECT (SELECT count(*) FROM cases WHERE status IN ('to-do', 'in-progress', 'waiting') AND due_at <= :now) AS past,
       (SELECT count(*) FROM cases WHERE status IN ('to-do', 'in-progress', 'waiting')
                                     AND due_at > :now AND due_at < :tomorrow_at) AS today,
       (SELECT count(*) FROM cases WHERE status IN ('to-do', 'in-progress', 'waiting')
                                     AND due_at > :now AND due_at >= :tomorrow_at) AS later
"""
HELD_WINDOWS_COUNT = "SELECT count(*) AS count, min(window_at) AS oldest_at FROM cases WHERE window_at <= :now"
BACKLOG = """
SELECT mailbox, count(*) AS count, min(arrived_at) AS oldest_at FROM inbox
WHERE outcome = 'pending' GROUP BY mailbox ORDER BY mailbox
"""
SET_ASIDE = """
SELECT (SELECT count(*) FROM inbox WHERE outcome = 'unhandled') AS unhandled,
       (SELECT count(*) FROM inbox WHERE outcome = 'unhandled' AND received_at >= :recent_since) AS unhandled_recent,
       (SELECT count(*) FROM inbox WHERE outcome = 'parked') AS parked,
       (SELECT count(*) FROM inbox WHERE outcome = 'parked' AND received_at >= :recent_since) AS parked_recent
"""
# The mail with the least number was written first: only that one is looked up.
DELIVERIES = """
SELECT state, is_held, count, (SELECT created_at FROM outgoing WHERE id = oldest_id) AS oldest_at
FROM (SELECT state, is_held, count(*) AS count, min(outgoing_id) AS oldest_id FROM deliveries
      WHERE state IN ('queued', 'claimed', 'deferred', 'failed', 'unknown') GROUP BY state, is_held)
ORDER BY state, is_held
"""
RECENT_DELIVERIES = """
SELECT d.state, count(*) AS count FROM deliveries d JOIN outgoing o ON o.id = d.outgoing_id
WHERE d.state IN ('failed', 'unknown') AND o.created_at >= :recent_since GROUP BY d.state ORDER BY d.state
"""
_WAITING = frozenset({DeliveryState.QUEUED, DeliveryState.CLAIMED, DeliveryState.DEFERRED})


def standing(database: sqlite3.Connection, of: StandingOf) -> Standing:
    """All numbers."""
    now, recent_since = to_micros(of.now), to_micros(of.recent_since)
    due = select(database, DUE, now=now, tomorrow_at=to_micros(of.tomorrow_at))[0]
    aside = select(database, SET_ASIDE, recent_since=recent_since)[0]
    recent = {row["state"]: row["count"] for row in select(database, RECENT_DELIVERIES, recent_since=recent_since)}
    counts: dict[DeliveryState, int] = {}
    held, waiting = [], []
    for row in select(database, DELIVERIES):
        state = DeliveryState(row["state"])
        if row["is_held"] and state is DeliveryState.QUEUED:
            held.append(row)
            continue
        counts[state] = counts.get(state, 0) + row["count"]
        if state in _WAITING:
            waiting.append(row)
    return Standing(
        cases={Status(row["status"]): row["count"] for row in select(database, CASES)},
        past_due_count=due["past"],
        due_today_count=due["today"],
        due_later_count=due["later"],
        held_windows=_some(select(database, HELD_WINDOWS_COUNT, now=now)),
        backlog={MailboxName(row["mailbox"]): _some([row]) for row in select(database, BACKLOG)},
        unhandled_count=aside["unhandled"],
        unhandled_recent_count=aside["unhandled_recent"],
        parked_count=aside["parked"],
        parked_recent_count=aside["parked_recent"],
        deliveries=counts,
        failed_recent_count=recent.get(DeliveryState.FAILED, 0),
        unknown_recent_count=recent.get(DeliveryState.UNKNOWN, 0),
        held_deliveries=_some(held),
        waiting_deliveries=_some(waiting),
    )


def _some(rows: list[sqlite3.Row]) -> Some:
    oldest = [row["oldest_at"] for row in rows if row["oldest_at"] is not None]
    return Some(count=sum(row["count"] for row in rows), oldest_at=from_micros(min(oldest)) if oldest else None)
