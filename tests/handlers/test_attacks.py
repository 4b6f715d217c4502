"""What a hostile sender tries (S1, S2, S18): nobody else's mail is swallowed, no seat is taken, no case is moved."""

from __future__ import annotations

from email.message import EmailMessage

import pytest
from tests.handlers.office import BOB, MARIE, SUPPORT, Office, answer_to, bounce_of, raw_mail

from mailcase.core.case import Status
from mailcase.store.rows.cases import Role
from mailcase.store.rows.inbox import Outcome

EVE = "eve@elsewhere.example"


async def resolved(office: Office) -> EmailMessage:
    await office.receives(raw_mail(message_id="m1@customer.example"))
    await office.resolved()
    return (await office.mails_to(MARIE))[-1]


async def test_S1_a_copy_with_another_kind_does_not_make_the_mail_a_duplicate(office: Office) -> None:
    told = await resolved(office)
    answer = answer_to(told, message_id="m2@customer.example")
    await office.receives(answer.replace(b"Subject:", b"Auto-Submitted: auto-replied\r\nSubject:", 1))

    row = await office.receives(answer)

    assert (row.outcome, row.case_ids) == (Outcome.APPENDED, (1001,))
    assert (await office.case()).status is Status.TO_DO


async def test_S1_a_copy_sent_to_another_case_does_not_make_the_mail_a_duplicate(office: Office) -> None:
    told = await resolved(office)
    await office.receives(raw_mail(EVE, message_id="e1@elsewhere.example"))
    (eves,) = await office.mails_to(EVE)
    copy = raw_mail(
        to=str(eves["Reply-To"]), subject=f"Re: {told['Subject']}", text="Again!", message_id="m2@customer.example"
    )
    await office.receives(copy)

    row = await office.receives(answer_to(told, text="Again!", message_id="m2@customer.example"))

    assert (row.outcome, row.case_ids) == (Outcome.APPENDED, (1001,))


async def test_S18_a_report_from_somebody_mail_can_be_returned_to_moves_no_case(office: Office) -> None:
    told = await resolved(office)

    row = await office.receives(bounce_of(told, MARIE), envelope_from=EVE)

    assert row.outcome is Outcome.FILED
    assert (await office.case()).status is Status.RESOLVED


async def test_S18_a_customer_who_forwards_a_report_is_heard(office: Office) -> None:
    told = await resolved(office)
    forwarded = bounce_of(told, "boss@customer.example")
    parts = forwarded[forwarded.index(b"--cut") :]
    head = (
        f"From: {MARIE}\r\nTo: {SUPPORT}\r\nSubject: Fwd: Undelivered\r\nMessage-ID: <m3@customer.example>\r\n"
        f'In-Reply-To: {told["Message-ID"]}\r\nContent-Type: multipart/mixed; boundary="cut"\r\n\r\n'
    )

    row = await office.receives(head.encode() + parts)

    assert (row.outcome, row.case_ids) == (Outcome.APPENDED, (1001,))
    assert (await office.case()).status is Status.TO_DO


async def test_S2_nobody_names_somebody_else(office: Office) -> None:
    await office.receives(raw_mail(f"Marie Roux <{MARIE}>", message_id="m1@customer.example"))
    await office.receives(raw_mail(EVE, cc=f'"Dear winner, pay at http://evil.example/" <{MARIE}>'))

    await office.does("case.reply", ref="1001-C", text="Hello")

    (answer,) = await office.mails_to(MARIE, "answer")
    assert "Marie Roux" in str(answer["To"])
    assert "winner" not in str(answer["To"])


async def test_S1_a_mail_that_joined_by_its_tag_brings_nobody_with_it(office: Office) -> None:
    await office.receives(raw_mail(message_id="m1@customer.example"))

    row = await office.receives(raw_mail(MARIE, cc=EVE, subject="Please [1001-C]", message_id="f1@x.example"))
    eves = await office.receives(raw_mail(EVE, subject="And now [1001-C]", message_id="e1@elsewhere.example"))

    assert (row.outcome, row.reason) == (Outcome.APPENDED, "subject-tag")
    assert EVE not in await office.roles()
    assert (eves.outcome, eves.reason) == (Outcome.NEW_CASE, "stranger")


@pytest.mark.parametrize("is_closed", [True, False], ids=["closed", "window over"])
async def test_S1_a_mail_that_continues_a_case_by_its_tag_brings_nobody_with_it(
    office: Office, is_closed: bool
) -> None:
    await office.receives(raw_mail(message_id="m1@customer.example", cc=BOB))
    await office.resolved()
    office.later(days=6)
    if is_closed:
        await office.ticks()

    row = await office.receives(raw_mail(MARIE, cc=EVE, subject="Please [1001-C]", message_id="f1@x.example"))
    eves = await office.receives(raw_mail(EVE, irt="f1@x.example", message_id="e1@elsewhere.example"))

    assert (row.outcome, row.case_ids) == (Outcome.NEW_CASE, (1002,))
    assert await office.roles("1002-C") == {MARIE: Role.REQUESTER, BOB: Role.SEEN}
    assert (eves.outcome, eves.reason) == (Outcome.NEW_CASE, "stranger")


async def test_S1_who_came_by_an_agents_address_comes_by_nothing_less(office: Office) -> None:
    await office.receives(raw_mail(message_id="m1@customer.example"))
    to_ann = (await office.mails_to("ann@example.org"))[0]
    await office.receives(answer_to(to_ann, EVE))

    row = await office.receives(raw_mail(EVE, subject="And now [1001-C]", message_id="e1@elsewhere.example"))

    assert (await office.roles())[EVE] is Role.UNCONFIRMED
    assert (row.outcome, row.reason) == (Outcome.NEW_CASE, "stranger")
