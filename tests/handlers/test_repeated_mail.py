"""Mail that was seen before, that is our own, or that came by two ways (EM-6, EM-7; L13, L14, L15)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.handlers.office import (
    BOB,
    MARIE,
    SALES,
    SUPPORT,
    Office,
    OfficeOf,
    answer_to,
    id_of,
    raw_mail,
    rules,
)

from mailcase.core.case import CaseId, Link, LinkKind
from mailcase.store.rows.inbox import MailFilter, Outcome

BOTH = f"{SUPPORT}, {SALES}"
#: One address per mailbox.
TWO_MAILBOXES = """\
store: mailcase.db
people: {ann: {address: ann@example.org}}
processes: {enquiry: {feedback_window: 5 days}, offer: {feedback_window: 5 days}}
mailboxes:
  desk:
    receive: {kind: smtp, listen: "127.0.0.1:2525"}
    addresses: [support@example.org]
    fallback: enquiry
  shop:
    receive: {kind: smtp, listen: "127.0.0.1:2526"}
    addresses: [sales@example.org]
    fallback: offer
"""


# EM-6


async def test_EM_6_our_own_mail_coming_back_is_own(office: Office) -> None:
    await office.receives(raw_mail())
    ours = await office.store.outgoing_raw((await office.deliveries(MARIE))[0].outgoing_id)
    assert ours is not None

    row = await office.receives(ours)

    assert (row.outcome, row.reason) == (Outcome.OWN, "sent-by-us")
    assert await office.refs() == ["1001-C"]
    assert row.case_ids == (1001,)


async def test_EM_6_our_own_mail_is_known_by_its_mark_where_its_message_id_was_replaced(office: Office) -> None:
    await office.receives(raw_mail())
    acknowledgement = (await office.mails_to(MARIE))[0]
    acknowledgement.replace_header("Message-ID", "<replaced@provider.example>")

    row = await office.receives(acknowledgement.as_bytes())

    assert (row.outcome, row.reason) == (Outcome.OWN, "sent-by-us")


@pytest.mark.parametrize("mark", ["example.org", "x1.1042@example.org aaaaaaaaaaaaaaaaaa"])
async def test_EM_6_a_mark_that_we_did_not_sign_swallows_no_mail(office: Office, mark: str) -> None:
    """S24: From our address and a header of ours are words that anybody can write."""
    row = await office.receives(raw_mail(SUPPORT, to=SALES, headers=[("X-Mailcase-Instance", mark)]))

    assert row.outcome is Outcome.NEW_CASE


async def test_EM_6_a_stranger_with_a_message_id_of_ours_is_not_swallowed(office: Office) -> None:
    await office.receives(raw_mail())
    acknowledgement = (await office.mails_to(MARIE))[0]

    row = await office.receives(raw_mail(BOB, message_id=id_of(acknowledgement)))

    assert (row.outcome, row.case_ids) == (Outcome.NEW_CASE, (1002,))


async def test_mail_from_our_own_address_that_we_did_not_send_is_a_case_without_answer(office: Office) -> None:
    row = await office.receives(raw_mail(SUPPORT, to=SALES))

    assert row.outcome is Outcome.NEW_CASE
    assert (await office.case()).requester is None
    assert "acknowledgement" not in [notice for notice, _ in await office.notices()]


# EM-7, L13, L15


async def test_EM_7_the_same_content_again_is_a_duplicate(office: Office) -> None:
    raw = raw_mail(message_id="m1@customer.example")
    await office.receives(raw)
    case = await office.case()
    notices = await office.notices()

    row = await office.receives(b"Received: from another.way\r\n" + raw)

    assert (row.outcome, row.reason, row.case_ids) == (Outcome.DUPLICATE, "same-content", (1001,))
    assert await office.case() == case
    assert await office.notices() == notices


async def test_EM_7_a_copy_within_one_batch_is_a_duplicate(office: Office) -> None:
    raw = raw_mail(message_id="m1@customer.example")

    first, second = await office.receives_together(raw, b"Received: from another.way\r\n" + raw)

    assert [first.outcome, second.outcome] == [Outcome.NEW_CASE, Outcome.DUPLICATE]


async def test_L13_the_same_message_id_with_other_content_is_taken_and_the_trace_says_so(office: Office) -> None:
    await office.receives(raw_mail(message_id="reused@parcels.example", text="Parcel 1"))

    row = await office.receives(raw_mail(message_id="reused@parcels.example", text="Parcel 2"))

    assert (row.outcome, row.case_ids) == (Outcome.NEW_CASE, (1002,))
    assert ("duplicate", "another mail had this Message-ID; taken all the same") in rules(row)


async def test_L15_mails_without_message_id_are_told_apart_by_their_content(office: Office) -> None:
    first = await office.receives(raw_mail(text="one"))
    other = await office.receives(raw_mail(text="two"))
    again = await office.receives(raw_mail(text="one"))

    assert [row.outcome for row in (first, other, again)] == [Outcome.NEW_CASE, Outcome.NEW_CASE, Outcome.DUPLICATE]
    assert (first.message_id, again.case_ids) == (None, (1001,))


# L14: one mail to two addresses of ours


async def test_L14_two_routed_addresses_make_linked_siblings_and_one_acknowledgement(office: Office) -> None:
    """EM-30, check 12 of 9.2."""
    row = await office.receives(raw_mail(to=SUPPORT, cc=SALES))

    support, sales = await office.case("1001-C"), await office.case("1002-C")
    assert row.case_ids == (1001, 1002)
    assert (support.process, support.address, sales.process, sales.address) == ("enquiry", SUPPORT, "offer", SALES)
    assert sales.links == (Link(kind=LinkKind.SIBLING, other=CaseId(1001)),)
    assert len(await office.mails_to(MARIE)) == 1


async def test_L14_the_acknowledgement_comes_from_the_first_route_that_wants_one(office_of: OfficeOf) -> None:
    office = await office_of(
        TWO_MAILBOXES.replace(
            "addresses: [support@example.org]", "addresses: [support@example.org, vip@example.org]"
        ).replace("    fallback: enquiry\n", SILENT_FIRST, 1)
    )

    await office.receives(raw_mail(to="support@example.org, vip@example.org"))

    assert len(await office.refs()) == 2
    assert [row.case_id for row in await office.deliveries(MARIE)] == [1002]


SILENT_FIRST = """\
    routes:
      - {to: support@example.org, process: enquiry, acknowledge: false}
      - {to: vip@example.org, process: enquiry}
    fallback: enquiry
"""


async def test_L14_the_envelope_alone_makes_no_second_round(office: Office) -> None:
    """Two deliveries of one mail, one per recipient, as an MTA makes them."""
    raw = raw_mail(to=SUPPORT, cc=SALES)

    first = await office.receives(raw, envelope_to=[SUPPORT])
    second = await office.receives(raw, envelope_to=[SALES])

    assert (first.outcome, first.case_ids) == (Outcome.NEW_CASE, (1001, 1002))
    assert (second.outcome, second.case_ids) == (Outcome.DUPLICATE, (1001, 1002))


async def test_L14_an_address_without_route_makes_no_second_round_either(office_of: OfficeOf) -> None:
    office = await office_of(TWO_MAILBOXES.replace("[support@example.org]", "[support@example.org, jobs@example.org]"))
    raw = raw_mail(to="support@example.org, jobs@example.org")

    first = await office.receives(raw, envelope_to=[SUPPORT])
    second = await office.receives(raw, envelope_to=["jobs@example.org"])

    assert (first.outcome, first.case_ids) == (Outcome.NEW_CASE, (1001,))
    assert (second.outcome, second.case_ids) == (Outcome.DUPLICATE, (1001,))


async def test_L14_two_mailboxes_make_linked_siblings_and_one_acknowledgement(office_of: OfficeOf) -> None:
    office = await office_of(TWO_MAILBOXES)
    raw = raw_mail(to=BOTH, message_id="m1@customer.example")

    first = await office.receives(raw, mailbox="desk")
    second = await office.receives(raw, mailbox="shop")

    assert (first.outcome, first.case_ids) == (Outcome.NEW_CASE, (1001,))
    assert (second.outcome, second.case_ids) == (Outcome.NEW_CASE, (1002,))
    assert (await office.case("1002-C")).links == (Link(kind=LinkKind.SIBLING, other=CaseId(1001)),)
    assert len(await office.mails_to(MARIE)) == 1


async def test_L14_siblings_of_two_mailboxes_do_not_swallow_each_other_by_an_unseen_ancestor(
    office_of: OfficeOf,
) -> None:
    office = await office_of(TWO_MAILBOXES)
    raw = raw_mail(to=BOTH, message_id="m2@customer.example", refs=["m1@customer.example"])

    first = await office.receives(raw, mailbox="desk")
    second = await office.receives(raw, mailbox="shop")

    assert (first.outcome, second.outcome) == (Outcome.NEW_CASE, Outcome.NEW_CASE)
    assert (first.case_ids, second.case_ids) == ((1001,), (1002,))


async def test_EM_7_an_answer_that_comes_by_two_mailboxes_updates_its_case_once(office_of: OfficeOf) -> None:
    office = await office_of(TWO_MAILBOXES)
    await office.receives(raw_mail(to=SUPPORT))
    raw = answer_to((await office.mails_to(MARIE))[0], to=BOTH)

    first = await office.receives(raw, mailbox="desk")
    second = await office.receives(raw, mailbox="shop")

    assert (first.outcome, first.case_ids) == (Outcome.APPENDED, (1001,))
    assert (second.outcome, second.reason, second.case_ids) == (Outcome.DUPLICATE, "same-content", (1001,))
    assert len(await office.mails_to("ann@example.org", "new-information")) == 1


async def test_an_answer_to_siblings_by_two_mailboxes_reaches_each_of_them(office_of: OfficeOf) -> None:
    office = await office_of(TWO_MAILBOXES)
    raw = raw_mail(to=BOTH, message_id="m1@customer.example")
    await office.receives(raw, mailbox="desk")
    await office.receives(raw, mailbox="shop")
    answer = raw_mail(to=BOTH, irt="m1@customer.example", message_id="m2@customer.example")

    first = await office.receives(answer, mailbox="desk")
    second = await office.receives(answer, mailbox="shop")

    assert (first.outcome, first.case_ids) == (Outcome.APPENDED, (1001,))
    assert (second.outcome, second.case_ids) == (Outcome.APPENDED, (1002,))


async def test_a_copy_that_is_new_to_one_of_its_cases_says_which_rule_took_it_there(office_of: OfficeOf) -> None:
    office = await office_of(TWO_MAILBOXES)
    raw = raw_mail(to=BOTH, message_id="m1@customer.example")
    await office.receives(raw, mailbox="desk")
    await office.receives(raw, mailbox="shop")
    signed = str((await office.mails_to(MARIE))[0]["Reply-To"])
    answer = raw_mail(to=f"{signed}, {SALES}", irt="m1@customer.example", message_id="m2@customer.example")
    await office.receives(answer, mailbox="desk")

    row = await office.receives(answer, mailbox="shop")

    assert (row.outcome, row.reason, row.case_ids) == (Outcome.APPENDED, "reply-address", (1001, 1002))
    assert [step.rule for step in row.trace if step.is_decisive] == ["reply-address"]


async def test_a_third_partys_answer_that_comes_by_two_mailboxes_makes_no_case(office_of: OfficeOf) -> None:
    office = await office_of(TWO_MAILBOXES)
    await office.receives(raw_mail(to=SUPPORT))
    await office.does("case.reply", ref="1001-C", text="Do you have the part?", to=BOB)
    answer = raw_mail(BOB, to=BOTH, irt=id_of((await office.mails_to(BOB))[0]), message_id="p1@elsewhere.example")

    first = await office.receives(answer, mailbox="desk")
    second = await office.receives(answer, mailbox="shop")

    assert (first.outcome, second.outcome) == (Outcome.APPENDED, Outcome.DUPLICATE)
    assert await office.refs() == ["1001-C"]


# EM-10: siblings answered


async def test_EM_10_an_answer_to_both_addresses_reaches_both_siblings(office: Office) -> None:
    await office.receives(raw_mail(to=BOTH, message_id="m1@customer.example"))

    row = await office.receives(raw_mail(to=BOTH, irt="m1@customer.example"))

    assert (row.outcome, row.case_ids) == (Outcome.APPENDED, (1001, 1002))


async def test_EM_10_an_answer_to_one_address_reaches_that_sibling_alone(office: Office) -> None:
    await office.receives(raw_mail(to=BOTH, message_id="m1@customer.example"))

    row = await office.receives(raw_mail(to=SALES, irt="m1@customer.example"))

    assert (row.outcome, row.case_ids) == (Outcome.APPENDED, (1002,))


async def test_EM_10_an_answer_to_all_of_the_acknowledgement_reaches_both_siblings(office: Office) -> None:
    """The signed address names one case; the other is found by the thread and its own address."""
    await office.receives(raw_mail(to=BOTH, message_id="m1@customer.example"))
    acknowledgement = (await office.mails_to(MARIE))[0]

    row = await office.receives(answer_to(acknowledgement, cc=SALES))

    assert (row.outcome, row.reason, row.case_ids) == (Outcome.APPENDED, "reply-address", (1001, 1002))


async def test_a_sibling_that_the_sender_may_not_join_is_left_out(office: Office) -> None:
    await office.receives(raw_mail(to=BOTH, message_id="m1@customer.example"))
    await office.receives(raw_mail(to=SUPPORT, cc=BOB, irt="m1@customer.example"))

    row = await office.receives(raw_mail(BOB, to=BOTH, irt="m1@customer.example"))

    assert (row.outcome, row.case_ids) == (Outcome.APPENDED, (1001,))
    assert BOB not in await office.roles("1002-C")


async def test_T30_late_mail_to_closed_siblings_continues_each_of_them_once(office: Office) -> None:
    await office.receives(raw_mail(to=BOTH, message_id="m1@customer.example"))
    await office.resolved("1001-C")
    await office.closed("1002-C")

    row = await office.receives(raw_mail(to=BOTH, irt="m1@customer.example"))

    assert (row.outcome, row.reason, row.case_ids) == (Outcome.NEW_CASE, "closed-case", (1003, 1004))
    cases = [await office.case(ref) for ref in ("1003-C", "1004-C")]
    assert [(case.address, case.links) for case in cases] == [
        (SUPPORT, (Link(kind=LinkKind.CONTINUES, other=CaseId(1001)),)),
        (SALES, (Link(kind=LinkKind.CONTINUES, other=CaseId(1002)),)),
    ]
    assert len(await office.mails_to(MARIE, "acknowledgement")) == 2


async def test_one_closed_sibling_is_continued_and_the_open_one_gets_the_mail(office: Office) -> None:
    await office.receives(raw_mail(to=BOTH, message_id="m1@customer.example"))
    await office.closed("1002-C")

    row = await office.receives(raw_mail(to=BOTH, irt="m1@customer.example"))

    assert row.case_ids == (1001, 1003)
    assert (await office.case("1003-C")).address == SALES


# Mail that names itself by nothing: neither Message-ID nor Date


async def test_a_nameless_mail_that_is_offered_again_is_a_duplicate(office: Office) -> None:
    await office.receives(raw_mail("alarm@machine.example", text="Disk full."))
    office.later(days=4)

    row = await office.receives(raw_mail("alarm@machine.example", text="Disk full."))

    assert (row.outcome, row.case_ids) == (Outcome.DUPLICATE, (1001,))


async def test_a_nameless_mail_in_the_same_words_much_later_is_another_mail(office: Office) -> None:
    """Another alarm: it must not be lost because there was one like it in spring."""
    await office.receives(raw_mail("alarm@machine.example", text="Disk full."))
    office.later(days=60)

    row = await office.receives(raw_mail("alarm@machine.example", text="Disk full."))
    again = await office.receives(raw_mail("alarm@machine.example", text="Disk full."))

    assert (row.outcome, row.case_ids) == (Outcome.NEW_CASE, (1002,))
    assert (again.outcome, again.case_ids) == (Outcome.DUPLICATE, (1002,))


async def test_nameless_mails_of_one_batch_are_told_apart_by_their_arrival(office: Office) -> None:
    await office.receives(raw_mail(text="Disk full."))
    for days in (60, 60.01, 120):
        await office.accepts(raw_mail(text="Disk full."), at=office.now + timedelta(days=days))
    office.later(days=120)

    await office.handles()

    rows = await office.store.list_mails(MailFilter(), limit_count=10)
    assert sorted((row.id, row.outcome, row.case_ids) for row in rows) == [
        (1, Outcome.NEW_CASE, (1001,)),
        (2, Outcome.NEW_CASE, (1002,)),
        (3, Outcome.DUPLICATE, (1002,)),
        (4, Outcome.NEW_CASE, (1003,)),
    ]


async def test_L13_a_mail_with_a_name_is_a_duplicate_however_late(office: Office) -> None:
    """A mailbox that was restored from a backup."""
    await office.receives(raw_mail(message_id="m1@customer.example"))
    await office.receives(raw_mail(headers=[("Date", "Mon, 02 Mar 2026 09:00:00 +0000")]))
    office.later(days=60)

    named = await office.receives(raw_mail(message_id="m1@customer.example"))
    dated = await office.receives(raw_mail(headers=[("Date", "Mon, 02 Mar 2026 09:00:00 +0000")]))

    assert (named.outcome, dated.outcome) == (Outcome.DUPLICATE, Outcome.DUPLICATE)
