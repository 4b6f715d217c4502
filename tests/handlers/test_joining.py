"""Which case a mail belongs to, and who may join it (L16, L17)."""

from __future__ import annotations

from datetime import timedelta
from email.message import EmailMessage

import pytest
from tests.handlers.office import (
    ANN,
    BOB,
    MARIE,
    SUPPORT,
    Office,
    OfficeOf,
    answer_to,
    body_of,
    id_of,
    ids_in,
    raw_mail,
    rules,
)

from mailcase.core.case import CaseId, Link, LinkKind, Status
from mailcase.mail import signing
from mailcase.mail.signing import Key, KeyRing
from mailcase.store.rows.cases import Role
from mailcase.store.rows.inbox import Outcome


async def acknowledged(office: Office) -> EmailMessage:
    await office.receives(raw_mail(message_id="m1@customer.example", cc="boss@customer.example"))
    return (await office.mails_to(MARIE))[0]


async def test_the_requester_joins_by_the_signed_reply_address_alone(office: Office) -> None:
    acknowledgement = await acknowledged(office)
    raw = raw_mail(to=str(acknowledgement["Reply-To"]), subject="Anything", message_id="m2@customer.example")

    row = await office.receives(raw)

    assert (row.outcome, row.reason, row.case_ids) == (Outcome.APPENDED, "reply-address", (1001,))


async def test_anyone_joins_with_a_valid_signed_address_and_may_come_again(office: Office) -> None:
    acknowledgement = await acknowledged(office)

    first = await office.receives(answer_to(acknowledgement, BOB))
    again = await office.receives(raw_mail(BOB, irt="m1@customer.example"))

    assert (first.outcome, first.reason) == (Outcome.APPENDED, "reply-address")
    assert (again.outcome, again.reason) == (Outcome.APPENDED, "in-reply-to")
    assert (await office.roles())[BOB] is Role.SEEN


async def test_an_agents_address_in_other_hands_inherits_nothing_from_a_closed_case(office: Office) -> None:
    """S2: no history for an unconfirmed sender; his case is a stranger's."""
    await acknowledged(office)
    to_ann = (await office.mails_to("ann@example.org"))[0]
    await office.closed()

    row = await office.receives(answer_to(to_ann, BOB))

    assert (row.outcome, row.reason, row.case_ids) == (Outcome.NEW_CASE, "stranger", (1002,))
    assert MARIE not in await office.roles("1002-C")
    assert (await office.bundle("1002-C")).mail_ids == (row.id,)


async def test_the_signed_address_of_an_agent_in_other_hands_joins_unconfirmed(office: Office) -> None:
    await acknowledged(office)
    to_ann = (await office.mails_to("ann@example.org"))[0]

    row = await office.receives(answer_to(to_ann, BOB))

    assert (row.outcome, row.reason, row.case_ids) == (Outcome.APPENDED, "reply-address", (1001,))
    assert (await office.roles())[BOB] is Role.UNCONFIRMED


async def test_an_unconfirmed_sender_is_confirmed_by_the_address_of_the_case(office: Office) -> None:
    """Anyone joins with the signed address of the case; what he used before takes nothing from it."""
    acknowledgement = await acknowledged(office)
    to_ann = (await office.mails_to("ann@example.org"))[0]
    await office.receives(answer_to(to_ann, BOB))

    await office.receives(answer_to(acknowledgement, BOB, text="The customer sent me this."))

    assert (await office.roles())[BOB] is Role.SEEN


async def test_an_unconfirmed_sender_gets_no_mail_of_ours(office: Office) -> None:
    await acknowledged(office)
    await office.receives(answer_to((await office.mails_to("ann@example.org"))[0], BOB))

    await office.does("case.wait", ref="1001-C", info="client")
    await office.resolved_after_wait()

    assert await office.mails_to(BOB) == []


async def test_S3_a_mail_of_two_senders_joins_by_signature_and_confirms_neither(office: Office) -> None:
    acknowledgement = await acknowledged(office)

    row = await office.receives(answer_to(acknowledgement, f"{BOB}, eve@elsewhere.example"))

    assert (row.outcome, row.case_ids) == (Outcome.APPENDED, (1001,))
    roles = await office.roles()
    assert (roles[BOB], roles["eve@elsewhere.example"]) == (Role.UNCONFIRMED, Role.UNCONFIRMED)


async def test_who_was_in_cc_joins_by_in_reply_to_without_becoming_a_recipient(office: Office) -> None:
    """Check 14 of 9.2."""
    acknowledgement = await acknowledged(office)

    row = await office.receives(answer_to(acknowledgement, "boss@customer.example", to=SUPPORT))
    await office.resolved()

    assert (row.outcome, row.reason) == (Outcome.APPENDED, "in-reply-to")
    assert (await office.roles())["boss@customer.example"] is Role.SEEN
    assert await office.mails_to("boss@customer.example") == []


@pytest.mark.parametrize("named", ["in-reply-to", "references", "subject-tag"])
async def test_L16_a_stranger_gets_a_new_linked_case_and_no_seat(office: Office, named: str) -> None:
    acknowledgement = await acknowledged(office)
    raw = {
        "in-reply-to": raw_mail(BOB, irt=id_of(acknowledgement)),
        "references": raw_mail(BOB, refs=["nobody@saw.this", id_of(acknowledgement)]),
        "subject-tag": raw_mail(BOB, subject="Re: [1001-C] the history please"),
    }[named]
    before = await office.case()

    row = await office.receives(raw)

    assert (row.outcome, row.reason, row.case_ids) == (Outcome.NEW_CASE, "stranger", (1002,))
    assert (await office.case("1002-C")).links == (Link(kind=LinkKind.STRANGER, other=CaseId(1001)),)
    assert (named, "names 1001-C, but the sender may not join it") in rules(row)
    assert await office.case() == before
    assert BOB not in await office.roles()


async def test_L16_nothing_of_the_case_is_copied_to_the_strangers(office: Office) -> None:
    await acknowledged(office)

    row = await office.receives(raw_mail(BOB, subject="[1001-C]"))

    bundle = await office.bundle("1002-C")
    assert bundle.mail_ids == (row.id,)
    assert set(await office.roles("1002-C")) == {BOB}


async def test_the_answer_of_a_stranger_to_his_own_acknowledgement_stays_in_his_case(office: Office) -> None:
    await acknowledged(office)
    await office.receives(raw_mail(BOB, subject="Re: [1001-C]"))

    row = await office.receives(answer_to((await office.mails_to(BOB))[0], BOB))

    assert (row.outcome, row.case_ids) == (Outcome.APPENDED, (1002,))


async def test_the_subject_tag_joins_a_participant(office: Office) -> None:
    await acknowledged(office)

    row = await office.receives(raw_mail(subject="about [1001-c]"))

    assert (row.outcome, row.reason, row.case_ids) == (Outcome.APPENDED, "subject-tag", (1001,))


async def test_L19_a_bare_subject_joins_nothing(office: Office) -> None:
    await acknowledged(office)

    row = await office.receives(raw_mail(subject="Re: My printer smokes", message_id="m9@customer.example"))

    assert (row.outcome, row.case_ids) == (Outcome.NEW_CASE, (1002,))


async def test_a_tag_of_a_case_that_does_not_exist_makes_an_unlinked_case(office: Office) -> None:
    row = await office.receives(raw_mail(subject="[4711-C] hello"))

    assert (row.outcome, row.reason) == (Outcome.NEW_CASE, "routed")
    assert ("subject-tag", "no such case") in rules(row)


# Signatures


async def test_L17_a_bad_signature_falls_through_to_the_next_evidence_and_is_traced(office: Office) -> None:
    acknowledgement = await acknowledged(office)
    forged = str(acknowledgement["Reply-To"]).replace("c1001.", "c1002.").rpartition("<")[2].strip(">")

    row = await office.receives(raw_mail(to=forged, irt=id_of(acknowledgement)))

    assert (row.outcome, row.reason, row.case_ids) == (Outcome.APPENDED, "in-reply-to", (1001,))
    assert ("signature", "not valid: wrong-mac") in rules(row)


async def test_L17_a_bad_signature_alone_loses_no_mail(office: Office) -> None:
    await acknowledged(office)

    row = await office.receives(raw_mail(BOB, to="support+c1001.aaaaaaaaaaaaaaaaaa@example.org"))

    assert (row.outcome, row.reason, row.case_ids) == (Outcome.NEW_CASE, "routed", (1002,))


async def test_a_retired_key_proves_nothing_any_more(office: Office) -> None:
    acknowledgement = await acknowledged(office)
    office.later(days=401)

    stranger = await office.receives(answer_to(acknowledgement, BOB, to=str(acknowledgement["Reply-To"])))
    marie = await office.receives(answer_to(acknowledgement))

    assert (stranger.outcome, stranger.reason) == (Outcome.NEW_CASE, "stranger")
    assert ("signature", "not valid: retired-key") in rules(stranger)
    assert (marie.outcome, marie.reason, marie.case_ids) == (Outcome.APPENDED, "in-reply-to", (1001,))


async def test_a_key_of_another_ring_proves_nothing(office: Office) -> None:
    await acknowledged(office)
    other = KeyRing(keys=(Key(id="aa", secret=b"b" * 32, created_at=office.now - timedelta(days=1)),))

    row = await office.receives(raw_mail(BOB, to=signing.reply_address(other, SUPPORT, CaseId(1001))))

    assert (row.outcome, row.case_ids) == (Outcome.NEW_CASE, (1002,))


async def test_EM_16_a_mail_to_two_signed_addresses_belongs_to_both_cases(office: Office) -> None:
    await office.receives(raw_mail(message_id="m1@customer.example"))
    await office.receives(raw_mail(message_id="m2@customer.example", subject="The other printer"))
    acknowledgements = await office.mails_to(MARIE)

    row = await office.receives(raw_mail(to=", ".join(str(mail["Reply-To"]) for mail in acknowledgements)))

    assert (row.outcome, row.case_ids) == (Outcome.APPENDED, (1001, 1002))
    assert row.id in (await office.bundle("1001-C")).mail_ids
    assert row.id in (await office.bundle("1002-C")).mail_ids


async def test_L40_our_signed_address_never_becomes_a_participant(office: Office) -> None:
    await office.receives(answer_to(await acknowledged(office)))

    assert set(await office.roles()) == {MARIE, "boss@customer.example"}


# A provider has replaced our Message-ID, and Reply-To is plain


async def test_our_signed_case_id_in_references_joins_where_nothing_else_is_left(office_of: OfficeOf) -> None:
    office = await office_of(PLAIN)
    await office.receives(raw_mail())
    acknowledgement = (await office.mails_to(MARIE))[0]
    ours = [ref for ref in ids_in(acknowledgement, "References") if "@mailcase." in ref]

    row = await office.receives(raw_mail(subject="Re: hm", refs=[*ours, "replaced@provider.example"]))

    assert str(acknowledgement["Reply-To"]) == "Example Support <support@example.org>"
    assert len(ours) == 1
    assert (row.outcome, row.reason, row.case_ids) == (Outcome.APPENDED, "references", (1001,))


async def test_our_signed_case_id_lets_no_stranger_in(office_of: OfficeOf) -> None:
    office = await office_of(PLAIN)
    await office.receives(raw_mail())
    acknowledgement = (await office.mails_to(MARIE))[0]

    row = await office.receives(raw_mail(BOB, refs=ids_in(acknowledgement, "References")))

    assert (row.outcome, row.reason, row.case_ids) == (Outcome.NEW_CASE, "stranger", (1002,))


PLAIN = """\
store: mailcase.db
people: {ann: {address: ann@example.org}}
processes: {enquiry: {}}
mailboxes:
  desk:
    receive: {kind: smtp, listen: "127.0.0.1:2525"}
    addresses:
      support@example.org: {name: Example Support, reply_address: plain}
    fallback: enquiry
"""


# Senders that cannot be named


async def test_a_mail_without_from_is_a_case_without_requester_or_answer(office: Office) -> None:
    row = await office.receives(raw_mail(None, headers=[("Sender", BOB)]), envelope_from=BOB)

    case = await office.case()
    assert (row.outcome, row.from_address) == (Outcome.NEW_CASE, None)
    assert (case.status, case.requester) == (Status.TO_DO, None)
    assert [notice for notice, _ in await office.notices()] == ["new-in-queue"]


async def test_S3_a_mail_with_two_from_headers_has_no_requester_and_no_seat(office: Office) -> None:
    await acknowledged(office)

    row = await office.receives(raw_mail(MARIE, headers=[("From", BOB)], irt="m1@customer.example"))

    assert (row.outcome, row.reason, row.case_ids) == (Outcome.NEW_CASE, "stranger", (1002,))
    assert (await office.case("1002-C")).requester is None
    assert set((await office.roles("1002-C")).values()) == {Role.UNCONFIRMED}


async def test_a_mail_without_from_joins_by_a_signed_address(office: Office) -> None:
    acknowledgement = await acknowledged(office)

    row = await office.receives(raw_mail(None, to=str(acknowledgement["Reply-To"])), envelope_from=BOB)

    assert (row.outcome, row.case_ids) == (Outcome.APPENDED, (1001,))


async def test_an_unconfirmed_sender_is_shown_in_the_notice_and_on_the_case(office: Office) -> None:
    await office.receives(raw_mail(message_id="m1@x"))
    to_ann = (await office.mails_to(ANN))[0]

    await office.receives(answer_to(to_ann, BOB))

    notice = (await office.mails_to(ANN, "new-information"))[-1]
    shown = await office.does("case.show", ref="1001-C")
    assert isinstance(shown, dict)
    assert shown["unconfirmed"] == [BOB]
    assert f"{BOB} (unconfirmed)" in str(shown["timeline"])
    html = notice.get_body(("html",))
    assert html is not None
    assert "made for somebody else" in body_of(notice)
    assert "made for somebody else" in html.get_content()


async def test_a_requester_is_not_shown_as_unconfirmed(office: Office) -> None:
    await office.receives(raw_mail(message_id="m1@x"))

    await office.receives(raw_mail(MARIE, irt="m1@x"))

    notice = (await office.mails_to(ANN, "new-information"))[-1]
    shown = await office.does("case.show", ref="1001-C")
    assert isinstance(shown, dict)
    assert shown["unconfirmed"] == []
    assert "made for somebody else" not in body_of(notice)
