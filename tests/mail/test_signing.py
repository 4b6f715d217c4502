"""Signed names: what they prove, and what they do not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcase.core.case import CaseId
from mailcase.mail import signing
from mailcase.mail.signing import BadSignature, Key, KeyRing, Purpose, SignedName

NOW = datetime(2026, 5, 1, tzinfo=UTC)
LIFETIME = timedelta(days=400)
NEW = Key(id="bb", secret=b"new" * 12, created_at=NOW - timedelta(days=10))
OLD = Key(id="aa", secret=b"old" * 12, created_at=NOW - timedelta(days=399))
RETIRED = Key(id="zz", secret=b"gone" * 9, created_at=NOW - timedelta(days=401))
RING = KeyRing(keys=(NEW, OLD, RETIRED))
CASE = CaseId(1042)


def verify(address: str, ring: KeyRing = RING) -> SignedName | BadSignature | None:
    return signing.verify_reply_address(ring, address, now=NOW, lifetime=LIFETIME)


def verify_thread(identity: str, ring: KeyRing = RING) -> SignedName | BadSignature | None:
    return signing.verify_thread_name(ring, identity, now=NOW, lifetime=LIFETIME)


def test_a_reply_address_proves_its_case() -> None:
    address = signing.reply_address(RING, "desk@example.org", CASE)

    assert address.startswith("desk+c1042.bb")
    assert address.endswith("@example.org")
    assert verify(address) == SignedName(case_id=CASE, purpose=Purpose.ANSWER, bound_to=None)


def test_a_reply_address_proves_for_whom_it_was_made() -> None:
    address = signing.reply_address(RING, "desk@example.org", CASE, "ann")

    assert address.startswith("desk+c1042-ann.bb")
    assert verify(address) == SignedName(case_id=CASE, purpose=Purpose.ANSWER, bound_to="ann")


def test_servers_may_fold_the_case_of_letters() -> None:
    address = signing.reply_address(RING, "Desk@Example.org", CASE, "ann")

    assert isinstance(verify(address.upper()), SignedName)
    assert isinstance(verify_thread(signing.thread_name(RING, CASE, "example.org").upper()), SignedName)


def test_an_old_key_verifies_until_its_end() -> None:
    """L17: a retired key proves nothing, and says so."""
    by_old = signing.reply_address(KeyRing(keys=(OLD,)), "desk@example.org", CASE)
    by_retired = signing.reply_address(KeyRing(keys=(RETIRED,)), "desk@example.org", CASE)

    assert isinstance(verify(by_old), SignedName)
    assert verify(by_retired) == BadSignature(case_id=CASE, reason="retired-key")


def test_a_key_of_another_ring_is_unknown() -> None:
    address = signing.reply_address(RING, "desk@example.org", CASE)

    assert verify(address, KeyRing(keys=(OLD,))) == BadSignature(case_id=CASE, reason="unknown-key")


def test_a_token_is_good_for_its_case_and_person_only() -> None:
    """S1."""
    address = signing.reply_address(RING, "desk@example.org", CASE, "ann")

    assert verify(address.replace("1042", "1043")) == BadSignature(case_id=CaseId(1043), reason="wrong-mac")
    assert verify(address.replace("-ann", "-bob")) == BadSignature(case_id=CASE, reason="wrong-mac")
    assert verify(address.replace("-ann", "")) == BadSignature(case_id=CASE, reason="wrong-mac")


@given(st.integers(0, 15), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_any_changed_character_breaks_the_token(index: int, letter: str) -> None:
    """S1: 80 bits, each of them checked."""
    local, _, domain = signing.reply_address(RING, "desk@example.org", CASE).partition("@")
    at = len(local) - 16 + index
    forged = f"{local[:at]}{letter}{local[at + 1 :]}@{domain}"

    assert (verify(forged) == BadSignature(case_id=CASE, reason="wrong-mac")) is (letter != local[at])


def test_one_purpose_cannot_stand_for_the_other() -> None:
    local = signing.reply_address(RING, "desk@example.org", CASE).partition("@")[0]
    thread = signing.thread_name(RING, CASE, "example.org")

    assert verify_thread(f"{local.partition('+')[2]}@mailcase.example.org") == BadSignature(
        case_id=CASE, reason="wrong-mac"
    )
    assert verify(f"desk+{thread.partition('@')[0]}@example.org") == BadSignature(case_id=CASE, reason="wrong-mac")


def test_a_thread_name_proves_its_case() -> None:
    name = signing.thread_name(RING, CASE, "example.org")

    assert name.endswith("@mailcase.example.org")
    assert verify_thread(name) == SignedName(case_id=CASE, purpose=Purpose.THREAD, bound_to=None)
    assert verify_thread(name.replace("1042", "1041")) == BadSignature(case_id=CaseId(1041), reason="wrong-mac")


@pytest.mark.parametrize(
    "address",
    [
        "desk@example.org",
        "desk+news@example.org",
        "desk+c1042@example.org",
        "desk+c1042.bb@example.org",
        "desk+c01042.bbaaaaaaaaaaaaaaaa@example.org",
        "desk+c1042.bbaaaaaaaaaaaaaaa1@example.org",
        "desk+c1042-UN FIT.bbaaaaaaaaaaaaaaaa@example.org",
        "+c1042.bbaaaaaaaaaaaaaaaa@example.org",
        "desk",
        "",
    ],
)
def test_an_address_without_a_tag_of_our_shape_says_nothing(address: str) -> None:
    assert verify(address) is None
    assert signing.plain_address(address) == address.lower()


@pytest.mark.parametrize(
    "identity", ["a@example.org", "c1042.bb@mailcase.example.org", "", "c1042.bbaaaaaaaaaaaaaaaa@x"]
)
def test_an_id_without_our_shape_says_nothing(identity: str) -> None:
    assert verify_thread(identity) is None


def test_the_plain_address_has_no_tag_of_ours() -> None:
    assert signing.plain_address("Desk+c1042-ann.BBaaaaaaaaaaaaaaaa@Example.org") == "desk@example.org"
    assert signing.plain_address("desk+fr+c1042.bbaaaaaaaaaaaaaaaa@example.org") == "desk+fr@example.org"


@pytest.mark.parametrize("word", ["", "Ann", "a b", "é", "a" * 21, "a-b"])
def test_an_address_is_bound_to_a_short_word_only(word: str) -> None:
    with pytest.raises(ValueError, match="not a word"):
        signing.reply_address(RING, "desk@example.org", CASE, word)


def test_a_local_part_that_servers_would_refuse_is_not_made() -> None:
    """RFC 5321 4.5.3.1.1: 64 octets."""
    fits = "d" * (64 - len("+c1042.bb") - 16)

    assert isinstance(verify(signing.reply_address(RING, f"{fits}@example.org", CASE)), SignedName)
    with pytest.raises(ValueError, match="too long"):
        signing.reply_address(RING, f"{fits}d@example.org", CASE)


def test_a_key_does_not_show_its_secret() -> None:
    """S16."""
    assert "new" not in repr(RING)


def test_a_mark_proves_that_we_wrote_the_mail() -> None:
    """L24, S24."""
    mark = signing.own_mark(RING, "x1.1042@example.org")

    assert mark.startswith("x1.1042@example.org bb")
    assert signing.is_own_mark(RING, mark)
    assert signing.is_own_mark(KeyRing(keys=(OLD, NEW)), mark)


def test_another_installation_of_the_same_name_makes_other_marks() -> None:
    other = KeyRing(keys=(Key(id="bb", secret=b"other" * 8, created_at=NOW),))

    assert not signing.is_own_mark(other, signing.own_mark(RING, "x1.1042@example.org"))


@pytest.mark.parametrize("mark", ["", "example.org", "x@example.org", "x@example.org bbaaaaaaaaaaaaaaaa"])
def test_a_mark_that_nobody_signed_is_none(mark: str) -> None:
    assert not signing.is_own_mark(RING, mark)


def test_a_reply_address_cannot_stand_for_a_mark() -> None:
    local = signing.reply_address(RING, "desk@example.org", CASE).partition("@")[0]
    tag = local.partition(".")[2]

    assert not signing.is_own_mark(RING, f"{CASE} {tag}")
    assert not signing.is_own_mark(RING, f"c{CASE} {tag}")
