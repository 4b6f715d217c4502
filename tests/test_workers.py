"""The loops by themselves: claims and their ends, races between connections, what a failing store leaves in hand."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
import structlog
from tests.e2e.hindrance import Hindrance
from tests.e2e.house import LISTENER, MARIE, START, mail_text, settings_in
from tests.handlers.reading_here import reads_here
from tests.servers.eventually import eventually

from mailcase.app import App, World, open_app
from mailcase.clock import SteppedClock
from mailcase.config.settings import Limits, Outgoing, OutgoingMode
from mailcase.core.case import CaseId, MailboxName, Status
from mailcase.errors import AppError, StoreUnavailable
from mailcase.handlers.delivery import DeliveryHandler
from mailcase.handlers.mail import MailHandler
from mailcase.handlers.tick import ReadThrough, TickHandler
from mailcase.inbound.protocol import Request
from mailcase.outbound.port import Attempt, BeforeData
from mailcase.outbound.retry import result_of
from mailcase.store.port import Hook, Point
from mailcase.store.rows.inbox import MailFilter, NewMail, Outcome
from mailcase.store.rows.outbox import ClaimedOutgoing, DeliveryId, DeliveryState
from mailcase.wakes import Wakes
from mailcase.workers.due import DueWorker
from mailcase.workers.inbox import InboxWorker
from mailcase.workers.outbox import OutboxWorker

DESK = MailboxName("desk")
SEND = Outgoing(mode=OutgoingMode.SEND)
HOLD = Outgoing(mode=OutgoingMode.HOLD)


@dataclass
class Relay:
    """In the place of a mail server: takes every mail, or does at the right moment what a test wants done."""

    taken: list[int] = field(default_factory=list)
    answer: DeliveryState = DeliveryState.SENT
    before: Callable[[ClaimedOutgoing], Awaitable[None]] | None = None
    after: Callable[[ClaimedOutgoing], Awaitable[None]] | None = None

    def session(self) -> Relay:
        return self

    async def send(self, mail: ClaimedOutgoing, *, before_data: BeforeData) -> tuple[Attempt, ...]:
        state, reply = self.answer, "as the test says"
        if self.before is not None:
            await self.before(mail)
        try:
            await before_data([delivery.id for delivery in mail.deliveries])
        except AppError as error:
            state, reply = DeliveryState.QUEUED, str(error)
        else:
            self.taken.append(mail.id)
            if self.after is not None:
                await self.after(mail)
        return tuple(Attempt(id=delivery.id, state=state, reply=reply) for delivery in mail.deliveries)

    async def close(self) -> None: ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


@dataclass
class Bench:
    """The services of an installation without a daemon; a test runs the loops itself."""

    app: App
    clock: SteppedClock

    async def accepts(self, count: int, *, mailbox: MailboxName = DESK) -> None:
        mails = [
            NewMail(
                mailbox=mailbox,
                source=f"imap:INBOX:1:{number}",
                raw=mail_text(number, subject=f"Mail {number}").replace(
                    MARIE.encode(), f"m{number}@c.example".encode()
                ),
                envelope_from=None,
                envelope_to=(),
                arrived_at=self.clock.now(),
                received_at=self.clock.now(),
            )
            for number in range(count)
        ]
        await self.app.store.accept(mails)

    async def attempts(self) -> list[int]:
        rows = await self.app.store.list_mails(MailFilter(), limit_count=100)
        return [row.attempts for row in rows]

    async def pending(self) -> int:
        return await self.app.store.pending_count()

    async def states(self) -> list[str]:
        rows = await self.app.store.list_deliveries(state=None, limit_count=1000)
        return sorted(row.state.value for row in rows)

    def outbox(self, relay: Relay, *, outgoing: Outgoing = SEND) -> OutboxWorker:
        return OutboxWorker(
            store=self.app.store,
            outlet=relay,
            handler=DeliveryHandler(self.app._transactions, limits=self.app.settings.limits),
            clock=self.clock,
            entropy=self.app.world.entropy,
            wakes=self.app.wakes,
            limits=self.app.settings.limits,
            outgoing=outgoing,
        )


@asynccontextmanager
async def bench(
    folder: Path, *, hook: Hook | None = None, limits: Limits | None = None, mailboxes: str = LISTENER
) -> AsyncIterator[Bench]:
    clock = SteppedClock(START)
    settings = settings_in(folder, limits=limits, mailboxes=mailboxes)
    async with open_app(settings, World(clock=clock, hook=hook, reads=reads_here())) as app:
        yield Bench(app=app, clock=clock)


# ---- waking ----------------------------------------------------------------------------------------------------------


async def test_a_stop_reaches_every_loop_that_shares_an_event() -> None:
    wakes, clock = Wakes(), SteppedClock(START)
    until = START + timedelta(days=1)
    first = asyncio.create_task(wakes.woken(wakes.outbox, clock=clock, until=until))
    await asyncio.sleep(0)
    wakes.stop()
    await first

    # The second loop was at work when the first one woke and cleared the event.
    async with asyncio.timeout(5):
        await wakes.woken(wakes.outbox, clock=clock, until=until)
    assert clock.now() < until


async def test_what_is_set_while_a_loop_works_wakes_it() -> None:
    wakes, clock = Wakes(), SteppedClock(START)
    wakes.inbox.set()

    async with asyncio.timeout(5):
        await wakes.woken(wakes.inbox, clock=clock, until=START + timedelta(days=1))

    assert not wakes.inbox.is_set()


async def test_waiting_leaves_no_task_behind() -> None:
    wakes, clock = Wakes(), SteppedClock(START)
    before = asyncio.all_tasks()
    wakes.inbox.set()
    await wakes.woken(wakes.inbox, clock=clock, until=START + timedelta(days=1))
    await wakes.woken(wakes.inbox, clock=clock, until=START)
    await asyncio.sleep(0)

    assert asyncio.all_tasks() == before


# ---- inbox -----------------------------------------------------------------------------------------------------------


async def test_a_store_that_fails_costs_no_attempt_even_when_it_cannot_take_the_mails_back(tmp_path: Path) -> None:
    """R13: given back before anything else is claimed."""
    saving, releasing = Hindrance(Point.SAVE_MAIL), Hindrance(Point.INBOX_ADMIN)

    def hook(point: Point, when: str) -> None:
        saving(point, when)
        releasing(point, when)

    async with bench(tmp_path, hook=hook) as here:
        await here.accepts(3)
        worker = here.app._inbox_worker()
        saving.begin()
        releasing.begin()
        with pytest.raises(StoreUnavailable):
            await worker.work_once()
        saving.end()
        releasing.end()
        await worker.work_once()

        assert await here.attempts() == [1, 1, 1]
        assert await here.pending() == 0


async def test_a_claim_that_is_cancelled_is_given_back_with_its_attempts(tmp_path: Path) -> None:
    """What the database thread has begun it ends, although nobody waits for it any more (R20)."""
    claiming, going_on = threading.Event(), threading.Event()

    def hook(point: Point, when: str) -> None:
        if (point, when) == (Point.CLAIM_INBOX, "before"):
            claiming.set()
            going_on.wait(20)

    async with bench(tmp_path, hook=hook) as here:
        await here.accepts(2)
        working = asyncio.create_task(here.app._inbox_worker().work_once())
        await asyncio.to_thread(claiming.wait, 20)
        working.cancel()
        await asyncio.sleep(0)
        going_on.set()
        with pytest.raises(asyncio.CancelledError):
            await working

        assert await here.attempts() == [0, 0]
        assert await here.pending() == 2


QUIET = MailboxName("quiet")
TWO_MAILBOXES = LISTENER + LISTENER.replace("desk:", "quiet:").replace("support@", "billing@")


async def test_a_backlog_of_one_mailbox_holds_up_no_other(tmp_path: Path) -> None:
    """R18: two thousand mails wait in one mailbox and the next batch is taken already; the first mail of another one is
    handled with the batch after that.
    """
    async with bench(tmp_path, mailboxes=TWO_MAILBOXES) as here:
        await here.accepts(2000)
        worker = here.app._inbox_worker()
        await worker.work_once()
        await here.accepts(1, mailbox=QUIET)

        await worker.work_once()
        await worker.work_once()

        (mail,) = await here.app.store.list_mails(MailFilter(mailbox=QUIET), limit_count=2)
        handled_of_desk = 2000 - await here.app.store.count_mails(MailFilter(mailbox=DESK, outcome=Outcome.PENDING))
        await worker._let_go()

    assert mail.outcome is not Outcome.PENDING
    assert handled_of_desk == 3 * here.app.settings.limits.inbox_batch - 1


async def test_a_mail_whose_attempts_never_finished_is_parked_without_being_read(tmp_path: Path) -> None:
    """Each attempt was counted before the work, so a daemon that died of the mail knows it (L6)."""
    async with bench(tmp_path) as here:
        await here.accepts(1)
        for _ in range(here.app.settings.limits.attempts):
            await here.app.store.claim_inbox(
                now=here.clock.now(), limit_count=1, limit_bytes=1, lease_until=here.clock.now() + timedelta(minutes=5)
            )
            await here.app.store.recover()
        await here.app._inbox_worker().work_once()
        (mail,) = await here.app.store.list_mails(MailFilter(), limit_count=1)

    assert mail.outcome is Outcome.PARKED
    assert mail.reason == "attempts-used-up: its handling did not finish in any attempt"


# ---- outbox ----------------------------------------------------------------------------------------------------------


async def test_two_connections_never_send_the_same_mail_whatever_the_clock_does(tmp_path: Path) -> None:
    """R14, R17: the clock jumps past every lease while one is about to send what the other then claims too."""
    async with bench(tmp_path) as here:
        await here.accepts(1)
        await here.app._inbox_worker().work_once()
        slow, quick = Relay(), Relay()

        async def overtaken(_mail: ClaimedOutgoing) -> None:
            if not quick.taken:
                here.clock.step(timedelta(hours=1))
                await here.outbox(quick).work_once(quick)

        slow.before = overtaken
        await here.outbox(slow).work_once(slow)

        assert len(quick.taken) == 2
        assert slow.taken == []
        assert await here.states() == ["sent", "sent"]


async def test_redirect_holds_for_mail_that_was_queued_before_it(tmp_path: Path) -> None:
    """Nothing reaches a customer by accident, however the outbox came to hold it."""
    async with bench(tmp_path) as here:
        await here.accepts(1)
        await here.app._inbox_worker().work_once()
        seen: list[str] = []

        async def look(mail: ClaimedOutgoing) -> None:
            seen.extend(delivery.address for delivery in mail.deliveries)

        relay = Relay(before=look)
        redirect = Outgoing(mode=OutgoingMode.REDIRECT, redirect_to="trial@test.example")
        await here.outbox(relay, outgoing=redirect).work_once(relay)

        assert set(seen) == {"trial@test.example"}
        assert set(await here.states()) == {"sent"}


@pytest.mark.parametrize("before", [DeliveryState.QUEUED, DeliveryState.DEFERRED])
async def test_hold_holds_mail_that_was_queued_before_it_until_it_is_released(
    tmp_path: Path, before: DeliveryState
) -> None:
    """Nothing reaches a customer by accident, however the outbox came to hold it; what a person releases goes out, also
    when it has to be tried again.
    """
    async with bench(tmp_path) as here:
        await here.accepts(1)
        await here.app._inbox_worker().work_once()
        if before is DeliveryState.DEFERRED:
            await here.outbox(busy := Relay(answer=DeliveryState.DEFERRED)).work_once(busy)
        assert await here.states() == [before] * 2
        here.clock.step(timedelta(hours=1))
        relay = Relay()

        await here.outbox(relay, outgoing=HOLD).work_once(relay)

        rows = await here.app.store.list_deliveries(state=None, limit_count=10)
        assert (relay.taken, [row.is_held for row in rows]) == ([], [True, True])

        released = rows[-1]
        await here.app.store.retry_deliveries([released.id], now=here.clock.now())
        await here.outbox(busy := Relay(answer=DeliveryState.DEFERRED), outgoing=HOLD).work_once(busy)
        here.clock.step(timedelta(hours=1))
        await here.outbox(relay, outgoing=HOLD).work_once(relay)

        assert relay.taken == [released.outgoing_id]


async def test_a_stop_gives_back_what_was_not_begun(tmp_path: Path) -> None:
    """R16."""
    async with bench(tmp_path) as here:
        await here.accepts(3)
        await here.app._inbox_worker().work_once()

        async def stop(_mail: ClaimedOutgoing) -> None:
            here.app.wakes.stop()

        relay = Relay(after=stop)
        await here.outbox(relay).work_once(relay)

        assert len(relay.taken) == 1
        assert await here.states() == ["queued"] * 5 + ["sent"]


async def test_what_a_failing_store_left_in_hand_is_queued_again_before_the_next_claim(tmp_path: Path) -> None:
    """The mail that could not be journaled was not sent."""
    journaling, settling = Hindrance(Point.JOURNAL), Hindrance(Point.SETTLE)

    def hook(point: Point, when: str) -> None:
        journaling(point, when)
        settling(point, when)

    async with bench(tmp_path, hook=hook) as here:
        await here.accepts(2)
        await here.app._inbox_worker().work_once()
        relay = Relay()
        worker = here.outbox(relay)
        journaling.begin()
        with pytest.raises(StoreUnavailable):
            await worker.work_once(relay)
        taken_meanwhile = list(relay.taken)
        journaling.end()
        while await worker.work_once(relay):
            pass

        assert taken_meanwhile == []
        assert len(relay.taken) == len(set(relay.taken)) == 4
        assert await here.states() == ["sent"] * 4


@pytest.mark.parametrize(
    ("moment", "state"), [("before", "deferred"), ("after", "unknown")], ids=["not begun", "begun"]
)
async def test_a_bug_while_sending_ends_one_attempt_and_not_the_loop(tmp_path: Path, moment: str, state: str) -> None:
    """Once it has begun, nobody knows whether the mail went out (L32)."""

    async def fail(_mail: ClaimedOutgoing) -> None:
        raise ZeroDivisionError

    relay = Relay(before=fail) if moment == "before" else Relay(after=fail)
    async with bench(tmp_path) as here:
        await here.accepts(1)
        await here.app._inbox_worker().work_once()
        with structlog.testing.capture_logs() as logs:
            await here.outbox(relay).work_once(relay)

        assert (await here.states()).count(state) == 2
    assert [entry["event"] for entry in logs].count("send_failed") == 2


async def test_a_result_whose_effect_on_the_case_fails_is_saved_all_the_same(tmp_path: Path) -> None:
    """Else the mail would be sent again, or called unknown."""
    failures = [ZeroDivisionError()]

    def hook(point: Point, when: str) -> None:
        if (point, when) == (Point.SETTLE, "before") and failures:
            raise failures.pop()

    async with bench(tmp_path, hook=hook) as here:
        await here.accepts(1)
        await here.app._inbox_worker().work_once()
        relay = Relay()
        with structlog.testing.capture_logs() as logs:
            await here.outbox(relay).work_once(relay)

        assert await here.states() == ["sent", "sent"]
    assert [entry["event"] for entry in logs].count("settle_failed") == 1


async def test_a_full_claim_wakes_the_other_connections(tmp_path: Path) -> None:
    async with bench(tmp_path, limits=Limits(outbox_batch=4)) as here:
        await here.accepts(2)
        await here.app._inbox_worker().work_once()
        here.app.wakes.outbox.clear()
        relay = Relay()
        await here.outbox(relay).work_once(relay)

        assert here.app.wakes.outbox.is_set()


@pytest.mark.parametrize(("resends", "state"), [(False, DeliveryState.UNKNOWN), (True, DeliveryState.DEFERRED)])
def test_whether_an_unknown_mail_is_sent_again_is_a_setting(resends: bool, state: DeliveryState) -> None:
    result = result_of(
        Attempt(id=DeliveryId(1), state=DeliveryState.UNKNOWN, reply="?"),
        created_at=START,
        attempts=1,
        now=START,
        limits=Limits(resend_unknown=resends),
        jitter=0,
    )

    assert result.state is state
    assert (result.next_at is not None) == resends


# ---- time ------------------------------------------------------------------------------------------------------------


async def wait_until(here: Bench, ref: str, at: datetime) -> None:
    """Ann takes a case and waits."""
    for operation, arguments in (("case.take", {}), ("case.wait", {"until": at.isoformat()})):
        request = Request(operation=operation, arguments={"ref": ref, **arguments}, as_="ann")
        await here.app.desk.answer(request, uid=None, blobs=())


async def test_a_deadline_that_comes_while_the_loop_looks_is_not_left_to_the_safety_net(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        await here.accepts(1)
        await here.app._inbox_worker().work_once()
        await wait_until(here, "1001-C", START + timedelta(seconds=5))
        worker = here.app._due_worker()
        await worker.work_once()
        here.clock.step(timedelta(seconds=6))

        assert await worker._next_look() == START + timedelta(seconds=5)
        assert await worker.work_once()


class FailingTicks(TickHandler):
    """Fails for all cases but one."""

    def __init__(self, app: App, well: CaseId) -> None:
        super().__init__(app._transactions)
        self._well = well

    async def handle(self, case_ids: Sequence[CaseId], *, read_through: ReadThrough) -> int:
        if list(case_ids) != [self._well]:
            raise ValueError("a bug")
        return await super().handle(case_ids, read_through=read_through)


async def test_cases_whose_ticks_fail_keep_none_behind_them_waiting(tmp_path: Path) -> None:
    """More of them than fit into one transaction."""
    count = 7
    last = CaseId(1000 + count)
    async with bench(tmp_path, limits=Limits(due_batch=5)) as here:
        await here.accepts(count)
        inbox = here.app._inbox_worker()
        while await inbox.work_once():
            pass
        for number in range(1, count + 1):
            await wait_until(here, f"{1000 + number}-C", START + timedelta(hours=1, seconds=number))
        here.clock.step(timedelta(hours=2))
        worker = DueWorker(
            store=here.app.store,
            handler=FailingTicks(here.app, last),
            progress=here.app.progress,
            clock=here.clock,
            wakes=here.app.wakes,
            limits=here.app.settings.limits,
        )
        with structlog.testing.capture_logs() as logs:
            await worker.work_once()
        bundle = await here.app.store.bundle(last)

    assert bundle is not None
    assert bundle.case.status is Status.TO_DO
    assert [entry["event"] for entry in logs].count("tick_failed") == count - 1


# ---- who goes first --------------------------------------------------------------------------------------------------


async def test_while_senders_wait_the_handling_rests_but_never_stops(tmp_path: Path) -> None:
    """What is durable can wait; 42 mails are three batches, with a rest behind each that ends although mail is offered
    all the time."""
    limits = Limits(inbox_rest=timedelta(milliseconds=30))
    async with bench(tmp_path, limits=limits) as here:
        await here.accepts(2 * limits.inbox_batch + 2)
        asked: list[bool] = []

        def is_offered() -> bool:
            asked.append(True)
            return True

        worker = InboxWorker(
            store=here.app.store,
            reader=here.app.world.reads(here.app._reader, limits),
            handler=MailHandler(here.app._transactions, settings=here.app.settings, book=here.app.book),
            is_offered=is_offered,
            clock=here.clock,
            wakes=here.app.wakes,
            limits=limits,
        )
        running = asyncio.create_task(worker.run())

        async def is_done() -> bool:
            return await here.pending() == 0

        await eventually(is_done, "an empty inbox")
        here.app.wakes.stop()
        await running

    assert len(asked) >= 3


async def test_a_connection_never_has_two_attempts_whose_end_is_not_kept(tmp_path: Path) -> None:
    """The bound on `unknown` after a crash: a mail is settled before the next one of its connection is journaled."""
    points: list[Point] = []

    def hook(point: Point, when: str) -> None:
        if when == "after" and point in (Point.JOURNAL, Point.SETTLE):
            points.append(point)

    async with bench(tmp_path, hook=hook) as here:
        await here.accepts(3)
        await here.app._inbox_worker().work_once()
        relay = Relay()
        await here.outbox(relay).work_once(relay)
        count = len(await here.states())

    assert points == [Point.JOURNAL, Point.SETTLE] * count
