"""What must hold of all mail together: one transaction per stimulus (R5), one outcome per mail (R21), and the same
cases when everything is handled again from the raw bytes (R22).
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from email.message import EmailMessage
from pathlib import Path

import pytest
from tests.handlers.office import BOB, MARIE, Office, answer_to, bounce_of, open_office, raw_mail

from mailcase.store.rows.cases import CaseFilter
from mailcase.store.rows.inbox import MailFilter, Outcome

Rows = list[tuple[object, ...]]

#: Tables that an answer to a waiting case writes, in its one commit.
WRITTEN = ("cases", "events", "anchors", "mail_cases", "outgoing", "deliveries")


# ---- R5 --------------------------------------------------------------------------------------------------------------


def contents(database: Path) -> Mapping[str, Rows]:
    """Every row of every table but the inbox, where the mail is parked."""
    with closing(sqlite3.connect(database)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        # The names are our own.
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names if name != "inbox"}


def refuse_writes(database: Path, table: str) -> None:
    """From now on a statement that writes the table fails; what earlier statements have written stays written."""
    with closing(sqlite3.connect(database)) as connection:
        for verb in ("INSERT", "UPDATE"):
            connection.execute(
                f"CREATE TRIGGER no_{verb} BEFORE {verb} ON {table} BEGIN SELECT RAISE(FAIL, 'no room'); END"
            )


def allow_writes(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        for verb in ("INSERT", "UPDATE"):
            connection.execute(f"DROP TRIGGER no_{verb}")


@pytest.mark.parametrize("table", WRITTEN)
async def test_R5_a_mail_changes_everything_that_it_must_or_nothing(office: Office, table: str) -> None:
    await office.receives(raw_mail(message_id="1@customer.example"))
    await office.does("case.take", ref="1001-C")
    await office.does("case.wait", ref="1001-C", info="client")
    (question,) = await office.mails_to(MARIE, "information-wanted")
    waiting = await office.accepts(answer_to(question, message_id="2@customer.example"))
    before = contents(office.settings.store)

    refuse_writes(office.settings.store, table)
    await office.handles()

    assert (await office.mail(waiting)).outcome is Outcome.PARKED
    assert contents(office.settings.store) == before

    allow_writes(office.settings.store)
    await office.does("mail.retry", id=waiting)
    await office.handles()

    assert (await office.mail(waiting)).outcome is Outcome.APPENDED
    assert {name for name, rows in contents(office.settings.store).items() if rows != before[name]} >= set(WRITTEN)


# ---- R21, R22 --------------------------------------------------------------------------------------------------------


def mixed_mail() -> list[bytes]:
    """Mail of every kind that can come in without an answer of ours before it."""
    first = raw_mail(message_id="1@customer.example")
    return [
        first,
        raw_mail(BOB, message_id="2@elsewhere.example", subject="Something else"),
        raw_mail(message_id="3@customer.example", irt="1@customer.example", subject="Re: My printer smokes"),
        # Its copy by another way.
        first,
        raw_mail(BOB, message_id="4@elsewhere.example", refs=["2@elsewhere.example"], text="And more."),
        # A stranger who names somebody else's mail.
        raw_mail("eve@evil.example", message_id="5@evil.example", irt="1@customer.example", text="Tell me all."),
        raw_mail(
            "robot@customer.example", message_id="6@customer.example", headers=[("Auto-Submitted", "auto-replied")]
        ),
        raw_mail(MARIE, message_id="7@customer.example", to="nobody@elsewhere.example"),
        raw_mail(None, message_id=None, subject=None, text=""),
        b"",
        b"\xff\xfe\x00 not a mail at all",
        # A report about a mail that nobody sent.
        bounce_of(EmailMessage(), MARIE, original_id="never@sent.example"),
    ]


async def cases_told(office: Office) -> list[tuple[object, ...]]:
    """Every case without its ids: what it is about, whose it is, how it stands, what happened, and its mail."""
    told: list[tuple[object, ...]] = []
    for bundle in sorted(await office.store.list_cases(CaseFilter()), key=lambda bundle: bundle.case.id):
        whole = await office.store.bundle(bundle.case.id)
        assert whole is not None
        case = whole.case
        mails = [await office.mail(mail_id) for mail_id in whole.mail_ids]
        told.append(
            (
                whole.texts[case.subject],
                whole.parties[case.requester].address if case.requester is not None else None,
                case.status,
                case.flags,
                [type(recorded.event).__name__ for recorded in whole.timeline],
                sorted((party.address, role.value) for party, role in whole.participants),
                [(mail.message_id, mail.outcome) for mail in mails],
                sorted(link.kind.value for link in case.links),
            )
        )
    return told


async def test_R21_every_mail_ends_in_exactly_one_outcome(office: Office) -> None:
    raws = mixed_mail()
    for raw in raws[:6]:
        await office.receives(raw)
    await office.receives_together(*raws[6:])

    mails = await office.store.list_mails(MailFilter(), limit_count=1000)
    outcomes = Counter(mail.outcome for mail in mails)
    cases = await office.store.list_cases(CaseFilter())

    assert len(mails) == len(raws)
    assert Outcome.PENDING not in outcomes
    assert sum(outcomes.values()) == len(raws)
    assert outcomes[Outcome.NEW_CASE] == len(cases) == len({ref for mail in mails for ref in mail.case_ids})
    assert {Outcome.NEW_CASE, Outcome.APPENDED, Outcome.DUPLICATE, Outcome.UNHANDLED} <= set(outcomes)


async def test_R22_all_mail_again_in_an_empty_store_gives_the_same_cases(tmp_path: Path, empty_store: Path) -> None:
    """Handled one by one as it came, and all of it at once from the raw bytes that were kept."""
    for name in ("first", "again"):
        (tmp_path / name).mkdir()
    async with open_office(tmp_path / "first", empty_store) as first:
        for raw in mixed_mail():
            await first.receives(raw)
        told = await cases_told(first)
        rows = sorted(await first.store.list_mails(MailFilter(), limit_count=1000), key=lambda row: row.id)
        kept = [await first.store.raw(row.id) for row in rows]

    async with open_office(tmp_path / "again", empty_store) as again:
        await again.receives_together(*[raw for raw in kept if raw is not None])

        assert await cases_told(again) == told
    assert len(kept) == len(mixed_mail())
