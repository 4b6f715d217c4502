"""What in a store does not add up (`mailcase store check`). Reads only, in one snapshot, beside a running daemon.

Every check is a question whose answer must be "none". What a constraint of the tables keeps already is left to
`verify.damage`; here is what only the program keeps.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mailcase.core.case import ProcessName
from mailcase.core.process import Process
from mailcase.store.check_cases import faults_of_cases
from mailcase.store.columns import Values, json_list, select, to_micros
from mailcase.store.findings import Finding
from mailcase.store.rows.inbox import Outcome
from mailcase.store.rows.outbox import DeliveryState
from mailcase.store.shape import WHAT_TO_DO, fits
from mailcase.store.verify import damage, reading

RESTORE = "restore a backup, or let somebody who knows SQLite look at it; do not go on with a damaged store"
OTHER_TABLES = "the store has other tables than this version of mailcase"
REPORT = "this is a fault in mailcase: report it with this line"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """One statement that finds rows that must not be; each has `id` and what else `problem` names."""

    check: str
    noun: str
    statement: str
    problem: str
    hint: str = REPORT


#: Outcomes that tie a mail to a case.
_WITH_CASE = (Outcome.NEW_CASE, Outcome.APPENDED)
_ENDED = tuple(outcome for outcome in Outcome if outcome is not Outcome.PENDING)
_TO_BE_SENT = (DeliveryState.QUEUED, DeliveryState.DEFERRED)

#: Every accepted mail has ended in exactly one outcome, or waits for it (R21).
ACCOUNTING = (
    _Question(
        check="accounting",
        noun="mail",
        statement="""
SELECT id, outcome FROM inbox WHERE outcome NOT IN (SELECT value FROM json_each(:outcomes)) ORDER BY id""",
        problem="has the outcome {outcome!r}, which is none",
    ),
    _Question(
        check="accounting",
        noun="mail",
        statement="""
SELECT id, outcome FROM inbox
WHERE outcome NOT IN ('pending', 'before-start') AND (reason IS NULL OR handled_at IS NULL AND attempts > 0) ORDER BY id
""",
        problem="ended as {outcome} without saying why or when",
    ),
    _Question(
        check="accounting",
        noun="mail",
        statement="SELECT id FROM inbox WHERE outcome = 'pending' AND handled_at IS NOT NULL ORDER BY id",
        problem="is pending and has ended at once",
    ),
    _Question(
        check="accounting",
        noun="mail",
        statement="""
SELECT id, outcome FROM inbox
WHERE outcome IN (SELECT value FROM json_each(:with_case))
  AND NOT EXISTS (SELECT 1 FROM mail_cases WHERE mail_id = inbox.id) ORDER BY id""",
        problem="ended as {outcome}, and no case has it",
        hint="`mailcase why ID` says what became of it; write to the sender by hand, and report it",
    ),
    _Question(
        check="accounting",
        noun="bytes",
        statement="""
SELECT sha256 AS id FROM raw_mail
WHERE NOT EXISTS (SELECT 1 FROM inbox WHERE inbox.sha256 = raw_mail.sha256) ORDER BY sha256""",
        problem="belong to no mail",
    ),
)

CLAIMS = (
    _Question(
        check="claims",
        noun="mail",
        statement="SELECT id FROM inbox WHERE outcome = 'pending' AND claimed_until <= :now ORDER BY id",
        problem="is still claimed by a life of the daemon that is over",
        hint="start the daemon, which takes it up; if it runs, its log says why it does not",
    ),
    _Question(
        check="claims",
        noun="mail",
        statement="SELECT id FROM inbox WHERE outcome <> 'pending' AND claimed_until IS NOT NULL ORDER BY id",
        problem="has ended and is still claimed",
    ),
    _Question(
        check="claims",
        noun="delivery",
        statement="SELECT id FROM deliveries WHERE state = 'claimed' AND claimed_until <= :now ORDER BY id",
        problem="is still claimed by a life of the daemon that is over",
        hint="start the daemon, which settles it; if it runs, its log says why it does not",
    ),
)

OUTBOX = (
    _Question(
        check="outbox",
        noun="mail of ours",
        statement="""
SELECT id FROM outgoing WHERE NOT EXISTS (SELECT 1 FROM deliveries WHERE outgoing_id = outgoing.id) ORDER BY id""",
        problem="goes to nobody",
    ),
    _Question(
        check="outbox",
        noun="delivery",
        statement="""
SELECT d.id, d.case_id, o.case_id AS other FROM deliveries d JOIN outgoing o ON o.id = d.outgoing_id
WHERE d.case_id <> o.case_id ORDER BY d.id""",
        problem="is of case {case_id}-C and its mail of case {other}-C",
    ),
    _Question(
        check="outbox",
        noun="delivery",
        statement="""
SELECT id, state FROM deliveries WHERE state NOT IN (SELECT value FROM json_each(:states)) ORDER BY id""",
        problem="has the state {state!r}, which is none",
    ),
    _Question(
        check="outbox",
        noun="delivery",
        statement="""
SELECT id, state FROM deliveries
WHERE state IN (SELECT value FROM json_each(:to_be_sent)) AND next_at IS NULL
   OR state = 'claimed' AND claimed_until IS NULL ORDER BY id""",
        problem="is {state}, and nothing would ever bring it on",
        hint="`mailcase outbox retry ID` or `mailcase outbox cancel ID`; report it",
    ),
    _Question(
        check="outbox",
        noun="delivery",
        statement="""
SELECT id, state FROM deliveries WHERE journaled_at IS NOT NULL AND state NOT IN ('claimed', 'unknown') ORDER BY id""",
        problem="is {state}, and an attempt of it has not ended",
    ),
)

QUESTIONS = (*ACCOUNTING, *CLAIMS, *OUTBOX)
RAW_MAIL = "SELECT sha256, raw FROM raw_mail ORDER BY sha256"


def check(store: Path, processes: Mapping[ProcessName, Process], *, now: datetime) -> tuple[Finding, ...]:
    """Everything that does not add up; a store that is broken is looked into no further than its damage.

    Raises StoreUnavailable when it cannot be read at all.
    """
    with reading(store) as database:
        database.execute("BEGIN")
        if found := damage(database):
            return tuple(Finding(check="integrity", where="", problem=fault, hint=RESTORE) for fault in found)
        if not fits(database):
            return (Finding(check="tables", where="", problem=OTHER_TABLES, hint=WHAT_TO_DO),)
        return (
            *_damaged_mails(database),
            *(finding for question in QUESTIONS for finding in _answers(database, question, now)),
            *faults_of_cases(database, processes),
        )


def _answers(database: sqlite3.Connection, question: _Question, now: datetime) -> Iterator[Finding]:
    values: Values = {
        "now": to_micros(now),
        "outcomes": json_list(Outcome),
        "with_case": json_list(_WITH_CASE),
        "states": json_list(DeliveryState),
        "to_be_sent": json_list(_TO_BE_SENT),
    }
    for row in select(database, question.statement, **values):
        problem = question.problem.format(**dict(row))
        yield Finding(check=question.check, where=f"{question.noun} {row['id']}", problem=problem, hint=question.hint)


def _damaged_mails(database: sqlite3.Connection) -> Iterator[Finding]:
    """One mail in memory at a time."""
    for row in database.execute(RAW_MAIL):
        if hashlib.sha256(row["raw"]).hexdigest() != row["sha256"]:
            yield Finding(
                check="integrity", where=f"bytes {row['sha256']}", problem="are not those received", hint=RESTORE
            )
