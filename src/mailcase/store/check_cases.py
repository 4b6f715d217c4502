"""Whether each case is what its timeline says, and its columns what the case says."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping

from mailcase.core import deadlines
from mailcase.core.case import Case, ProcessName, Status, reference
from mailcase.core.evolve import replay
from mailcase.core.process import Process
from mailcase.store.codec import EVENTS, case_from_json
from mailcase.store.columns import to_micros
from mailcase.store.findings import Finding
from mailcase.store.rows.cases import SavedCase
from mailcase.store.saving import case_values

CASES = """
SELECT c.*, EXISTS (SELECT 1 FROM texts t WHERE t.id = c.subject_id AND t.case_id = c.id) AS has_subject,
       c.requester_id IS NULL OR EXISTS (SELECT 1 FROM parties p WHERE p.id = c.requester_id) AS has_requester
FROM cases c ORDER BY c.id
"""
EVENTS_OF_CASE = "SELECT seq, event FROM events WHERE case_id = :case_id ORDER BY seq"

REPORT = "this is a fault in mailcase: report it with this line"
RESTART = "restart the daemon, which computes it anew from the configuration"
#: Written with the case, and not part of it.
_BESIDE = ("loaded_version", "wake_at", "window_at", "updated_at", "state")


def faults_of_cases(database: sqlite3.Connection, processes: Mapping[ProcessName, Process]) -> Iterator[Finding]:
    """The findings about cases, by number."""
    for row in database.execute(CASES):
        ref = f"case {reference(row['id'])}"
        try:
            case = case_from_json(row["state"])
        except (ValueError, KeyError, TypeError) as error:
            yield Finding(check="cases", where=ref, problem=f"cannot be read: {error!r}", hint=REPORT)
            continue
        for problem in (*_faults_of_timeline(database, case), *_faults_of_columns(row, case)):
            yield Finding(check="cases", where=ref, problem=problem, hint=REPORT)
        yield from _faults_of_deadlines(row, case, processes, ref)


def _faults_of_timeline(database: sqlite3.Connection, case: Case) -> Iterator[str]:
    rows = database.execute(EVENTS_OF_CASE, {"case_id": case.id}).fetchall()
    if [row["seq"] for row in rows] != list(range(1, case.version + 1)):
        yield f"has version {case.version} and the events {[row['seq'] for row in rows]}"
        return
    try:
        lived = replay(EVENTS.from_json(row["event"]) for row in rows)
    except (ValueError, KeyError, TypeError) as error:
        yield f"cannot be replayed: {error!r}"
        return
    if lived != case:
        names = [name for name in Case.__slots__ if getattr(lived, name) != getattr(case, name)]
        yield f"is not what its timeline gives: {', '.join(names)}"


def _faults_of_columns(row: sqlite3.Row, case: Case) -> Iterator[str]:
    saved = SavedCase(case=case, loaded_version=0, events=(), wake_at=None, window_at=None)
    wanted = {name: value for name, value in case_values(saved, 0).items() if name not in _BESIDE}
    if wrong := [name for name, value in wanted.items() if row[name] != value]:
        yield f"is found by what it is not: {', '.join(wrong)}"
    if not row["has_subject"]:
        yield "has no subject"
    if not row["has_requester"]:
        yield "has a requester whom nobody knows"


def _faults_of_deadlines(
    row: sqlite3.Row, case: Case, processes: Mapping[ProcessName, Process], ref: str
) -> Iterator[Finding]:
    process = processes.get(case.process)
    if process is None:
        if case.status is not Status.CLOSED:
            hint = f"put `{case.process}` back into the configuration; `retired: true` lets it start no new cases"
            problem = f"is open, and its process {case.process!r} is not configured"
            yield Finding(check="deadlines", where=ref, problem=problem, hint=hint)
        return
    moments = {"wake_at": deadlines.wake_at(process, case), "window_at": deadlines.window_at(process, case)}
    wrong = [name for name, at in moments.items() if row[name] != to_micros(at)]
    if wrong and case.status is not Status.CLOSED:
        yield Finding(check="deadlines", where=ref, problem=f"has another {' and '.join(wrong)}", hint=RESTART)
    elif wrong:
        yield Finding(check="deadlines", where=ref, problem="is closed and has a deadline", hint=REPORT)
