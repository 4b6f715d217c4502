"""Reading the words of an IMAP server, without a server."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcase.inbound.imap_answers import (
    AnswerItem,
    MailFacts,
    checked,
    imap_day,
    read_facts,
    read_internal_date,
    read_mails,
    read_search,
    uid_set,
)
from mailcase.inbound.imap_errors import ImapBroken, UnfitForImap
from mailcase.inbound.intake_plan import Progress, in_sets

uids = st.sets(st.integers(1, 40)).map(lambda found: tuple(sorted(found)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("17-Jul-1996 02:44:25 -0700", datetime(1996, 7, 17, 9, 44, 25, tzinfo=UTC)),
        (" 1-jan-2026 00:00:00 +0100", datetime(2025, 12, 31, 23, 0, tzinfo=UTC)),
        ("31-Feb-2026 00:00:00 +0000", None),
        ("01-Xyz-2026 00:00:00 +0000", None),
        ("01-Jan-2026 00:00:00 +9900", None),
        ("01-Jan-0001 00:00:00 +0100", None),
        ("yesterday", None),
    ],
)
def test_an_internal_date_becomes_utc_or_nothing(text: str, expected: datetime | None) -> None:
    assert read_internal_date(text) == expected


def test_a_day_is_written_in_english_whatever_the_locale() -> None:
    assert imap_day(date(2026, 5, 3)) == "3-May-2026"


@pytest.mark.parametrize("text", ["a\r\nb", "a\x00", "\x7f", "\t"])
def test_control_characters_are_refused(text: str) -> None:
    """I12."""
    with pytest.raises(UnfitForImap):
        checked(text)


def test_a_search_answer_may_come_in_several_lines() -> None:
    assert read_search([b"7 3", b"", b"5"]) == (3, 5, 7)
    with pytest.raises(ImapBroken):
        read_search([None])
    with pytest.raises(ImapBroken):
        read_search([b"4294967296"])


def test_facts_are_only_of_what_was_asked_and_complete() -> None:
    data: list[AnswerItem] = [
        b'1 (UID 7 RFC822.SIZE 100 INTERNALDATE "01-Jan-2026 00:00:00 +0000")',
        b"2 (UID 8 RFC822.SIZE 100)",
        b"3 (UID 9)",
        b"4 (UID 10 RFC822.SIZE 100)",
        b"5 (UID 7 RFC822.SIZE 1)",
        None,
    ]

    found = read_facts(data, {7, 8, 9})

    assert found == (
        MailFacts(uid=7, size_bytes=100, internal_date=datetime(2026, 1, 1, tzinfo=UTC)),
        MailFacts(uid=8, size_bytes=100, internal_date=None),
    )


def test_the_uid_may_stand_after_the_mail_and_text_in_the_mail_counts_for_nothing() -> None:
    raw = b"Subject: (UID 9 RFC822.SIZE 1)\r\n\r\n"

    (mail,) = read_mails([(b"1 (BODY[] {%d}" % len(raw), raw), b" UID 7)"], {7, 9})

    assert (mail.uid, mail.raw, mail.size_bytes) == (7, raw, len(raw))


def test_an_answer_with_two_bodies_or_two_uids_is_not_believed() -> None:
    raw = b"x: y\r\n\r\n"

    assert read_mails([(b"1 (UID 7 BODY[] {8}", raw), (b" BODY[] {8}", raw), b")"], {7}) == ()
    assert read_mails([(b"1 (UID 7 BODY[] {8}", raw), b" UID 8)"], {7, 8}) == ()


@given(uids)
def test_a_set_names_exactly_its_uids(found: tuple[int, ...]) -> None:
    named: list[int] = []
    for run in filter(None, uid_set(found).split(",")):
        first, _, last = run.partition(":")
        named += range(int(first), int(last or first) + 1)

    assert tuple(named) == found


@given(st.lists(st.integers(0, 50), max_size=30), st.integers(1, 5), st.sets(st.integers(0, 29)))
def test_sets_keep_the_order_and_the_limits(sizes: list[int], limit_count: int, alone: set[int]) -> None:
    facts = [MailFacts(uid=uid, size_bytes=size, internal_date=None) for uid, size in enumerate(sizes)]

    sets = list(in_sets(facts, limit_count=limit_count, limit_bytes=60, alone=alone))

    assert [fact for some in sets for fact in some] == facts
    assert all(len(some) <= limit_count for some in sets)
    assert all(sum(fact.size_bytes for fact in some) <= 60 for some in sets if len(some) > 1)
    assert all(len(some) == 1 for some in sets if alone & {fact.uid for fact in some})


@given(uids, st.data())
def test_the_cursor_never_passes_an_unread_mail_and_never_goes_back(
    listed: tuple[int, ...], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(listed))
    progress = Progress(listed, listed, cursor=0)
    unread = set(listed)

    for uid in order:
        before = progress.cursor
        progress.done([uid])
        unread.discard(uid)

        assert progress.cursor >= before
        assert progress.unread == tuple(sorted(unread))
        assert all(other > progress.cursor for other in unread)
    assert progress.cursor == max(listed, default=0)
