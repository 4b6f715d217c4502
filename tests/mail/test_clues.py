"""What a mail says about its case, in the order of evidence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.mail.samples import mail

from mailcase.core.case import CaseId
from mailcase.mail import signing
from mailcase.mail.clues import Clues, find_clues, our_addresses
from mailcase.mail.message import Message
from mailcase.mail.signing import BadSignature, Key, KeyRing, Purpose, SignedName

NOW = datetime(2026, 5, 1, tzinfo=UTC)
RING = KeyRing(keys=(Key(id="bb", secret=b"s" * 32, created_at=NOW),))
OWN = frozenset({"desk@example.org", "bureau@example.org"})
CASE = CaseId(1042)
SIGNED = signing.reply_address(RING, "desk@example.org", CASE)
NAMED = signing.thread_name(RING, CASE, "example.org")


def clues_in(message: Message, *envelope_to: str) -> Clues:
    return find_clues(
        message,
        envelope_to=envelope_to,
        own_addresses=OWN,
        ring=RING,
        now=NOW,
        key_lifetime=timedelta(days=400),
    )


def ours(message: Message, *envelope_to: str) -> tuple[str, ...]:
    return our_addresses(message, envelope_to=envelope_to, own_addresses=OWN)


def test_a_mail_without_evidence_has_no_clues() -> None:
    assert clues_in(mail("To: desk@example.org", "Subject: hello")) == Clues(
        reply_addresses=(), bad_signatures=(), in_reply_to=(), references=(), thread_names=(), subject_tags=()
    )


@pytest.mark.parametrize("field", ["To", "Cc", "Delivered-To", "X-Original-To", "Envelope-To"])
def test_a_signed_address_counts_wherever_the_mail_was_sent(field: str) -> None:
    found = clues_in(mail(f"{field}: {SIGNED}"))

    assert found.reply_addresses == (SignedName(case_id=CASE, purpose=Purpose.ANSWER, bound_to=None),)


def test_a_signed_address_counts_in_the_envelope_and_once() -> None:
    assert len(clues_in(mail("X: y"), SIGNED).reply_addresses) == 1
    assert len(clues_in(mail(f"To: {SIGNED}, {SIGNED.upper()}"), SIGNED).reply_addresses) == 1


def test_a_tag_on_a_foreign_address_is_nothing_of_ours() -> None:
    foreign = SIGNED.replace("example.org", "example.net")

    assert clues_in(mail(f"To: {foreign}")).reply_addresses == ()
    assert clues_in(mail(f"To: {foreign}")).bad_signatures == ()


def test_a_bad_signature_is_told_and_loses_nothing() -> None:
    """L17: the other evidence still counts."""
    forged = SIGNED.replace("1042", "7")

    found = clues_in(mail(f"To: {forged}", "In-Reply-To: <a@x>"))

    assert found.reply_addresses == ()
    assert found.bad_signatures == (BadSignature(case_id=CaseId(7), reason="wrong-mac"),)
    assert found.in_reply_to == ("a@x",)


def test_references_stand_nearest_first_without_repeats() -> None:
    found = clues_in(mail("In-Reply-To: <c@x>", "References: <a@x> <b@x> <a@x> <c@x>"))

    assert found.in_reply_to == ("c@x",)
    assert found.references == ("a@x", "b@x")


@pytest.mark.parametrize("field", ["In-Reply-To", "References"])
def test_our_signed_case_id_is_evidence_of_its_own(field: str) -> None:
    found = clues_in(mail(f"{field}: <{NAMED}>"))

    assert found.thread_names == (SignedName(case_id=CASE, purpose=Purpose.THREAD, bound_to=None),)
    assert found.in_reply_to == found.references == ()


def test_a_forged_case_id_in_references_is_a_bad_signature() -> None:
    found = clues_in(mail(f"References: <{NAMED.replace('1042', '7')}>"))

    assert found.thread_names == ()
    assert found.references == ()
    assert found.bad_signatures == (BadSignature(case_id=CaseId(7), reason="wrong-mac"),)


def test_subject_tags_are_read_in_order_and_once() -> None:
    found = clues_in(mail("Subject: Re: [1042-C] Re: [7-c] [1042-C] [0-C] [x-C] 9-C [12345678901234567890-C]"))

    assert found.subject_tags == (CASE, CaseId(7))


def test_our_addresses_stand_as_in_to_cc_and_envelope() -> None:
    message = mail("To: x@example.net, Bureau@example.org", "Cc: desk+news@example.org")

    assert ours(message, "desk@example.org", "bureau@example.org") == ("bureau@example.org", "desk@example.org")


def test_a_tag_does_not_hide_our_address() -> None:
    assert ours(mail(f"To: {SIGNED}")) == ("desk@example.org",)
    assert ours(mail(f"To: {SIGNED.replace('desk', 'desk+fr')}")) == ("desk@example.org",)
    assert ours(mail("To: desk+c7.bbaaaaaaaaaaaaaaaa@example.org")) == ("desk@example.org",)


def test_an_address_of_ours_with_a_plus_is_itself() -> None:
    found = our_addresses(
        mail("To: desk+fr@example.org"), envelope_to=(), own_addresses=["desk+fr@example.org", "desk@example.org"]
    )

    assert found == ("desk+fr@example.org",)


def test_the_topmost_trace_of_the_envelope_counts_where_none_is_known() -> None:
    """L41: mail by Bcc or an alias is routed by what the server wrote down; lower lines come from outside."""
    message = mail("Delivered-To: <desk@example.org>", "Delivered-To: bureau@example.org", "To: list@example.net")

    assert ours(message) == ("desk@example.org",)


def test_a_known_envelope_makes_its_traces_in_the_header_moot() -> None:
    message = mail("Delivered-To: desk@example.org", "To: list@example.net")

    assert ours(message, "bureau@example.org") == ("bureau@example.org",)
    assert ours(message, "someone@example.net") == ()
