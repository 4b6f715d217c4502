"""How everything stands, in numbers: contract of `Store.standing`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tests.store.conftest import DESK, Samples

from mailcase.core.case import MailboxName, Status
from mailcase.store.port import Point, Store
from mailcase.store.rows.changes import Changes
from mailcase.store.rows.inbox import Outcome
from mailcase.store.rows.outbox import DeliveryId, DeliveryResult, DeliveryState
from mailcase.store.rows.standing import Some, Standing, StandingOf

NOTHING = Some(count=0, oldest_at=None)


async def counted(store: Store, samples: Samples, *, minutes: float, recent_minutes: float = 0) -> Standing:
    """As it stands then; tomorrow begins an hour later."""
    of = StandingOf(
        now=samples.at(minutes), tomorrow_at=samples.at(minutes + 60), recent_since=samples.at(recent_minutes)
    )
    return await store.standing(of)


async def test_of_nothing_there_is_nothing(store: Store, samples: Samples) -> None:
    standing = await counted(store, samples, minutes=0)

    assert (standing.cases, standing.backlog, standing.deliveries) == ({}, {}, {})
    assert (standing.held_windows, standing.held_deliveries, standing.waiting_deliveries) == (NOTHING,) * 3


async def test_cases_are_counted_by_status_and_those_at_work_by_their_due_date(store: Store, samples: Samples) -> None:
    """SL-9: the due moment itself is past; what is resolved or closed has no colour."""
    rows = [
        (1, Status.TO_DO, 100),
        (2, Status.IN_PROGRESS, 101),
        (3, Status.WAITING, 159),
        (4, Status.WAITING, 160),
        (5, Status.TO_DO, None),
        (6, Status.RESOLVED, 50),
        (7, Status.CLOSED, 50),
        (8, Status.DRAFT, None),
    ]
    for number, status, due in rows:
        case = samples.case(number, status=status)
        case = replace(case, due_at=None if due is None else samples.at(due))
        await store.save(Point.COMMAND, Changes(cases=(samples.saved(case),)), now=samples.start)

    standing = await counted(store, samples, minutes=100)

    assert standing.cases == {
        Status.TO_DO: 2,
        Status.IN_PROGRESS: 1,
        Status.WAITING: 2,
        Status.RESOLVED: 1,
        Status.CLOSED: 1,
        Status.DRAFT: 1,
    }
    assert (standing.past_due_count, standing.due_today_count, standing.due_later_count) == (1, 2, 1)


async def test_a_window_is_held_once_its_end_has_come(store: Store, samples: Samples) -> None:
    for number, window in ((1, 30), (2, 40), (3, 41)):
        await store.save(Point.COMMAND, samples.new_case(number, window=window), now=samples.start)

    assert (await counted(store, samples, minutes=40)).held_windows == Some(count=2, oldest_at=samples.at(30))


async def test_the_backlog_is_told_by_mailbox(store: Store, samples: Samples) -> None:
    shop = MailboxName("shop")
    mails = [samples.mail(1), samples.mail(2), replace(samples.mail(3), mailbox=shop)]
    taken = await store.accept(mails)
    await store.save(Point.SAVE_MAIL, Changes(outcomes=(samples.ended(taken[0].mail_id),)), now=samples.start)

    standing = await counted(store, samples, minutes=100)

    assert standing.backlog == {
        DESK: Some(count=1, oldest_at=samples.at(2)),
        shop: Some(count=1, oldest_at=samples.at(3)),
    }


async def test_mail_set_aside_is_counted_and_what_is_old_apart(store: Store, samples: Samples) -> None:
    outcomes = (Outcome.UNHANDLED, Outcome.UNHANDLED, Outcome.PARKED, Outcome.NEW_CASE)
    taken = await store.accept([samples.mail(number) for number in range(1, 5)])
    ended = tuple(samples.ended(row.mail_id, outcome=outcome) for row, outcome in zip(taken, outcomes, strict=True))
    await store.save(Point.SAVE_MAIL, Changes(outcomes=ended), now=samples.start)

    standing = await counted(store, samples, minutes=100, recent_minutes=2)

    assert (standing.unhandled_count, standing.unhandled_recent_count) == (2, 1)
    assert (standing.parked_count, standing.parked_recent_count) == (1, 1)


async def test_deliveries_are_told_by_state_and_those_that_are_held_apart(store: Store, samples: Samples) -> None:
    await store.save(Point.COMMAND, samples.new_case(1), now=samples.start)
    mails = (
        samples.outgoing(1, 1, "a@example.net"),
        samples.outgoing(2, 1, "b@example.net", "c@example.net"),
        samples.outgoing(3, 1, "d@example.net", held=True),
        samples.outgoing(4, 1, "e@example.net"),
    )
    await store.save(Point.COMMAND, Changes(outgoing=mails), now=samples.start)
    await store.claim_outbox(now=samples.at(60), limit_count=10, lease_until=samples.at(65))
    results = (
        DeliveryResult(id=DeliveryId(10), state=DeliveryState.FAILED, reply="550"),
        DeliveryResult(id=DeliveryId(20), state=DeliveryState.DEFERRED, reply="450", next_at=samples.at(70)),
        DeliveryResult(id=DeliveryId(21), state=DeliveryState.UNKNOWN, reply="cut"),
        DeliveryResult(id=DeliveryId(40), state=DeliveryState.SENT, reply="250"),
    )
    await store.save(Point.SETTLE, Changes(results=results), now=samples.at(61))

    standing = await counted(store, samples, minutes=100, recent_minutes=1.5)

    assert standing.deliveries == {DeliveryState.FAILED: 1, DeliveryState.DEFERRED: 1, DeliveryState.UNKNOWN: 1}
    assert (standing.failed_recent_count, standing.unknown_recent_count) == (0, 1)
    assert standing.held_deliveries == Some(count=1, oldest_at=samples.at(3))
    assert standing.waiting_deliveries == Some(count=1, oldest_at=samples.at(2))
    assert samples.at(2) - samples.start == timedelta(minutes=2)
