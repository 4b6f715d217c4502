"""What every filler of the port must do with mail of ours."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from mailcase.core.case import CaseId, OutgoingId
from mailcase.errors import Conflict
from mailcase.store.port import Point, Store
from mailcase.store.rows.changes import Changes
from mailcase.store.rows.outbox import (
    ClaimedOutgoing,
    DeliveryChoice,
    DeliveryId,
    DeliveryResult,
    DeliveryState,
    OutgoingMail,
)

if TYPE_CHECKING:
    from tests.store.conftest import OpenStore, Samples


async def queue(store: Store, samples: Samples, *mails: OutgoingMail) -> None:
    for number in {mail.case_id for mail in mails}:
        if await store.bundle(number) is None:
            await store.save(Point.SAVE_MAIL, samples.new_case(number), now=samples.start)
    await store.save(Point.SAVE_MAIL, Changes(outgoing=mails), now=samples.start)


async def claim(
    store: Store, samples: Samples, *, minutes: float = 60, count: int = 50, lease: float = 500, holds: bool = False
) -> tuple[ClaimedOutgoing, ...]:
    now = samples.at(minutes)
    lease_until = now + timedelta(minutes=lease)
    return await store.claim_outbox(now=now, limit_count=count, lease_until=lease_until, holds_others=holds)


async def settle(
    store: Store, samples: Samples, delivery: int, state: DeliveryState, *, next_at: datetime | None = None
) -> None:
    result = DeliveryResult(id=DeliveryId(delivery), state=state, reply="250 or so", next_at=next_at)
    await store.save(Point.SETTLE, Changes(results=(result,)), now=samples.at(60))


def numbers(claimed: tuple[ClaimedOutgoing, ...]) -> list[list[int]]:
    return [[delivery.id for delivery in mail.deliveries] for mail in claimed]


async def test_the_recipients_of_a_mail_are_claimed_together(store: Store, samples: Samples) -> None:
    mail = samples.outgoing(1, 1001, "a@example.net", "b@example.net")
    await queue(store, samples, mail)

    (claimed,) = await claim(store, samples)

    assert (claimed.raw, claimed.message_id, claimed.envelope_from) == (mail.raw, mail.message_id, mail.envelope_from)
    assert [(row.id, row.address, row.attempts) for row in claimed.deliveries] == [
        (10, "a@example.net", 0),
        (11, "b@example.net", 0),
    ]
    assert await claim(store, samples) == ()


async def test_mail_is_claimed_oldest_first_and_counted_by_mail(store: Store, samples: Samples) -> None:
    mails = [samples.outgoing(number, 1000 + number, "a@example.net", "b@example.net") for number in (3, 1, 2)]
    await queue(store, samples, *mails)

    assert numbers(await claim(store, samples, count=2)) == [[10, 11], [20, 21]]
    assert numbers(await claim(store, samples, count=2)) == [[30, 31]]


async def test_a_recipient_of_a_case_is_served_in_order(store: Store, samples: Samples) -> None:
    """Also while the earlier delivery is claimed or deferred."""
    await queue(store, samples, samples.outgoing(1, 1001), samples.outgoing(2, 1001), samples.outgoing(3, 1002))

    assert numbers(await claim(store, samples)) == [[10], [30]]
    assert await claim(store, samples) == ()

    await settle(store, samples, 10, DeliveryState.DEFERRED, next_at=samples.at(90))
    assert await claim(store, samples) == ()
    assert numbers(await claim(store, samples, minutes=90)) == [[10]]

    await settle(store, samples, 10, DeliveryState.SENT)
    assert numbers(await claim(store, samples)) == [[20]]


async def test_only_the_recipients_who_are_first_in_their_line_are_claimed(store: Store, samples: Samples) -> None:
    await queue(
        store,
        samples,
        samples.outgoing(1, 1001, "a@example.net"),
        samples.outgoing(2, 1001, "a@example.net", "b@x.net"),
    )

    assert numbers(await claim(store, samples)) == [[10], [21]]
    await settle(store, samples, 10, DeliveryState.FAILED)
    assert numbers(await claim(store, samples)) == [[20]]


async def test_a_mail_is_not_claimed_before_its_time(store: Store, samples: Samples) -> None:
    await queue(store, samples, samples.outgoing(30, 1001))

    assert await claim(store, samples, minutes=29) == ()
    assert await store.next_delivery_at() == samples.at(30)
    assert numbers(await claim(store, samples, minutes=30)) == [[300]]
    assert await store.next_delivery_at() is None


async def test_the_next_time_is_that_of_a_delivery_that_can_be_claimed(store: Store, samples: Samples) -> None:
    """One behind a deferred one would wake the loop for nothing, again and again."""
    await queue(store, samples, samples.outgoing(1, 1001), samples.outgoing(2, 1001))
    await claim(store, samples)

    await settle(store, samples, 10, DeliveryState.DEFERRED, next_at=samples.at(90))

    assert await store.next_delivery_at() == samples.at(90)


async def test_a_held_mail_waits_for_its_release_and_holds_up_no_other(store: Store, samples: Samples) -> None:
    await queue(store, samples, samples.outgoing(1, 1001, held=True), samples.outgoing(2, 1001))

    assert numbers(await claim(store, samples)) == [[20]]
    await settle(store, samples, 20, DeliveryState.SENT)
    assert await store.next_delivery_at() is None

    assert await store.retry_deliveries([DeliveryId(10)], now=samples.at(61))
    assert numbers(await claim(store, samples, minutes=61)) == [[10]]


async def test_attempts_are_counted_by_the_journal(store: Store, samples: Samples) -> None:
    """L32: committed just before DATA."""
    await queue(store, samples, samples.outgoing(1, 1001))
    await claim(store, samples)

    await store.journal([DeliveryId(10)], now=samples.at(60))
    await settle(store, samples, 10, DeliveryState.DEFERRED, next_at=samples.at(60))

    (claimed,) = await claim(store, samples)
    assert claimed.deliveries[0].attempts == 1


async def test_an_attempt_begins_once(store: Store, samples: Samples) -> None:
    """R3: whoever lost the claim, or comes second, must not send."""
    await queue(store, samples, samples.outgoing(1, 1001), samples.outgoing(2, 1002))
    with pytest.raises(Conflict):
        await store.journal([DeliveryId(10)], now=samples.at(60))
    await claim(store, samples)
    await store.journal([DeliveryId(10)], now=samples.at(60))

    with pytest.raises(Conflict):
        await store.journal([DeliveryId(20), DeliveryId(10)], now=samples.at(60))

    untouched = await store.delivery(DeliveryId(20))
    assert untouched is not None
    assert untouched.attempts == 0


async def test_a_lapsed_claim_is_claimed_again_unless_its_attempt_began(store: Store, samples: Samples) -> None:
    await queue(store, samples, samples.outgoing(1, 1001), samples.outgoing(2, 1002))
    await claim(store, samples, lease=5)
    await store.journal([DeliveryId(20)], now=samples.at(60))

    assert await claim(store, samples, minutes=64) == ()
    assert numbers(await claim(store, samples, minutes=65)) == [[10]]


@pytest.mark.parametrize("state", [DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.UNKNOWN])
async def test_a_settled_delivery_is_over(store: Store, samples: Samples, state: DeliveryState) -> None:
    await queue(store, samples, samples.outgoing(1, 1001))
    await claim(store, samples)
    await store.journal([DeliveryId(10)], now=samples.at(60))

    await settle(store, samples, 10, state)

    row = await store.delivery(DeliveryId(10))
    assert row is not None
    assert (row.state, row.last_reply, row.next_at, row.attempts) == (state, "250 or so", None, 1)
    assert await claim(store, samples, minutes=10_000) == ()


@pytest.mark.parametrize("late", [DeliveryState.QUEUED, DeliveryState.DEFERRED])
async def test_a_late_word_from_a_lapsed_claim_sends_nothing_again(
    store: Store, samples: Samples, late: DeliveryState
) -> None:
    """R17: it was sent by whoever claimed it next."""
    await queue(store, samples, samples.outgoing(1, 1001))
    await claim(store, samples, lease=5)
    await claim(store, samples, minutes=65)
    await store.journal([DeliveryId(10)], now=samples.at(65))
    await settle(store, samples, 10, DeliveryState.QUEUED)
    await settle(store, samples, 10, DeliveryState.SENT)

    await settle(store, samples, 10, late, next_at=samples.at(66))

    row = await store.delivery(DeliveryId(10))
    assert row is not None
    assert row.state is DeliveryState.SENT
    assert await claim(store, samples, minutes=1000) == ()


async def test_a_delivery_given_back_keeps_its_time(store: Store, samples: Samples) -> None:
    await queue(store, samples, samples.outgoing(1, 1001))
    await claim(store, samples)

    await settle(store, samples, 10, DeliveryState.QUEUED)

    assert await store.next_delivery_at() == samples.at(1)
    assert numbers(await claim(store, samples)) == [[10]]


async def test_a_start_tells_interrupted_attempts_from_mere_claims(open_store: OpenStore, samples: Samples) -> None:
    """Between DATA and C5 one mail may have gone out."""
    store = await open_store()
    await queue(store, samples, samples.outgoing(1, 1001), samples.outgoing(2, 1002))
    await claim(store, samples)
    await store.journal([DeliveryId(10)], now=samples.at(60))
    await store.close()
    store = await open_store()

    recovered = await store.recover()

    assert [(row.id, row.state, row.attempts) for row in recovered.unknown] == [(10, DeliveryState.UNKNOWN, 1)]
    assert recovered.outbox_released == 1
    assert numbers(await claim(store, samples, minutes=61)) == [[20]]


async def test_an_interrupted_attempt_is_told_until_its_result_is_saved(store: Store, samples: Samples) -> None:
    """Else a crash just after the recovery would hide it from its case."""
    await queue(store, samples, samples.outgoing(1, 1001))
    await claim(store, samples)
    await store.journal([DeliveryId(10)], now=samples.at(60))
    await store.recover()

    again = await store.recover()
    await settle(store, samples, 10, DeliveryState.UNKNOWN)
    afterwards = await store.recover()

    assert [row.id for row in again.unknown] == [10]
    assert afterwards.unknown == ()


# ---- the operator's desk


@pytest.mark.parametrize("state", [DeliveryState.FAILED, DeliveryState.UNKNOWN, DeliveryState.DEFERRED])
async def test_a_delivery_can_be_tried_again(store: Store, samples: Samples, state: DeliveryState) -> None:
    await queue(store, samples, samples.outgoing(1, 1001))
    await claim(store, samples)
    later = samples.at(999) if state is DeliveryState.DEFERRED else None
    await settle(store, samples, 10, state, next_at=later)

    assert await store.retry_deliveries([DeliveryId(10)], now=samples.at(61))

    assert numbers(await claim(store, samples, minutes=61)) == [[10]]


async def test_a_delivery_in_hand_or_sent_is_not_tried_again(store: Store, samples: Samples) -> None:
    await queue(store, samples, samples.outgoing(1, 1001))
    await claim(store, samples)
    assert not await store.retry_deliveries([DeliveryId(10)], now=samples.at(60))
    await settle(store, samples, 10, DeliveryState.SENT)

    assert not await store.retry_deliveries([DeliveryId(10)], now=samples.at(60))
    assert not await store.retry_deliveries([DeliveryId(99)], now=samples.at(60))


async def test_what_waits_is_released_once_before_a_hold_that_is_yet_to_begin(store: Store, samples: Samples) -> None:
    """`outgoing: hold` takes hold with the next claim; what a person has released before goes out all the same."""
    await queue(store, samples, samples.outgoing(1, 1001), samples.outgoing(2, 1001))

    assert await store.retry_deliveries([DeliveryId(10)], now=samples.at(60)) == (10,)
    assert await store.retry_deliveries([DeliveryId(10)], now=samples.at(60)) == ()

    assert numbers(await claim(store, samples, minutes=61, holds=True)) == [[10]]


async def test_several_deliveries_are_changed_at_once_and_those_that_cannot_be_are_left(
    store: Store, samples: Samples
) -> None:
    await queue(store, samples, *(samples.outgoing(number, 1000 + number) for number in (1, 2, 3)))
    await claim(store, samples)
    await settle(store, samples, 10, DeliveryState.UNKNOWN)
    await settle(store, samples, 20, DeliveryState.SENT)
    await settle(store, samples, 30, DeliveryState.UNKNOWN)

    assert await store.delivery_ids(DeliveryChoice.UNKNOWN) == (10, 30)
    named = [DeliveryId(number) for number in (10, 20, 30, 99)]
    assert sorted(await store.retry_deliveries(named, now=samples.at(61))) == [10, 30]
    assert sorted(await store.cancel_deliveries(named)) == [10, 30]
    assert await store.delivery_ids(DeliveryChoice.UNKNOWN) == ()


async def test_held_deliveries_are_found_in_whatever_state_they_wait(store: Store, samples: Samples) -> None:
    await queue(store, samples, samples.outgoing(1, 1001), samples.outgoing(2, 1002))
    await claim(store, samples)
    await settle(store, samples, 10, DeliveryState.DEFERRED, next_at=samples.at(99))
    await settle(store, samples, 20, DeliveryState.SENT)
    await queue(store, samples, samples.outgoing(3, 1003, held=True), samples.outgoing(4, 1004))
    assert await store.delivery_ids(DeliveryChoice.HELD) == (30,)

    await claim(store, samples, holds=True)

    assert await store.delivery_ids(DeliveryChoice.HELD) == (10, 30, 40)
    assert [row.id for row in await store.list_deliveries(state=DeliveryChoice.HELD, limit_count=2)] == [40, 30]
    assert await store.count_deliveries(state=DeliveryChoice.HELD, after=DeliveryId(30)) == 1


async def test_a_waiting_delivery_can_be_cancelled_and_lets_the_next_pass(store: Store, samples: Samples) -> None:
    await queue(store, samples, samples.outgoing(1, 1001), samples.outgoing(2, 1001, held=True))

    assert await store.cancel_deliveries([DeliveryId(10)])
    assert await store.cancel_deliveries([DeliveryId(20)])
    assert not await store.cancel_deliveries([DeliveryId(10)])

    assert await claim(store, samples) == ()
    assert await store.retry_deliveries([DeliveryId(10)], now=samples.at(60))
    assert not await store.cancel_deliveries([DeliveryId(99)])


async def test_a_delivery_in_hand_is_not_cancelled(store: Store, samples: Samples) -> None:
    await queue(store, samples, samples.outgoing(1, 1001))
    await claim(store, samples)

    assert not await store.cancel_deliveries([DeliveryId(10)])


async def test_deliveries_are_shown_as_they_are(store: Store, samples: Samples) -> None:
    mail = samples.outgoing(1, 1001, "a@example.net", held=True)
    await queue(store, samples, mail, samples.outgoing(2, 1001), samples.outgoing(3, 1002))
    await claim(store, samples)

    row = await store.delivery(DeliveryId(10))

    assert row is not None
    assert (row.outgoing_id, row.case_id, row.kind, row.message_id, row.address) == (
        1,
        1001,
        "acknowledgement",
        mail.message_id,
        "a@example.net",
    )
    assert (row.is_held, row.attempts, row.last_reply, row.created_at) == (True, 0, None, mail.created_at)
    assert [row.id for row in await store.list_deliveries(state=None, limit_count=2)] == [30, 20]
    assert [row.id for row in await store.list_deliveries(state="claimed", limit_count=9)] == [30, 20]
    later = await store.list_deliveries(state=None, limit_count=9, after=DeliveryId(30))
    assert [row.id for row in later] == [20, 10]
    assert await store.count_deliveries(state=None) == 3
    assert await store.count_deliveries(state="claimed", after=DeliveryId(30)) == 1
    assert [row.id for row in await store.deliveries_of(CaseId(1001))] == [10, 20]
    assert await store.outgoing_raw(OutgoingId(1)) == mail.raw
    assert await store.outgoing_raw(OutgoingId(9)) is None
    assert await store.delivery(DeliveryId(99)) is None


async def test_a_message_id_is_used_once(store: Store, samples: Samples) -> None:
    await queue(store, samples, samples.outgoing(1, 1001))
    again = replace(samples.outgoing(2, 1001), message_id=samples.outgoing(1, 1001).message_id)

    with pytest.raises(Conflict):
        await store.save(Point.SAVE_MAIL, Changes(outgoing=(again,)), now=samples.start)


async def test_what_a_clock_that_was_ahead_has_put_off_is_due_now_and_nothing_else(
    store: Store, samples: Samples
) -> None:
    """R14: written ten years ahead, or put off beyond all attempts; a delivery that was put off as usual waits."""
    await store.save(Point.COMMAND, samples.new_case(1), now=samples.start)
    ahead = replace(samples.outgoing(1, 1, "a@example.net"), created_at=samples.at(5_000_000))
    usual, beyond = samples.outgoing(2, 1, "b@example.net"), samples.outgoing(3, 1, "c@example.net")
    await store.save(Point.COMMAND, Changes(outgoing=(ahead, usual, beyond)), now=samples.start)
    await store.claim_outbox(now=samples.at(10), limit_count=10, lease_until=samples.at(15))
    put_off = tuple(
        DeliveryResult(id=DeliveryId(number), state=DeliveryState.DEFERRED, reply="450", next_at=samples.at(minutes))
        for number, minutes in ((20, 30), (30, 5_000_000))
    )
    await store.save(Point.SETTLE, Changes(results=put_off), now=samples.at(11))

    count = await store.bring_forward(now=samples.at(12), retry_for=timedelta(days=5))
    claimed = await store.claim_outbox(now=samples.at(12), limit_count=10, lease_until=samples.at(15))

    assert count == 2
    assert sorted(mail.id for mail in claimed) == [1, 3]
