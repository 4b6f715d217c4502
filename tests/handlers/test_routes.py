"""Which cases a new mail makes, by the addresses that it was written to (EM-30...EM-35, L41)."""

from __future__ import annotations

import pytest
from tests.handlers.office import MARIE, Office, OfficeOf, raw_mail, rules

from mailcase.core.case import Status
from mailcase.store.rows.inbox import Outcome

SETTINGS = """\
store: mailcase.db
people: {ann: {address: ann@example.org}}
processes: {enquiry: {}, offer: {}, billing: {}, vip: {}}
mailboxes:
  desk:
    receive: {kind: smtp, listen: "127.0.0.1:2525"}
    addresses: [support@example.org, sales@example.org, jobs@example.org]
    routes:
      - {to: support@example.org, subject: [invoice], process: billing}
      - {to: support@example.org, attachments: [pdf], process: billing}
      - {to: support@example.org, importance: [high], process: vip}
      - {to: sales@example.org, process: offer, acknowledge: false}
      - {to: "*", from: ["*@vip.example"], process: vip}
    fallback: enquiry
"""
NOBODY_OF_OURS = "undisclosed-recipients:;"


@pytest.fixture
async def office(office_of: OfficeOf) -> Office:
    return await office_of(SETTINGS)


async def processes(office: Office) -> list[str]:
    return [(await office.case(ref)).process for ref in await office.refs()]


@pytest.mark.parametrize(
    ("to", "cc", "envelope", "made"),
    [
        ("support@example.org", "", [], ["enquiry"]),
        ("x@else.example", "support@example.org", [], ["enquiry"]),
        ("support@example.org", "sales@example.org", [], ["enquiry", "offer"]),
        ("support@example.org, jobs@example.org", "", [], ["enquiry"]),
        ("support@example.org", "", ["support@example.org"], ["enquiry"]),
        (NOBODY_OF_OURS, "", ["sales@example.org"], ["offer"]),
    ],
    ids=["one in To", "one in Cc", "two", "one without route, one with", "envelope too", "known envelope alone"],
)
async def test_EM_30_one_case_per_routed_address(
    office: Office, to: str, cc: str, envelope: list[str], made: list[str]
) -> None:
    row = await office.receives(raw_mail(to=to, cc=cc), envelope_to=envelope)

    assert row.outcome is Outcome.NEW_CASE
    assert await processes(office) == made


async def test_EM_30_only_bcc_is_unhandled(office: Office) -> None:
    """Check 12 of 9.2."""
    row = await office.receives(raw_mail(to=NOBODY_OF_OURS))

    assert (row.outcome, row.reason) == (Outcome.UNHANDLED, "not-addressed")
    assert await office.refs() == []
    assert await office.deliveries() == []


async def test_EM_34_an_address_without_route_is_unhandled(office: Office) -> None:
    row = await office.receives(raw_mail(to="jobs@example.org"))

    assert (row.outcome, row.reason) == (Outcome.UNHANDLED, "no-route")
    assert ("route", "no route takes it") in rules(row)


async def test_an_unhandled_mail_is_kept_and_tried_again_by_the_routes_of_then(office: Office) -> None:
    """L43."""
    row = await office.receives(raw_mail(to="jobs@example.org"))

    await office.does("mail.retry", id=row.id)
    await office.handles()

    again = await office.mail(row.id)
    assert (again.outcome, again.reason, again.attempts) == (Outcome.UNHANDLED, "no-route", 1)


@pytest.mark.parametrize(
    ("raw", "process"),
    [
        (raw_mail(subject="Your invoice, again"), "billing"),
        (raw_mail(subject="We were invoiced"), "enquiry"),
        (raw_mail(files=[("Bill.PDF", b"%PDF")]), "billing"),
        (raw_mail(headers=[("Importance", "High")]), "vip"),
        (raw_mail("boss@vip.example"), "vip"),
        (raw_mail("boss@vip.example", subject="invoice"), "billing"),
        (raw_mail("boss@vip.example", to=NOBODY_OF_OURS), "vip"),
        (raw_mail("boss@vip.example", to="jobs@example.org"), "vip"),
    ],
    ids=["subject", "no word", "attachment", "importance", "wildcard", "route first", "EM-33 Bcc", "no other route"],
)
async def test_EM_31_EM_32_EM_33_conditions_of_routes(office: Office, raw: bytes, process: str) -> None:
    await office.receives(raw)

    assert await processes(office) == [process]


async def test_EM_33_a_case_from_bcc_answers_from_the_primary_address(office: Office) -> None:
    await office.receives(raw_mail("boss@vip.example", to=NOBODY_OF_OURS))

    assert (await office.case()).address == "support@example.org"


async def test_EM_33_the_same_bcc_mail_again_is_a_duplicate(office: Office) -> None:
    raw = raw_mail("boss@vip.example", to=NOBODY_OF_OURS)
    await office.receives(raw)

    assert (await office.receives(raw)).outcome is Outcome.DUPLICATE


async def test_EM_35_a_route_may_keep_silent(office: Office) -> None:
    await office.receives(raw_mail(to="sales@example.org"))

    assert await office.mails_to(MARIE) == []


async def test_L41_the_envelope_that_a_server_noted_counts_where_the_transport_gave_none(office: Office) -> None:
    await office.receives(raw_mail(to=NOBODY_OF_OURS, headers=[("Delivered-To", "sales@example.org")]))

    assert await processes(office) == ["offer"]


async def test_an_unknown_plus_tag_on_our_address_is_our_address(office: Office) -> None:
    await office.receives(raw_mail(to="sales+spring@example.org"))

    assert await processes(office) == ["offer"]


async def test_mail_of_a_mailbox_that_is_no_longer_configured_is_kept_unhandled(office: Office) -> None:
    row = await office.receives(raw_mail(), mailbox="gone")

    assert (row.outcome, row.reason) == (Outcome.UNHANDLED, "not-addressed")
    assert ("route", "the mailbox is no longer configured") in rules(row)


async def test_an_answer_that_comes_through_a_mailbox_no_longer_configured_still_joins(office: Office) -> None:
    await office.receives(raw_mail(message_id="m1@x"))

    row = await office.receives(raw_mail(irt="m1@x"), mailbox="gone")

    assert (row.outcome, row.case_ids) == (Outcome.APPENDED, (1001,))


async def test_a_mail_without_subject_is_a_case_with_words_for_it(office: Office) -> None:
    await office.receives(raw_mail(subject=None))

    bundle = await office.bundle()
    assert (bundle.texts[bundle.case.subject], bundle.case.status) == ("(no subject)", Status.TO_DO)


async def test_a_mail_with_nothing_in_it_is_a_case(office: Office) -> None:
    row = await office.receives(b"", envelope_to=["support@example.org"])

    assert row.outcome is Outcome.NEW_CASE
