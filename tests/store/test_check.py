"""R21: what does not add up is found, each with what to do; a store that adds up has no finding."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tests.store.conftest import Samples

from mailcase.clock import SystemClock
from mailcase.core.case import CaseId, MailId, ProcessName, QueueName
from mailcase.core.evolve import replay
from mailcase.core.process import Process
from mailcase.store.check import check
from mailcase.store.findings import Finding
from mailcase.store.port import Point
from mailcase.store.rows.changes import Changes
from mailcase.store.sqlite import SqliteStore


def opened(samples: Samples, number: int) -> Changes:
    """A case that is what its one event gives, with its subject."""
    changes = samples.new_case(number)
    (saved,) = changes.cases
    return replace(changes, cases=(replace(saved, case=replay(saved.events)),))


@pytest.fixture
async def lived_in(database: Path, samples: Samples) -> Path:
    """A closed store with a case, a mail that made it, one that waits, and a mail of ours that is claimed."""
    store = await SqliteStore.open(database, clock=SystemClock())
    await store.accept([samples.mail(1), samples.mail(2)])
    await store.save(Point.SAVE_MAIL, opened(samples, 1001), now=samples.start)
    ended = Changes(
        outcomes=(samples.ended(1, cases=(1001,)),), outgoing=(samples.outgoing(1, 1001), samples.outgoing(2, 1001))
    )
    await store.save(Point.SAVE_MAIL, ended, now=samples.start)
    now = samples.at(60)
    await store.claim_outbox(now=now, limit_count=1, lease_until=now + timedelta(minutes=5))
    await store.close()
    return database


def found(database: Path, samples: Samples, *, minutes: float = 60, processes: bool = True) -> tuple[Finding, ...]:
    process = Process(name=ProcessName("enquiry"), queue=QueueName("support"), zone=ZoneInfo("UTC"), people=())
    return check(database, {process.name: process} if processes else {}, now=samples.at(minutes))


def spoil(database: Path, statement: str) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        assert connection.execute(statement).rowcount


def test_a_store_with_other_tables_is_not_said_to_add_up(lived_in: Path, samples: Samples) -> None:
    with closing(sqlite3.connect(lived_in, isolation_level=None)) as connection:
        connection.execute("DROP TABLE restores")

    (finding,) = found(lived_in, samples)

    assert (finding.check, finding.where) == ("tables", "")
    assert "run the version that made it" in finding.hint


def test_a_store_that_adds_up_has_no_finding(lived_in: Path, samples: Samples) -> None:
    assert found(lived_in, samples) == ()


@pytest.mark.parametrize(
    ("statement", "checked", "where", "problem"),
    [
        ("UPDATE inbox SET outcome = 'lost' WHERE id = 1", "accounting", "mail 1", "'lost'"),
        ("UPDATE inbox SET reason = NULL WHERE id = 1", "accounting", "mail 1", "without saying why"),
        ("UPDATE inbox SET outcome = 'pending' WHERE id = 1", "accounting", "mail 1", "at once"),
        ("DELETE FROM mail_cases", "accounting", "mail 1", "no case has it"),
        ("INSERT INTO raw_mail VALUES ('ab', x'00')", "accounting", "bytes ab", "no mail"),
        ("UPDATE inbox SET claimed_until = 1 WHERE id = 2", "claims", "mail 2", "a life of the daemon that is over"),
        ("UPDATE inbox SET claimed_until = 1 WHERE id = 1", "claims", "mail 1", "still claimed"),
        ("UPDATE deliveries SET claimed_until = 1 WHERE id = 10", "claims", "delivery 10", "that is over"),
        ("DELETE FROM deliveries WHERE id = 10", "outbox", "mail of ours 1", "to nobody"),
        ("UPDATE deliveries SET state = 'lost' WHERE id = 10", "outbox", "delivery 10", "'lost'"),
        ("UPDATE deliveries SET next_at = NULL WHERE id = 20", "outbox", "delivery 20", "nothing would ever"),
        ("UPDATE deliveries SET claimed_until = NULL WHERE id = 10", "outbox", "delivery 10", "nothing would ever"),
        ("UPDATE deliveries SET journaled_at = 1 WHERE id = 20", "outbox", "delivery 20", "has not ended"),
        ("UPDATE cases SET state = '{}'", "cases", "case 1001-C", "cannot be read"),
        ("DELETE FROM events", "cases", "case 1001-C", "has version 1"),
        ('UPDATE events SET event = \'{"type": "No", "version": 1}\'', "cases", "case 1001-C", "be replayed"),
        (
            'UPDATE events SET event = replace(event, \'"process":"enquiry"\', \'"process":"billing"\')',
            "cases",
            "case 1001-C",
            "not what its timeline gives: process",
        ),
        ("UPDATE cases SET queue = 'sales'", "cases", "case 1001-C", "found by what it is not: queue"),
        ("DELETE FROM texts", "cases", "case 1001-C", "no subject"),
        ("UPDATE cases SET requester_id = 99", "cases", "case 1001-C", "requester"),
        ("UPDATE cases SET wake_at = 5", "deadlines", "case 1001-C", "another wake_at"),
    ],
)
def test_what_does_not_add_up_is_found(
    lived_in: Path, samples: Samples, statement: str, checked: str, where: str, problem: str
) -> None:
    spoil(lived_in, statement)

    findings = found(lived_in, samples)

    assert any(
        (finding.check, finding.where) == (checked, where) and problem in finding.problem for finding in findings
    ), findings
    assert all(finding.hint for finding in findings)


async def test_a_delivery_belongs_to_the_case_of_its_mail(lived_in: Path, samples: Samples) -> None:
    store = await SqliteStore.open(lived_in, clock=SystemClock())
    await store.save(Point.COMMAND, opened(samples, 1002), now=samples.start)
    await store.close()
    spoil(lived_in, "UPDATE deliveries SET case_id = 1002 WHERE id = 10")

    (finding,) = found(lived_in, samples)

    assert finding.problem == "is of case 1002-C and its mail of case 1001-C"


def test_bytes_that_are_not_those_received_are_found(lived_in: Path, samples: Samples) -> None:
    """The disk may have changed them; SQLite does not see it."""
    spoil(lived_in, "UPDATE raw_mail SET raw = x'00' WHERE rowid = 1")

    (finding,) = found(lived_in, samples)

    assert finding.problem == "are not those received"


def test_a_row_that_names_one_that_is_gone_is_damage(lived_in: Path, samples: Samples) -> None:
    spoil(lived_in, "DELETE FROM outgoing WHERE id = 1")

    (finding,) = found(lived_in, samples)

    assert (finding.check, finding.where) == ("integrity", "")
    assert "names a row of outgoing" in finding.problem


def test_an_open_case_needs_its_process(lived_in: Path, samples: Samples) -> None:
    (finding,) = found(lived_in, samples, processes=False)

    assert (finding.check, finding.where) == ("deadlines", "case 1001-C")
    assert "enquiry" in finding.hint


async def test_a_look_beside_a_running_daemon_sees_one_moment(lived_in: Path, samples: Samples) -> None:
    store = await SqliteStore.open(lived_in, clock=SystemClock())
    await store.save(Point.COMMAND, opened(samples, 1002), now=samples.start)

    assert found(lived_in, samples) == ()
    assert await store.bundle(CaseId(1002)) is not None
    assert await store.mail(MailId(1)) is not None
    await store.close()
