"""Whatever happens to the mails of a case, a recipient gets them in order (docs/mail.md, "Sending")."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailcase.core.case import CaseId, OutgoingId
from mailcase.core.process import Personal
from mailcase.store import outbox
from mailcase.store.rows.outbox import DeliveryId, DeliveryResult, DeliveryState, NewDelivery, OutgoingMail

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LATEST = START + timedelta(days=10_000)
#: The end of every lease: none lapses here.
NEVER = LATEST + timedelta(days=1)

MAILS = st.tuples(
    st.just("queue"),
    st.sampled_from([1001, 1002]),
    st.sets(st.sampled_from(["a@x.net", "b@x.net"]), min_size=1),
    st.booleans(),
)
Step = tuple[str, int, set[str], bool] | tuple[str, int]
OTHERS = st.tuples(
    st.sampled_from(
        ["claim", "journal", "sent", "failed", "deferred", "unknown", "queued", "retry", "cancel", "start"]
    ),
    st.integers(0, 7),
)


class Office:
    """An outbox whose clock moves a minute at each step. Deliveries are numbered by age, across all mails."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._numbers = count(1)
        self.now = START

    def queue(self, case: int, addresses: set[str], *, is_held: bool) -> None:
        number = next(self._numbers)
        mail = OutgoingMail(
            id=OutgoingId(number),
            case_id=CaseId(case),
            kind=Personal.ANSWER,
            message_id=f"{number}@x",
            envelope_from="desk@example.org",
            raw=b"",
            created_at=self.now,
            deliveries=tuple(
                NewDelivery(id=DeliveryId(next(self._numbers)), address=address) for address in sorted(addresses)
            ),
            is_held=is_held,
        )
        outbox.add(self._database, [mail])

    def claim(self, limit_count: int) -> None:
        open_before = self._open_deliveries()
        claimed = outbox.claim(self._database, self.now, limit_count, NEVER)

        assert len(claimed) <= limit_count
        for mail in claimed:
            for delivery in mail.deliveries:
                line = open_before[mail.case_id, delivery.address]
                assert line[0] == delivery.id, "an earlier one of the line is open"

    def act(self, what: str, place: int) -> None:
        """Does it to the delivery at that place in age, where that is possible."""
        row = self._database.execute("SELECT * FROM deliveries ORDER BY id LIMIT 1 OFFSET ?", [place]).fetchone()
        if row is None:
            return
        if what == "retry":
            outbox.retry(self._database, [row["id"]], self.now)
        elif what == "cancel":
            outbox.cancel(self._database, [row["id"]])
        elif row["state"] == "claimed" and what == "journal":
            if row["journaled_at"] is None:
                outbox.journal(self._database, [row["id"]], self.now)
        elif row["state"] == "claimed":
            next_at = self.now + timedelta(minutes=2) if what == "deferred" else None
            result = DeliveryResult(id=row["id"], state=DeliveryState(what), reply="", next_at=next_at)
            outbox.settle(self._database, [result])

    def start_again(self) -> None:
        outbox.recover(self._database)

    def expect_the_next_time_to_be_right(self) -> None:
        """At that time something can be claimed, a microsecond before it nothing."""
        due = outbox.next_delivery_at(self._database)
        self._database.execute("SAVEPOINT attempt")
        if due is None:
            assert outbox.claim(self._database, LATEST, 1, NEVER) == ()
        else:
            assert outbox.claim(self._database, due - timedelta(microseconds=1), 1, NEVER) == ()
            assert outbox.claim(self._database, due, 1, NEVER) != ()
        self._database.execute("ROLLBACK TO attempt")

    def _open_deliveries(self) -> dict[tuple[int, str], list[int]]:
        lines: dict[tuple[int, str], list[int]] = {}
        for row in self._database.execute("SELECT * FROM deliveries WHERE NOT is_held ORDER BY id"):
            if row["state"] in {"queued", "claimed", "deferred"}:
                lines.setdefault((row["case_id"], row["address"]), []).append(row["id"])
        return lines


@given(st.lists(MAILS | OTHERS, max_size=30))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_line_is_served_in_order(empty_store: Path, steps: list[Step]) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        with closing(sqlite3.connect(empty_store)) as blank:
            blank.backup(database)
        database.row_factory = sqlite3.Row
        office = Office(database)
        for step in steps:
            office.now += timedelta(minutes=1)
            match step:
                case ("queue", case, addresses, is_held):
                    office.queue(case, addresses, is_held=is_held)
                case ("claim", limit_count):
                    office.claim(limit_count + 1)
                case ("start", _):
                    office.start_again()
                case (what, place):
                    office.act(what, place)
            office.expect_the_next_time_to_be_right()
