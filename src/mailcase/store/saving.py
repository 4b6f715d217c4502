"""C3: everything that one stimulus or one batch changed, in one transaction, one statement per table."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from mailcase.core import assignment
from mailcase.core.case import CaseId
from mailcase.errors import Conflict
from mailcase.store import inbox, outbox
from mailcase.store.codec import EVENTS, case_to_json
from mailcase.store.columns import Values, execute_all, storable, to_micros
from mailcase.store.rows.cases import Anchor, Participant, Party, SavedCase, Taken, Text
from mailcase.store.rows.changes import Changes

ADD_CASE = """
INSERT INTO cases (id, version, process, status, queue, assignee, owner, requester_id, subject_id, is_highlighted,
                   is_in_inbox, is_owned, due_at, wake_at, window_at, updated_at, state)
VALUES (:id, :version, :process, :status, :queue, :assignee, :owner, :requester_id, :subject_id, :is_highlighted,
        :is_in_inbox, :is_owned, :due_at, :wake_at, :window_at, :updated_at, :state)
"""
UPDATE_CASE = """
UPDATE cases
SET version = :version, process = :process, status = :status, queue = :queue, assignee = :assignee, owner = :owner,
    requester_id = :requester_id, subject_id = :subject_id, is_highlighted = :is_highlighted,
    is_in_inbox = :is_in_inbox, is_owned = :is_owned, due_at = :due_at, wake_at = :wake_at, window_at = :window_at,
    updated_at = :updated_at, state = :state
WHERE id = :id AND version = :loaded_version
"""
ADD_EVENT = "INSERT INTO events (case_id, seq, recorded_at, event) VALUES (:case_id, :seq, :recorded_at, :event)"
ADD_LINK = "INSERT INTO links (other_id, case_id, kind) VALUES (:other_id, :case_id, :kind) ON CONFLICT DO NOTHING"
ADD_TEXT = "INSERT INTO texts (id, case_id, text) VALUES (:id, :case_id, :text)"
SAVE_PARTY = """
INSERT INTO parties (id, address, name) VALUES (:id, :address, :name)
ON CONFLICT (id) DO UPDATE SET name = excluded.name
"""
SAVE_PARTICIPANT = """
INSERT INTO participants (case_id, party_id, role) VALUES (:case_id, :party_id, :role)
ON CONFLICT (case_id, party_id) DO UPDATE SET role = excluded.role
"""
# The condition leaves the row of another case alone; the count of changed rows then tells the conflict.
SAVE_ANCHOR = """
INSERT INTO anchors (message_id, address, case_id, is_seen, is_shared)
VALUES (:message_id, :address, :case_id, :is_seen, :is_shared)
ON CONFLICT (message_id, address) DO UPDATE
SET is_seen = max(is_seen, excluded.is_seen), is_shared = min(is_shared, excluded.is_shared)
WHERE case_id = excluded.case_id
"""
# A mail that is tried again meets its own units; another mail's unit is a conflict, told as above, unless it is the one
# to be replaced.
SAVE_TAKEN = """
INSERT INTO taken (fingerprint, address, mail_id, case_id) VALUES (:fingerprint, :address, :mail_id, :case_id)
ON CONFLICT (fingerprint, address) DO UPDATE SET mail_id = excluded.mail_id, case_id = excluded.case_id
WHERE mail_id IN (excluded.mail_id, :replaces)
"""
COPY_MAILS = """
INSERT INTO mail_cases (mail_id, case_id)
SELECT mail_id, :target FROM mail_cases WHERE case_id = :source ON CONFLICT DO NOTHING
"""


def save(database: sqlite3.Connection, changes: Changes, now: datetime) -> None:
    """Writes the changes. Raises Conflict when a case, an anchor, a unit or a mail was changed by somebody else."""
    _save_cases(database, changes.cases, now)
    _save_texts(database, changes.texts)
    _save_parties(database, changes.parties)
    _save_participants(database, changes.participants)
    _save_anchors(database, changes.anchors)
    _save_taken(database, changes.taken)
    outbox.add(database, changes.outgoing)
    outbox.settle(database, changes.results)
    inbox.save_outcomes(database, changes.outcomes)
    _copy_mails(database, changes.copies)


def _save_cases(database: sqlite3.Connection, saved: Sequence[SavedCase], now: datetime) -> None:
    recorded_at = to_micros(now)
    new = [case_values(case, recorded_at) for case in saved if case.loaded_version == 0]
    changed = [case_values(case, recorded_at) for case in saved if case.loaded_version > 0]
    execute_all(database, ADD_CASE, new)
    if execute_all(database, UPDATE_CASE, changed) != len(changed):
        raise Conflict("a case was changed by somebody else")
    rows: list[Values] = [
        {"case_id": case.case.id, "seq": seq, "recorded_at": recorded_at, "event": EVENTS.to_json(event)}
        for case in saved
        for seq, event in enumerate(case.events, start=case.loaded_version + 1)
    ]
    execute_all(database, ADD_EVENT, rows)
    links: list[Values] = [
        {"other_id": link.other, "case_id": case.case.id, "kind": link.kind}
        for case in saved
        for link in case.case.links
    ]
    execute_all(database, ADD_LINK, links)


def case_values(saved: SavedCase, updated_at: int) -> Values:
    """The columns of a case."""
    case = saved.case
    lists = assignment.lists(case)
    return {
        "id": case.id,
        "loaded_version": saved.loaded_version,
        "version": case.version,
        "process": case.process,
        "status": case.status,
        "queue": case.holder.queue,
        "assignee": case.holder.assignee,
        "owner": case.holder.owner,
        "requester_id": case.requester,
        "subject_id": case.subject,
        "is_highlighted": case.is_highlighted,
        "is_in_inbox": "inbox" in lists,
        "is_owned": "owned" in lists,
        "due_at": to_micros(case.due_at),
        "wake_at": to_micros(saved.wake_at),
        "window_at": to_micros(saved.window_at),
        "updated_at": updated_at,
        "state": case_to_json(case),
    }


def _save_texts(database: sqlite3.Connection, texts: Sequence[Text]) -> None:
    rows: list[Values] = [{"id": text.id, "case_id": text.case_id, "text": storable(text.text)} for text in texts]
    execute_all(database, ADD_TEXT, rows)


def _save_parties(database: sqlite3.Connection, parties: Sequence[Party]) -> None:
    rows: list[Values] = [
        {"id": party.id, "address": storable(party.address), "name": storable(party.name)} for party in parties
    ]
    execute_all(database, SAVE_PARTY, rows)


def _save_participants(database: sqlite3.Connection, participants: Sequence[Participant]) -> None:
    rows: list[Values] = [
        {"case_id": participant.case_id, "party_id": participant.party_id, "role": participant.role}
        for participant in participants
    ]
    execute_all(database, SAVE_PARTICIPANT, rows)


def _save_anchors(database: sqlite3.Connection, anchors: Sequence[Anchor]) -> None:
    rows: list[Values] = [
        {
            "message_id": storable(anchor.message_id),
            "address": storable(anchor.address),
            "case_id": anchor.case_id,
            "is_seen": anchor.is_seen,
            "is_shared": anchor.is_shared,
        }
        for anchor in anchors
    ]
    if execute_all(database, SAVE_ANCHOR, rows) != len(rows):
        raise Conflict("a Message-ID stands for another case already")


def _save_taken(database: sqlite3.Connection, taken: Sequence[Taken]) -> None:
    rows: list[Values] = [
        {
            "fingerprint": unit.fingerprint,
            "address": storable(unit.address),
            "mail_id": unit.mail_id,
            "case_id": unit.case_id,
            "replaces": unit.replaces,
        }
        for unit in taken
    ]
    if execute_all(database, SAVE_TAKEN, rows) != len(rows):
        raise Conflict("the same content was taken for the same address by another mail")


def _copy_mails(database: sqlite3.Connection, copies: Sequence[tuple[CaseId, CaseId]]) -> None:
    execute_all(database, COPY_MAILS, [{"source": source, "target": target} for source, target in copies])
