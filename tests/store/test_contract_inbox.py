"""What every filler of the port must do with mail that came in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from mailcase.core.case import CaseId, MailboxName, MailId
from mailcase.errors import Conflict
from mailcase.store.port import Point, Store
from mailcase.store.rows.cases import Taken
from mailcase.store.rows.changes import Changes
from mailcase.store.rows.inbox import ClaimedMail, MailFilter, Outcome
from mailcase.store.rows.lookup import Wanted
from mailcase.store.rows.mailboxes import FolderState, MailboxState

if TYPE_CHECKING:
    from tests.store.conftest import OpenStore, Samples

DESK = MailboxName("desk")


async def claim(
    store: Store, samples: Samples, *, minutes: float = 100, count: int = 50, size_bytes: int = 1_000_000
) -> tuple[ClaimedMail, ...]:
    now = samples.at(minutes)
    return await store.claim_inbox(
        now=now, limit_count=count, limit_bytes=size_bytes, lease_until=now + timedelta(minutes=5)
    )


# ---- C1


async def test_mail_is_kept_byte_for_byte(store: Store, samples: Samples) -> None:
    raw = bytes(range(256)) * 3

    (accepted,) = await store.accept([samples.mail(1, raw=raw)])

    assert accepted.is_new
    assert await store.raw(accepted.mail_id) == raw


async def test_taking_the_same_mail_twice_changes_nothing(store: Store, samples: Samples) -> None:
    """Within one batch as well."""
    first, again = await store.accept([samples.mail(1), samples.mail(1)])
    (later,) = await store.accept([replace(samples.mail(1), raw=b"other bytes")])

    assert [first.is_new, again.is_new, later.is_new] == [True, False, False]
    assert first.mail_id == again.mail_id == later.mail_id
    assert await store.raw(first.mail_id) == samples.mail(1).raw
    assert await store.pending_count() == 1


async def test_the_same_bytes_by_two_ways_are_two_mails(store: Store, samples: Samples) -> None:
    raw = b"Subject: to both\r\n\r\n"
    elsewhere = replace(samples.mail(1, raw=raw), mailbox=MailboxName("sales"))

    accepted = await store.accept([samples.mail(1, raw=raw), samples.mail(2, raw=raw), elsewhere])

    assert len({row.mail_id for row in accepted}) == 3
    assert [await store.raw(row.mail_id) for row in accepted] == [raw, raw, raw]


async def test_an_empty_mail_is_a_mail(store: Store, samples: Samples) -> None:
    await store.accept([samples.mail(1, raw=b"")])

    (claimed,) = await claim(store, samples)
    assert claimed.raw == b""


async def test_mail_from_before_the_start_is_recorded_but_never_claimed(store: Store, samples: Samples) -> None:
    """L10."""
    old = replace(samples.mail(1, raw=b""), outcome=Outcome.BEFORE_START)

    (accepted,) = await store.accept([old])

    row = await store.mail(accepted.mail_id)
    assert row is not None
    assert row.outcome is Outcome.BEFORE_START
    assert await store.raw(accepted.mail_id) is None
    assert await claim(store, samples) == ()


async def test_text_that_no_database_takes_does_not_stop_a_mail(store: Store, samples: Samples) -> None:
    """S15: a NUL and a lone surrogate in an envelope."""
    strange = replace(samples.mail(1), envelope_from="b\0b\udc80@example.net", envelope_to=("d\udcffk@example.org",))

    (accepted,) = await store.accept([strange])

    row = await store.mail(accepted.mail_id)
    assert row is not None
    assert row.envelope_from == "b\ufffdb\ufffd@example.net"
    assert row.envelope_to == ("d\ufffdk@example.org",)


async def test_how_far_a_folder_was_read_is_saved_with_its_mail(store: Store, samples: Samples) -> None:
    state = FolderState(mailbox=DESK, folder="INBOX", uidvalidity=7, last_uid=2**31, started_at=samples.start)
    await store.accept([samples.mail(1)], folder=replace(state, last_uid=1))

    await store.accept([], folder=state)

    assert await store.folder_states(DESK) == (state,)
    assert await store.folder_states(MailboxName("sales")) == ()


async def test_the_state_of_a_mailbox_is_replaced(store: Store, samples: Samples) -> None:
    failed = MailboxState(
        mailbox=DESK, account="u@imap.example.org", read_through_at=None, checked_at=None, last_error="no route"
    )
    read = replace(failed, read_through_at=samples.at(1), checked_at=samples.at(2), last_error=None)
    await store.save_mailbox(failed)

    await store.save_mailbox(read)

    assert await store.mailbox_states() == {DESK: read}


async def test_content_is_known_per_mailbox(store: Store, samples: Samples) -> None:
    """UIDVALIDITY changed, or a mail was moved."""
    await store.accept([samples.mail(1, raw=b"one"), samples.mail(2, raw=b"two")])
    one, two, three = (hashlib.sha256(raw).hexdigest() for raw in (b"one", b"two", b"three"))

    assert await store.knows_content(DESK, [one, two, three]) == {one, two}
    assert await store.knows_content(MailboxName("sales"), [one]) == frozenset()


async def test_the_outcomes_of_known_sources_are_told_per_mailbox(store: Store, samples: Samples) -> None:
    await store.accept([samples.mail(1), replace(samples.mail(2), outcome=Outcome.BEFORE_START)])
    sources = [f"imap:INBOX:1:{number}" for number in (1, 2, 3)]

    assert await store.outcomes_of(DESK, sources) == {sources[0]: Outcome.PENDING, sources[1]: Outcome.BEFORE_START}
    assert await store.outcomes_of(MailboxName("sales"), sources) == {}


# ---- C2


async def test_mail_is_claimed_in_order_of_arrival(store: Store, samples: Samples) -> None:
    await store.accept([samples.mail(1, minutes=3), samples.mail(2, minutes=1), samples.mail(3, minutes=2)])

    claimed = await claim(store, samples)

    assert [mail.arrived_at for mail in claimed] == [samples.at(1), samples.at(2), samples.at(3)]
    assert [mail.attempts for mail in claimed] == [1, 1, 1]
    assert claimed[0].envelope_to == ("desk@example.org",)


async def test_a_batch_ends_at_its_limits(store: Store, samples: Samples) -> None:
    await store.accept([samples.mail(number, raw=b"x" * 100) for number in range(1, 6)])

    by_count = await claim(store, samples, count=2)
    by_size = await claim(store, samples, size_bytes=250)

    assert [len(by_count), len(by_size)] == [2, 2]


async def test_a_mail_over_the_limit_of_bytes_comes_alone(store: Store, samples: Samples) -> None:
    await store.accept([samples.mail(1, raw=b"x" * 100), samples.mail(2)])

    claimed = await claim(store, samples, size_bytes=10)

    assert [len(mail.raw) for mail in claimed] == [100]


async def test_a_claimed_mail_is_not_claimed_again_before_its_lease_ends(store: Store, samples: Samples) -> None:
    await store.accept([samples.mail(1)])
    (first,) = await claim(store, samples, minutes=100)

    assert await claim(store, samples, minutes=104) == ()
    (again,) = await claim(store, samples, minutes=105)
    assert (again.id, again.attempts) == (first.id, 2)


async def test_a_mail_that_was_tried_comes_alone(store: Store, samples: Samples) -> None:
    """L5: no neighbour is parked with it, and the order of arrival is kept."""
    await store.accept([samples.mail(number) for number in (1, 2)])
    claimed = await claim(store, samples)
    await store.release_inbox([claimed[1].id], attempt_counts=True)
    await store.release_inbox([claimed[0].id], attempt_counts=False)
    await store.accept([samples.mail(3)])

    batches = [await claim(store, samples) for _ in range(4)]

    assert [[(mail.id, mail.attempts) for mail in batch] for batch in batches] == [[(1, 1)], [(2, 2)], [(3, 1)], []]


def sources_of(batches: Sequence[Sequence[ClaimedMail]]) -> list[str]:
    """Which mailboxes each batch is from, by their first letters."""
    return ["".join(mail.mailbox[0] for mail in batch) for batch in batches]


async def test_a_batch_is_shared_among_the_mailboxes_that_have_mail(store: Store, samples: Samples) -> None:
    """R18: what came last into a quiet mailbox does not wait for all that came before into a busy one."""
    await store.accept([samples.mail(number) for number in range(1, 31)])
    quiet = [replace(samples.mail(number), mailbox=MailboxName("quiet")) for number in (40, 41)]
    await store.accept(quiet)

    batches = [await claim(store, samples, count=6) for _ in range(2)]

    assert sources_of(batches) == ["ddddqq", "dddddd"]
    assert [mail.arrived_at for batch in batches for mail in batch if mail.mailbox == DESK] == [
        samples.at(number) for number in range(1, 11)
    ]
    assert [mail.arrived_at for mail in batches[0][-2:]] == [samples.at(40), samples.at(41)]
    assert await store.oldest_pending_at() == samples.at(1)


async def test_no_mailbox_waits_for_ever_however_small_a_batch_is(store: Store, samples: Samples) -> None:
    """R18: more mailboxes than mails in a batch, and a mail that was tried before, which comes alone."""
    for mailbox in ("a", "b", "c"):
        await store.accept([replace(samples.mail(number), mailbox=MailboxName(mailbox)) for number in range(1, 5)])
    (first,) = await claim(store, samples, count=1)
    await store.release_inbox([first.id], attempt_counts=True)

    batches = [await claim(store, samples, count=2) for _ in range(4)]

    assert sources_of(batches) == ["bc", "bc", "a", "bc"]
    assert [(mail.id, mail.attempts) for mail in batches[2]] == [(first.id, 2)]


async def test_a_clean_stop_gives_attempts_back(store: Store, samples: Samples) -> None:
    await store.accept([samples.mail(1)])
    (claimed,) = await claim(store, samples)

    await store.release_inbox([claimed.id], attempt_counts=False)

    row = await store.mail(claimed.id)
    assert row is not None
    assert row.attempts == 0
    await store.release_inbox([claimed.id], attempt_counts=False)
    assert (await claim(store, samples))[0].attempts == 1


async def test_a_start_voids_the_claims_of_an_earlier_life(open_store: OpenStore, samples: Samples) -> None:
    store = await open_store()
    await store.accept([samples.mail(1), samples.mail(2)])
    await claim(store, samples)
    await store.close()
    store = await open_store()

    recovered = await store.recover()

    assert recovered.inbox_released == 2
    assert [mail.attempts for mail in await claim(store, samples, minutes=101)] == [2]


# ---- the end of a mail


async def test_a_mail_ends_with_its_outcome_and_trace(store: Store, samples: Samples) -> None:
    await store.accept([samples.mail(1)])
    await claim(store, samples)
    await store.save(Point.SAVE_MAIL, samples.new_case(1001), now=samples.at(60))
    ended = samples.ended(1, cases=(1001,))

    await store.save(Point.SAVE_MAIL, Changes(outcomes=(ended,)), now=samples.at(60))

    row = await store.mail(MailId(1))
    assert row is not None
    assert (row.outcome, row.reason, row.kind, row.subject) == (Outcome.NEW_CASE, "the first rule", "ordinary", "hello")
    assert row.trace == ended.trace
    assert row.case_ids == (1001,)
    assert await store.find_mail("m1@example.net") == row
    assert await store.pending_count() == 0
    assert await claim(store, samples, minutes=1000) == ()


async def test_a_mail_ends_once(store: Store, samples: Samples) -> None:
    """R2: whoever comes second saves nothing."""
    await store.accept([samples.mail(1)])
    await store.save(Point.SAVE_MAIL, Changes(outcomes=(samples.ended(1),)), now=samples.at(60))
    late = samples.new_case(1001)

    with pytest.raises(Conflict):
        await store.save(Point.SAVE_MAIL, replace(late, outcomes=(samples.ended(1),)), now=samples.at(60))

    assert await store.bundle(CaseId(1001)) is None


@pytest.mark.parametrize("outcome", [Outcome.PARKED, Outcome.UNHANDLED])
async def test_a_kept_mail_can_be_tried_again(store: Store, samples: Samples, outcome: Outcome) -> None:
    await store.accept([samples.mail(1)])
    await claim(store, samples)
    unit = Taken(fingerprint="f1", address="", mail_id=MailId(1), case_id=None, arrived_at=samples.at(1))
    changes = Changes(outcomes=(samples.ended(1, outcome=outcome),), taken=(unit,))
    await store.save(Point.SAVE_MAIL, changes, now=samples.at(60))

    assert await store.retry_mail(MailId(1))

    known = await store.look_up(Wanted(fingerprints=frozenset({"f1"})))
    (claimed,) = await claim(store, samples, minutes=60)
    assert (claimed.id, claimed.attempts) == (1, 1)
    assert known.taken == {}


async def test_a_mail_that_was_kept_without_its_bytes_is_not_tried_again(store: Store, samples: Samples) -> None:
    """Too large to be taken: there is nothing to handle."""
    await store.accept([replace(samples.mail(1), raw=b"", outcome=Outcome.PARKED)])

    assert not await store.retry_mail(MailId(1))


async def test_a_mail_that_was_handled_is_not_tried_again(store: Store, samples: Samples) -> None:
    await store.accept([samples.mail(1), samples.mail(2)])
    await store.save(Point.SAVE_MAIL, Changes(outcomes=(samples.ended(1),)), now=samples.at(60))

    assert not await store.retry_mail(MailId(1))
    assert not await store.retry_mail(MailId(2))
    assert not await store.retry_mail(MailId(99))


async def test_mails_are_listed_newest_first(store: Store, samples: Samples) -> None:
    await store.accept([samples.mail(number) for number in (1, 2, 3)])
    await store.accept([replace(samples.mail(4), mailbox=MailboxName("sales"))])
    await store.save(Point.SAVE_MAIL, Changes(outcomes=(samples.ended(2),)), now=samples.at(60))

    async def listed(
        *,
        outcome: str | None = None,
        mailbox: str | None = None,
        since: float | None = None,
        after: int | None = None,
        count: int = 10,
    ) -> list[int]:
        rows = await store.list_mails(
            MailFilter(
                outcome=outcome,
                mailbox=mailbox,
                since=None if since is None else samples.at(since),
                after=None if after is None else MailId(after),
            ),
            limit_count=count,
        )
        return [row.id for row in rows]

    assert await listed() == [4, 3, 2, 1]
    assert await listed(count=2) == [4, 3]
    assert await listed(mailbox="desk") == [3, 2, 1]
    assert await listed(since=2) == [4, 3, 2]
    assert await listed(outcome="new-case") == [2]
    assert await listed(outcome="pending", mailbox="desk", since=2) == [3]
    assert await listed(after=3) == [2, 1]
    assert await listed(outcome="pending", after=3) == [1]
    assert await store.count_mails(MailFilter()) == 4
    assert await store.count_mails(MailFilter(mailbox="desk", after=MailId(3))) == 2
    assert await store.count_mails(MailFilter(outcome="pending", since=samples.at(2))) == 2


# ---- mail that is not handled yet ------------------------------------------------------------------------------------


async def test_the_oldest_pending_mail_is_found_by_its_arrival_claimed_or_not(store: Store, samples: Samples) -> None:
    """Windows wait for it (docs/decisions/0002)."""
    none = await store.oldest_pending_at()
    await store.accept([samples.mail(1, minutes=5), samples.mail(2, minutes=3)])
    await store.claim_inbox(now=samples.at(9), limit_count=1, limit_bytes=1, lease_until=samples.at(20))
    claimed = await store.oldest_pending_at()

    await store.save(Point.SAVE_MAIL, Changes(outcomes=(samples.ended(2),)), now=samples.at(9))

    assert (none, claimed, await store.oldest_pending_at()) == (None, samples.at(3), samples.at(5))
