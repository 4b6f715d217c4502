"""The one look-up of a batch: what the mails' clues and addresses lead to. Reads in one snapshot."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from mailcase.core.case import Case, CaseId, MailId, OutgoingId, PartyId
from mailcase.core.process import outgoing_kind
from mailcase.store.codec import case_from_json
from mailcase.store.columns import from_micros, json_list, select
from mailcase.store.rows.cases import Anchor, Party, Role, Taken
from mailcase.store.rows.lookup import Known, SentMail, Wanted

ANCHORS = """
SELECT message_id, address, case_id, is_seen, is_shared FROM anchors
WHERE message_id IN (SELECT value FROM json_each(:message_ids)) ORDER BY id
"""
SENT = """
SELECT o.id, o.case_id, o.kind, o.message_id, d.address FROM outgoing o JOIN deliveries d ON d.outgoing_id = o.id
WHERE o.message_id IN (SELECT value FROM json_each(:message_ids)) ORDER BY o.id, d.id
"""
# Beside max(), SQLite takes the other columns from the row that has it. The plus keeps it from going through everything
# that was ever sent, by the index of the states.
SENT_TO = """
SELECT max(o.id) AS id, d.case_id, o.kind, o.message_id, d.address
FROM deliveries d JOIN outgoing o ON o.id = d.outgoing_id
WHERE d.case_id IN (SELECT value FROM json_each(:case_ids)) AND +d.state IN ('sent', 'unknown')
GROUP BY d.case_id, d.address ORDER BY 1 DESC
"""
# UNION, not UNION ALL: a circle of links ends.
CONTINUATIONS = """
WITH RECURSIVE line (origin, case_id) AS (
    SELECT other_id, case_id FROM links
    WHERE other_id IN (SELECT value FROM json_each(:case_ids)) AND kind = 'continues'
    UNION
    SELECT line.origin, l.case_id FROM line JOIN links l ON l.other_id = line.case_id AND l.kind = 'continues'
)
SELECT origin, case_id FROM line WHERE origin <> case_id ORDER BY origin, case_id
"""
CASES = """
SELECT c.id, c.state, t.text AS subject FROM cases c LEFT JOIN texts t ON t.id = c.subject_id
WHERE c.id IN (SELECT value FROM json_each(:case_ids)) ORDER BY c.id
"""
MESSAGE_IDS = """
SELECT wanted.value AS case_id, a.message_id FROM json_each(:case_ids) wanted JOIN anchors a ON a.id IN (
    SELECT id FROM (
        SELECT id FROM anchors WHERE case_id = wanted.value AND is_seen AND is_shared ORDER BY id LIMIT 10)
    UNION
    SELECT id FROM (
        SELECT id FROM anchors WHERE case_id = wanted.value AND is_seen AND is_shared ORDER BY id DESC LIMIT 10))
ORDER BY case_id, a.id
"""
PARTICIPANTS = """
SELECT p.case_id, p.role, q.id, q.address, q.name FROM participants p JOIN parties q ON q.id = p.party_id
WHERE p.case_id IN (SELECT value FROM json_each(:case_ids)) ORDER BY p.case_id, p.party_id
"""
PARTIES = """
SELECT id, address, name FROM parties
WHERE address IN (SELECT value FROM json_each(:addresses)) OR id IN (SELECT value FROM json_each(:ids)) ORDER BY id
"""
UNITS = """
SELECT t.fingerprint, t.address, t.mail_id, t.case_id, i.arrived_at FROM taken t JOIN inbox i ON i.id = t.mail_id
WHERE t.fingerprint IN (SELECT value FROM json_each(:fingerprints)) ORDER BY t.fingerprint, t.address
"""
SEEN = """
SELECT i.message_id, t.fingerprint FROM inbox i LEFT JOIN taken t ON t.mail_id = i.id
WHERE i.message_id IN (SELECT value FROM json_each(:message_ids)) ORDER BY i.id
"""


def look_up(database: sqlite3.Connection, wanted: Wanted) -> Known:
    """Answers a batch; the number of statements does not depend on its size."""
    message_ids = json_list(sorted(wanted.message_ids))
    anchors = _anchors(database, message_ids)
    sent = _sent(database, message_ids)
    named = {
        *wanted.case_ids,
        *wanted.reported_cases,
        *(anchor.case_id for of_one_id in anchors.values() for anchor in of_one_id),
        *(mail.case_id for mail in sent.values()),
    }
    continued_by = _continuations(database, named)
    case_ids = json_list(sorted({*named, *(other for line in continued_by.values() for other in line)}))
    cases, subjects = _cases(database, case_ids)
    participants, members = participants_of(database, case_ids)
    parties = _parties(database, wanted.addresses, cases.values())
    return Known(
        anchors=anchors,
        sent=sent,
        sent_to=_sent_to(database, wanted.reported_cases),
        cases=cases,
        subjects=subjects,
        message_ids=message_ids_of(database, case_ids),
        participants={
            case_id: {party.address: role for party, role in of_case} for case_id, of_case in participants.items()
        },
        continued_by=continued_by,
        parties={party.address: party for party in (*members, *parties)},
        party_ids={party.id: party for party in (*members, *parties)},
        taken=_taken(database, wanted.fingerprints),
        seen=_seen(database, message_ids),
    )


def _anchors(database: sqlite3.Connection, message_ids: str) -> dict[str, tuple[Anchor, ...]]:
    found: defaultdict[str, list[Anchor]] = defaultdict(list)
    for row in select(database, ANCHORS, message_ids=message_ids):
        found[row["message_id"]].append(
            Anchor(
                message_id=row["message_id"],
                address=row["address"],
                case_id=CaseId(row["case_id"]),
                is_seen=bool(row["is_seen"]),
                is_shared=bool(row["is_shared"]),
            )
        )
    return {message_id: tuple(anchors) for message_id, anchors in found.items()}


def _sent(database: sqlite3.Connection, message_ids: str) -> dict[str, SentMail]:
    found: dict[str, SentMail] = {}
    for row in select(database, SENT, message_ids=message_ids):
        before = found.get(row["message_id"])
        found[row["message_id"]] = SentMail(
            id=OutgoingId(row["id"]),
            case_id=CaseId(row["case_id"]),
            kind=outgoing_kind(row["kind"]),
            addresses=(*(before.addresses if before else ()), row["address"]),
        )
    return found


def _sent_to(database: sqlite3.Connection, case_ids: Iterable[CaseId]) -> dict[CaseId, tuple[SentMail, ...]]:
    found: defaultdict[CaseId, list[SentMail]] = defaultdict(list)
    for row in select(database, SENT_TO, case_ids=json_list(sorted(case_ids))):
        case_id = CaseId(row["case_id"])
        found[case_id].append(
            SentMail(
                id=OutgoingId(row["id"]),
                case_id=case_id,
                kind=outgoing_kind(row["kind"]),
                addresses=(row["address"].lower(),),
            )
        )
    return {case_id: tuple(mails) for case_id, mails in found.items()}


def _continuations(database: sqlite3.Connection, case_ids: Iterable[CaseId]) -> dict[CaseId, tuple[CaseId, ...]]:
    """Every case down the line of `continues` links, oldest first: the last that is open takes the mail (8.37)."""
    found: defaultdict[CaseId, list[CaseId]] = defaultdict(list)
    for row in select(database, CONTINUATIONS, case_ids=json_list(sorted(case_ids))):
        found[CaseId(row["origin"])].append(CaseId(row["case_id"]))
    return {case_id: tuple(line) for case_id, line in found.items()}


def _cases(database: sqlite3.Connection, case_ids: str) -> tuple[dict[CaseId, Case], dict[CaseId, str]]:
    rows = select(database, CASES, case_ids=case_ids)
    cases = {CaseId(row["id"]): case_from_json(row["state"]) for row in rows}
    subjects = {CaseId(row["id"]): str(row["subject"] or "") for row in rows}
    return cases, subjects


def message_ids_of(database: sqlite3.Connection, case_ids: str) -> dict[CaseId, tuple[str, ...]]:
    """Per case of a JSON array: the Message-IDs of its first ten and last ten mails, oldest first."""
    found: defaultdict[CaseId, dict[str, None]] = defaultdict(dict)
    for row in select(database, MESSAGE_IDS, case_ids=case_ids):
        found[CaseId(row["case_id"])][row["message_id"]] = None
    return {case_id: tuple(message_ids) for case_id, message_ids in found.items()}


def participants_of(
    database: sqlite3.Connection, case_ids: str
) -> tuple[Mapping[CaseId, Sequence[tuple[Party, Role]]], Sequence[Party]]:
    """Per case of a JSON array: its parties with their roles, in the order they came to be known; and all of them."""
    found: defaultdict[CaseId, list[tuple[Party, Role]]] = defaultdict(list)
    for row in select(database, PARTICIPANTS, case_ids=case_ids):
        found[CaseId(row["case_id"])].append((party_of(row), Role(row["role"])))
    return found, [party for of_case in found.values() for party, _ in of_case]


def _parties(database: sqlite3.Connection, addresses: Iterable[str], cases: Iterable[Case]) -> Sequence[Party]:
    requesters = {case.requester for case in cases if case.requester is not None}
    rows = select(database, PARTIES, addresses=json_list(sorted(addresses)), ids=json_list(sorted(requesters)))
    return [party_of(row) for row in rows]


def party_of(row: sqlite3.Row) -> Party:
    """The party in a row with `id`, `address` and `name`."""
    return Party(id=PartyId(row["id"]), address=row["address"], name=row["name"])


def _taken(database: sqlite3.Connection, fingerprints: Iterable[str]) -> dict[str, tuple[Taken, ...]]:
    found: defaultdict[str, list[Taken]] = defaultdict(list)
    for row in select(database, UNITS, fingerprints=json_list(sorted(fingerprints))):
        found[row["fingerprint"]].append(
            Taken(
                fingerprint=row["fingerprint"],
                address=row["address"],
                mail_id=MailId(row["mail_id"]),
                case_id=None if row["case_id"] is None else CaseId(row["case_id"]),
                arrived_at=from_micros(row["arrived_at"]),
            )
        )
    return {fingerprint: tuple(units) for fingerprint, units in found.items()}


def _seen(database: sqlite3.Connection, message_ids: str) -> dict[str, frozenset[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in select(database, SEEN, message_ids=message_ids):
        found[row["message_id"]].update([] if row["fingerprint"] is None else [row["fingerprint"]])
    return {message_id: frozenset(fingerprints) for message_id, fingerprints in found.items()}
