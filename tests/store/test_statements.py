"""Every statement fits the migrated tables, and those that run often stay fast with 100,000 rows."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from mailcase.store import cases, check_cases, ids, inbox, lookup, mailboxes, outbox, saving, standing
from mailcase.store.rows.cases import CaseFilter

MODULES: tuple[ModuleType, ...] = (cases, check_cases, ids, inbox, lookup, mailboxes, outbox, saving, standing)


def constants(module: ModuleType) -> Iterator[tuple[str, str]]:
    """The statements of a module: its constants of text that begin like one."""
    for name, value in vars(module).items():
        if name.isupper() and not name.startswith("_") and isinstance(value, str):
            yield f"{module.__name__.rpartition('.')[2]}.{name}", value


def list_statements() -> Iterator[str]:
    """The statement of every combination of filters."""
    for chosen in itertools.product((None, "x"), repeat=5):
        for list_name in (None, "inbox", "owned", "", "nonsense"):
            status, queue, assignee, owner, requester = chosen
            wanted = CaseFilter(
                status=status, queue=queue, assignee=assignee, owner=owner, requester=requester, list_name=list_name
            )
            yield cases.list_statement(replace(wanted, list_of="x"))[0]
            yield cases.list_statement(wanted)[0]
            yield cases.count_statement(wanted)[0]


STATEMENTS = {
    name: statement
    for module in MODULES
    for name, statement in constants(module)
    if name not in {"outbox.INTERRUPTED", "cases.LIST_OF", "check_cases.REPORT", "check_cases.RESTART"}
}


class Anything(dict[str, object]):
    """A value for every parameter."""

    def __missing__(self, name: str) -> str:
        return "[]"


@pytest.fixture(scope="module")
def migrated(empty_store: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(empty_store)) as database:
        yield database


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_the_database_takes_the_statement(migrated: sqlite3.Connection, name: str) -> None:
    migrated.execute(f"EXPLAIN {STATEMENTS[name]}", Anything())


#: Statements that the loops run all the time, and what they may read whole: only what the statement itself brings.
HOT = (
    "cases.DUE",
    "cases.NEXT_WAKE",
    "cases.HELD_WINDOWS",
    "cases.OPEN_CASES",
    "cases.PROCESSES_IN_USE",
    "cases.TIMELINE",
    "cases.TEXTS",
    "cases.MAILS_OF_CASE",
    "inbox.KNOWN_SOURCES",
    "mailboxes.KNOWN_CONTENT",
    "mailboxes.OUTCOMES_OF",
    "inbox.WAITING_MAILBOXES",
    "inbox.CLAIMABLE",
    "inbox.OLDEST_PENDING",
    "inbox.CLAIM",
    "inbox.CLAIMED",
    "inbox.RELEASE_ALL",
    "inbox.PENDING_COUNT",
    "inbox.MAIL_BY_MESSAGE_ID",
    "inbox.LIST_MAILS",
    "inbox.LIST_MAILS_OF_OUTCOME",
    "inbox.COUNT_MAILS",
    "inbox.COUNT_MAILS_OF_OUTCOME",
    "inbox.FORGET_UNITS",
    "lookup.ANCHORS",
    "lookup.SENT",
    "lookup.CASES",
    "lookup.MESSAGE_IDS",
    "lookup.PARTICIPANTS",
    "lookup.PARTIES",
    "lookup.UNITS",
    "lookup.SEEN",
    "outbox.LAPSED",
    "outbox.HOLD",
    "outbox.CLAIMABLE",
    "outbox.CLAIMABLE_OF_MAILS",
    "outbox.CLAIM",
    "outbox.CLAIMED",
    "outbox.NEXT_AT",
    "outbox.JOURNAL",
    "outbox.INTERRUPT",
    "outbox.UNCLAIM",
    "outbox.UNSETTLED",
    "outbox.LIST_DELIVERIES_IN_STATE",
    "outbox.COUNT_DELIVERIES",
    "outbox.COUNT_DELIVERIES_IN_STATE",
    "outbox.DELIVERIES_OF_CASE",
    "saving.COPY_MAILS",
    "ids.LAST_IDS",
    "standing.CASES",
    "standing.DUE",
    "standing.HELD_WINDOWS_COUNT",
    "standing.BACKLOG",
    "standing.SET_ASIDE",
    "standing.DELIVERIES",
    "standing.RECENT_DELIVERIES",
)


def plan(database: sqlite3.Connection, statement: str) -> list[str]:
    return [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {statement}", Anything())]


def whole_tables(steps: list[str]) -> list[str]:
    """Steps that read a whole table. A scan along an index is one of our partial indexes, or ends at the LIMIT;
    `waiting` is the few mailboxes that have mail to be handled.
    """
    allowed = (
        "json_each",
        "VIRTUAL TABLE",
        "USING INDEX",
        "USING COVERING INDEX",
        "CONSTANT ROW",
        "(subquery",
        "waiting",
    )
    return [step for step in steps if step.startswith("SCAN") and not any(word in step for word in allowed)]


@pytest.mark.parametrize("name", HOT)
def test_a_statement_of_the_loops_reads_no_whole_table(migrated: sqlite3.Connection, name: str) -> None:
    steps = plan(migrated, STATEMENTS[name])

    assert whole_tables(steps) == [], steps


QUEUES = (
    "cases.DUE",
    "inbox.WAITING_MAILBOXES",
    "inbox.CLAIMABLE",
    "inbox.OLDEST_PENDING",
    "outbox.CLAIMABLE",
    "outbox.NEXT_AT",
)


@pytest.mark.parametrize("name", QUEUES)
def test_a_queue_is_read_in_its_order(migrated: sqlite3.Connection, name: str) -> None:
    """No sorting: a backlog costs no more than a batch."""
    steps = plan(migrated, STATEMENTS[name])

    assert not [step for step in steps if "TEMP B-TREE" in step], steps


def test_what_waits_in_a_mailbox_is_found_without_walking_what_waits_in_others(migrated: sqlite3.Connection) -> None:
    """R18: every step goes straight to a place in the index, by the mailbox."""
    for name in ("inbox.WAITING_MAILBOXES", "inbox.CLAIMABLE", "inbox.OLDEST_PENDING"):
        steps = [step for step in plan(migrated, STATEMENTS[name]) if "ix_inbox" in step]

        assert steps, name
        assert [step for step in steps if not step.startswith("SEARCH")] == [], (name, steps)


def test_a_list_of_cases_is_read_along_an_index_whatever_is_asked(migrated: sqlite3.Connection) -> None:
    for statement in list_statements():
        steps = plan(migrated, statement)

        assert whole_tables(steps) == [], (statement, steps)
        assert not [step for step in steps if "TEMP B-TREE" in step], (statement, steps)


@pytest.mark.parametrize("name", [name for name in HOT if name.startswith("lookup.")])
def test_a_look_up_costs_by_what_is_asked_and_not_by_what_is_stored(migrated: sqlite3.Connection, name: str) -> None:
    """Every case ever closed has the same few states: an index of those narrows nothing."""
    steps = plan(migrated, STATEMENTS[name])

    assert not [step for step in steps if "state=?" in step or "status=?" in step], steps
