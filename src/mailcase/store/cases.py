"""Reading cases: which are due, which are open, which the operator asks for. Runs on the database thread."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from mailcase.core.case import Case, CaseId, LinkKind, MailId, PartyId, TextId
from mailcase.store.codec import EVENTS, case_from_json
from mailcase.store.columns import TOP, Value, Values, execute_all, from_micros, json_list, select, storable, to_micros
from mailcase.store.lookup import message_ids_of, participants_of, party_of
from mailcase.store.rows.cases import CaseBundle, CaseFilter, Party, RecordedEvent, Role

# ---- time ------------------------------------------------------------------------------------------------------------

# The two halves are read along their indexes and merged, so that LIMIT reads no more than it returns. A case that is
# due in both stands in the half of its earlier deadline.
DUE = """
SELECT id, state, wake_at AS due FROM cases
WHERE wake_at <= :now AND (wake_at, id) > (:after_due, :after_id)
  AND NOT coalesce(window_at <= :through AND window_at < wake_at, FALSE)
UNION ALL
SELECT id, state, window_at AS due FROM cases
WHERE window_at <= :through AND (window_at, id) > (:after_due, :after_id)
  AND NOT coalesce(wake_at <= :now AND wake_at <= window_at, FALSE)
ORDER BY due, id LIMIT :limit_count
"""
DEADLINES = "SELECT wake_at, window_at FROM cases WHERE id = :case_id"
NEXT_WAKE = """
SELECT (SELECT min(wake_at) FROM cases WHERE wake_at IS NOT NULL) AS wake_at,
       (SELECT min(window_at) FROM cases WHERE window_at IS NOT NULL) AS window_at
"""
HELD_WINDOWS = "SELECT id, window_at FROM cases WHERE window_at <= :now ORDER BY window_at, id"
OPEN_CASES = """
SELECT state FROM cases WHERE id > :after AND status <> 'closed' ORDER BY id LIMIT :limit_count
"""
SAVE_DEADLINES = """
UPDATE cases SET wake_at = :wake_at, window_at = :window_at WHERE id = :case_id AND version = :version
"""
PROCESSES_IN_USE = """
SELECT process, count(*) AS count FROM cases WHERE status <> 'closed' GROUP BY process ORDER BY process
"""


def due_cases(
    database: sqlite3.Connection,
    now: datetime,
    windows_through: datetime | None,
    limit_count: int,
    after: CaseId | None,
) -> tuple[Case, ...]:
    """Cases that time has come for, by their earliest deadline that has, then by number."""
    now_micros, through = to_micros(now), to_micros(windows_through)
    after_due, after_id = _position(database, after, now_micros, through)
    rows = select(
        database,
        DUE,
        now=now_micros,
        through=through,
        after_due=after_due,
        after_id=after_id,
        limit_count=limit_count,
    )
    return tuple(case_from_json(row["state"]) for row in rows)


def _position(database: sqlite3.Connection, after: CaseId | None, now: int, through: int | None) -> tuple[int, int]:
    """Where `after` stands in the order; before everything when it is not due any more."""
    start = (0, 0)
    if after is None:
        return start
    for row in select(database, DEADLINES, case_id=after):
        due = [row["wake_at"]] if row["wake_at"] is not None and row["wake_at"] <= now else []
        if through is not None and row["window_at"] is not None and row["window_at"] <= through:
            due.append(row["window_at"])
        return (min(due), after) if due else start
    return start


def next_wake(database: sqlite3.Connection) -> tuple[datetime | None, datetime | None]:
    """The least wake_at and the least window_at."""
    row = select(database, NEXT_WAKE)[0]
    return from_micros(row["wake_at"]), from_micros(row["window_at"])


def held_windows(database: sqlite3.Connection, now: datetime) -> tuple[tuple[CaseId, datetime], ...]:
    """Cases whose window has ended by the clock, earliest first."""
    rows = select(database, HELD_WINDOWS, now=to_micros(now))
    return tuple((CaseId(row["id"]), from_micros(int(row["window_at"]))) for row in rows)


def open_cases(database: sqlite3.Connection, after: CaseId | None, limit_count: int) -> tuple[Case, ...]:
    """The next cases by number that are not closed."""
    rows = select(database, OPEN_CASES, after=after or 0, limit_count=limit_count)
    return tuple(case_from_json(row["state"]) for row in rows)


def save_deadlines(
    database: sqlite3.Connection, deadlines: Sequence[tuple[CaseId, int, datetime | None, datetime | None]]
) -> None:
    """Sets deadlines computed anew; a case that has moved on meanwhile keeps its own."""
    rows: list[Values] = [
        {"case_id": case_id, "version": version, "wake_at": to_micros(wake_at), "window_at": to_micros(window_at)}
        for case_id, version, wake_at, window_at in deadlines
    ]
    execute_all(database, SAVE_DEADLINES, rows)


def processes_in_use(database: sqlite3.Connection) -> dict[str, int]:
    """Cases that are not closed, per process."""
    return {row["process"]: row["count"] for row in select(database, PROCESSES_IN_USE)}


# ---- the operator's desk ---------------------------------------------------------------------------------------------

LISTED_AT = "SELECT updated_at FROM cases WHERE id = :case_id"
CASE_BY_ID = "SELECT state FROM cases WHERE id = :case_id"
TIMELINE = "SELECT seq, recorded_at, event FROM events WHERE case_id = :case_id ORDER BY seq"
TEXTS = "SELECT id, case_id, text FROM texts WHERE case_id IN (SELECT value FROM json_each(:case_ids)) ORDER BY id"
PARTIES_BY_ID = """
SELECT id, address, name FROM parties WHERE id IN (SELECT value FROM json_each(:ids)) ORDER BY id
"""
MAILS_OF_CASE = "SELECT mail_id FROM mail_cases WHERE case_id = :case_id ORDER BY mail_id"
LINKED_FROM = "SELECT case_id, kind FROM links WHERE other_id = :case_id ORDER BY case_id, kind"
#: What each field of a filter means; composed in this order, so that one filter is always one statement.
CONDITIONS: Mapping[str, str] = {
    "status": "status = :status",
    "queue": "queue = :queue",
    "assignee": "assignee = :assignee",
    "owner": "owner = :owner",
    "requester": "requester_id = (SELECT id FROM parties WHERE address = :requester)",
}
LIST_CONDITIONS: Mapping[str, str] = {
    "inbox": "is_in_inbox",
    "owned": "is_owned",
    "": "NOT is_in_inbox AND NOT is_owned",
}


#: A case stands in the list of its assignee, else of its owner, else of its queue (`assignment.list_holder`).
LIST_OF = """
(coalesce(assignee, owner) = :list_of
 OR coalesce(assignee, owner) IS NULL AND queue IN (SELECT value FROM json_each(:list_queues)))
"""


def bundle(database: sqlite3.Connection, case_id: CaseId) -> CaseBundle | None:
    """Everything about one case."""
    rows = select(database, CASE_BY_ID, case_id=case_id)
    if not rows:
        return None
    case = case_from_json(rows[0]["state"])
    timeline = tuple(
        RecordedEvent(seq=row["seq"], recorded_at=from_micros(row["recorded_at"]), event=EVENTS.from_json(row["event"]))
        for row in select(database, TIMELINE, case_id=case_id)
    )
    mail_ids = tuple(MailId(row["mail_id"]) for row in select(database, MAILS_OF_CASE, case_id=case_id))
    message_ids = message_ids_of(database, json_list([case_id])).get(case_id, ())
    linked_from = tuple(
        (CaseId(row["case_id"]), LinkKind(row["kind"])) for row in select(database, LINKED_FROM, case_id=case_id)
    )
    (shown,) = _bundles(database, [case])
    return replace(shown, timeline=timeline, mail_ids=mail_ids, message_ids=message_ids, linked_from=linked_from)


def _conditions(wanted: CaseFilter) -> tuple[str, dict[str, Value]]:
    """What a case of the filter fulfils, and the parameters of that."""
    values: dict[str, Value] = {
        name: value for name in CONDITIONS if (value := storable(getattr(wanted, name))) is not None
    }
    conditions = [CONDITIONS[name] for name in values]
    if wanted.list_name is not None:
        conditions.append(LIST_CONDITIONS.get(wanted.list_name, "FALSE"))
        if wanted.list_of is not None:
            conditions.append(LIST_OF)
            values.update(list_of=storable(wanted.list_of), list_queues=json_list(wanted.list_queues))
    return " AND ".join([*conditions, "(updated_at, id) < (:after_at, :after_id)"]), values


def list_statement(wanted: CaseFilter) -> tuple[str, dict[str, Value]]:
    """The query of a filter, and its parameters without the position to begin at."""
    where, values = _conditions(wanted)
    statement = f"SELECT state FROM cases WHERE {where} ORDER BY updated_at DESC, id DESC LIMIT :limit_count"  # noqa: S608
    return statement, {**values, "limit_count": wanted.limit}


def count_statement(wanted: CaseFilter) -> tuple[str, dict[str, Value]]:
    """How many cases the filter has, and the parameters of that without the position to begin at."""
    where, values = _conditions(wanted)
    return f"SELECT count(*) AS count FROM cases WHERE {where}", values  # noqa: S608


def _list_position(database: sqlite3.Connection, after: CaseId | None) -> dict[str, Value]:
    """Where a list goes on; from its top when that case is unknown."""
    rows = [] if after is None else select(database, LISTED_AT, case_id=after)
    return {"after_at": rows[0]["updated_at"], "after_id": after} if rows else {"after_at": TOP, "after_id": TOP}


def list_cases(database: sqlite3.Connection, wanted: CaseFilter) -> tuple[CaseBundle, ...]:
    """The cases of a filter, newest change first."""
    statement, values = list_statement(wanted)
    values.update(_list_position(database, wanted.after))
    cases = [case_from_json(row["state"]) for row in select(database, statement, **values)]
    return _bundles(database, cases)


def count_cases(database: sqlite3.Connection, wanted: CaseFilter) -> int:
    """How many cases a list without a limit would have."""
    statement, values = count_statement(wanted)
    return int(select(database, statement, **values, **_list_position(database, wanted.after))[0]["count"])


def _bundles(database: sqlite3.Connection, cases: Sequence[Case]) -> tuple[CaseBundle, ...]:
    """Cases with their texts and people, the rest left empty; one statement per table for all of them."""
    case_ids = json_list(case.id for case in cases)
    texts: dict[CaseId, dict[TextId, str]] = {case.id: {} for case in cases}
    for row in select(database, TEXTS, case_ids=case_ids):
        texts[row["case_id"]][TextId(row["id"])] = row["text"]
    participants, members = participants_of(database, case_ids)
    known = {party.id: party for party in (*members, *_requesters(database, cases))}
    return tuple(
        CaseBundle(
            case=case,
            timeline=(),
            texts=texts[case.id],
            parties=_parties_of(case, participants.get(case.id, ()), known),
            participants=tuple(participants.get(case.id, ())),
            mail_ids=(),
            message_ids=(),
        )
        for case in cases
    )


def _requesters(database: sqlite3.Connection, cases: Iterable[Case]) -> list[Party]:
    ids = {party for case in cases for party in (case.requester, case.original_requester) if party is not None}
    return [party_of(row) for row in select(database, PARTIES_BY_ID, ids=json.dumps(sorted(ids)))]


def _parties_of(
    case: Case, participants: Iterable[tuple[Party, Role]], known: Mapping[PartyId, Party]
) -> dict[PartyId, Party]:
    ids = {party.id for party, _ in participants} | {case.requester, case.original_requester}
    return {party_id: party for party_id, party in known.items() if party_id in ids}
