"""How far each mailbox has been read, so that windows wait for the mail (docs/decisions/0002)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailcase.clock import SteppedClock
from mailcase.config.reader import load
from mailcase.config.settings import ListenerSource, Settings
from mailcase.core.case import MailboxName
from mailcase.inbound.progress import ListenerPresence, Progress
from mailcase.store.rows.inbox import NewMail
from mailcase.store.rows.mailboxes import MailboxState
from mailcase.store.sqlite import SqliteStore

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BEGINNING = datetime.min.replace(tzinfo=UTC)
DESK, SHOP, OFF = MailboxName("desk"), MailboxName("shop"), MailboxName("off")
RETRY = timedelta(minutes=70)
SETTINGS = """\
store: mailcase.db
processes: {enquiry: {}}
mailboxes:
  desk:
    receive: {kind: smtp, listen: "127.0.0.1:2525"}
    addresses: [support@example.org]
    fallback: enquiry
  shop:
    receive: {kind: smtp, listen: "127.0.0.1:2526"}
    addresses: [sales@example.org]
    fallback: enquiry
  off:
    enabled: false
    receive: {kind: smtp, listen: "127.0.0.1:2527"}
    addresses: [old@example.org]
    fallback: enquiry
"""


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(START)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "mailcase.yaml").write_text(SETTINGS, encoding="utf-8")
    return load(tmp_path / "mailcase.yaml", environment={}, needs_secrets=False)


@pytest.fixture
async def store(tmp_path: Path, clock: SteppedClock) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(tmp_path / "mailcase.db", clock=clock)
    yield store
    await store.close()


@pytest.fixture
def progress(settings: Settings, store: SqliteStore, clock: SteppedClock) -> Progress:
    return Progress(settings.mailboxes, store=store, clock=clock, under_way_since=lambda: None)


@pytest.fixture
def presence(settings: Settings, store: SqliteStore, clock: SteppedClock) -> ListenerPresence:
    source = settings.mailboxes[DESK].source
    assert isinstance(source, ListenerSource)
    return ListenerPresence(DESK, source, store=store, clock=clock)


async def looked(store: SqliteStore, mailbox: MailboxName, read_through_at: datetime | None) -> None:
    state = MailboxState(
        mailbox=mailbox, account=None, read_through_at=read_through_at, checked_at=START, last_error=None
    )
    await store.save_mailbox(state)


# Mailboxes


async def test_all_mailboxes_concerned_have_been_read_through_to_the_least_of_their_times(
    progress: Progress, store: SqliteStore
) -> None:
    await looked(store, DESK, START - timedelta(minutes=1))
    await looked(store, SHOP, START - timedelta(minutes=5))

    read_through = await progress.read_through()

    assert read_through([DESK]) == START - timedelta(minutes=1)
    assert read_through([DESK, SHOP]) == START - timedelta(minutes=5)


async def test_a_mailbox_that_was_never_looked_into_holds_everything(progress: Progress, store: SqliteStore) -> None:
    await looked(store, SHOP, None)

    read_through = await progress.read_through()

    assert (read_through([DESK]), read_through([SHOP])) == (BEGINNING, BEGINNING)


async def test_mailboxes_that_are_gone_or_switched_off_do_not_count(progress: Progress, store: SqliteStore) -> None:
    await looked(store, DESK, START - timedelta(minutes=1))

    read_through = await progress.read_through()

    assert read_through([DESK, OFF, MailboxName("gone")]) == START - timedelta(minutes=1)
    assert read_through([OFF]) == START


async def test_mail_that_is_ours_and_not_handled_yet_holds_to_its_arrival(
    progress: Progress, store: SqliteStore
) -> None:
    await looked(store, DESK, START)
    arrivals = [START - timedelta(minutes=minutes) for minutes in (3, 9)]
    await store.accept([waiting_mail(number, arrived_at) for number, arrived_at in enumerate(arrivals)])

    before = (await progress.read_through())([DESK])
    await store.claim_inbox(now=START, limit_count=1, limit_bytes=1, lease_until=START + timedelta(minutes=5))
    while_claimed = (await progress.read_through())([DESK])

    assert (before, while_claimed) == (arrivals[1], arrivals[1])


async def test_mail_that_is_being_committed_holds_to_its_arrival(
    settings: Settings, store: SqliteStore, clock: SteppedClock
) -> None:
    await looked(store, DESK, START)
    arrived_at = START - timedelta(seconds=2)

    progress = Progress(settings.mailboxes, store=store, clock=clock, under_way_since=lambda: arrived_at)

    assert (await progress.read_through())([DESK]) == arrived_at


def waiting_mail(number: int, arrived_at: datetime) -> NewMail:
    return NewMail(
        mailbox=DESK,
        source=f"smtp:{number}",
        raw=b"Subject: %d\r\n\r\n" % number,
        envelope_from=None,
        envelope_to=(),
        arrived_at=arrived_at,
        received_at=START,
    )


async def test_what_is_shown_says_where_each_mailbox_stands(
    progress: Progress, store: SqliteStore, presence: ListenerPresence
) -> None:
    progress.add_listener(DESK, presence)
    await looked(store, SHOP, START - timedelta(minutes=5))

    assert await progress.shown() == {DESK: START, SHOP: START - timedelta(minutes=5), OFF: None}


# Listeners


async def test_a_listener_has_taken_in_everything_up_to_now(
    progress: Progress, presence: ListenerPresence, clock: SteppedClock
) -> None:
    await presence.begin()
    progress.add_listener(DESK, presence)
    clock.step(timedelta(hours=3))

    assert (await progress.read_through())([DESK]) == START + timedelta(hours=3)
    assert not presence.is_after_gap()


async def test_after_a_gap_a_listener_stays_where_it_was_until_senders_have_tried_again(
    presence: ListenerPresence, store: SqliteStore, clock: SteppedClock
) -> None:
    await looked(store, DESK, START)
    clock.step(timedelta(hours=8))
    await presence.begin()

    clock.step(RETRY - timedelta(seconds=1))
    during = (presence.is_after_gap(), presence.read_through_at())
    clock.step(timedelta(seconds=1))
    afterwards = (presence.is_after_gap(), presence.read_through_at())

    assert during == (True, START)
    assert afterwards == (False, START + timedelta(hours=8) + RETRY)


async def test_a_second_stop_within_the_gap_does_not_shorten_the_first(
    settings: Settings, presence: ListenerPresence, store: SqliteStore, clock: SteppedClock
) -> None:
    await looked(store, DESK, START)
    clock.step(timedelta(hours=8))
    await presence.begin()
    clock.step(timedelta(minutes=60))
    await presence.save()

    source = settings.mailboxes[DESK].source
    assert isinstance(source, ListenerSource)
    second = ListenerPresence(DESK, source, store=store, clock=clock)
    await second.begin()
    clock.step(timedelta(minutes=60))

    assert second.read_through_at() == START


async def test_a_listener_that_saves_where_it_is_loses_no_more_than_that(
    settings: Settings, presence: ListenerPresence, store: SqliteStore, clock: SteppedClock
) -> None:
    await presence.begin()
    clock.step(timedelta(hours=1))
    await presence.save()
    clock.step(timedelta(hours=5))

    source = settings.mailboxes[DESK].source
    assert isinstance(source, ListenerSource)
    next_life = ListenerPresence(DESK, source, store=store, clock=clock)
    await next_life.begin()

    assert next_life.read_through_at() == START + timedelta(hours=1)


# ---- a clock that was ahead ------------------------------------------------------------------------------------------


async def test_a_mailbox_said_to_be_read_up_to_the_future_holds_its_windows_until_it_is_read_again(
    progress: Progress, store: SqliteStore, clock: SteppedClock
) -> None:
    """R14: an hour later the time that was written down would have come, and nobody would have read the mail."""
    await looked(store, SHOP, START + timedelta(minutes=59))
    at_once = (await progress.read_through())([SHOP])
    await progress.forget_future()
    clock.step(timedelta(hours=2))
    later = (await progress.read_through())([SHOP])
    await looked(store, SHOP, clock.now())

    assert at_once < START - timedelta(days=365)
    assert later < START - timedelta(days=365)
    assert (await progress.read_through())([SHOP]) == START + timedelta(hours=2)


async def test_a_listener_whose_record_is_of_the_future_knows_nothing_of_the_gap_and_waits_it_out(
    progress: Progress, presence: ListenerPresence, store: SqliteStore, clock: SteppedClock
) -> None:
    """R14."""
    await looked(store, DESK, START + timedelta(days=3653))
    await presence.begin()
    progress.add_listener(DESK, presence)
    await progress.forget_future()
    within = (await progress.read_through())([DESK])
    clock.step(timedelta(minutes=70))

    assert within < START - timedelta(days=365)
    assert (await progress.read_through())([DESK]) == START + timedelta(minutes=70)
