"""sd_notify as we write it, against a real socket; and the pulse, which only a running loop has."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import structlog
from tests.servers.eventually import eventually
from tests.servers.notify_socket import NotifySocket

from mailcase.clock import SystemClock
from mailcase.core.case import MailboxName
from mailcase.daemon.pulse import Pulse
from mailcase.daemon.service_manager import Nobody, Systemd, service_manager
from mailcase.errors import StoreUnavailable
from mailcase.store.port import Point
from mailcase.store.rows.mailboxes import MailboxState
from mailcase.store.sqlite import SqliteStore


class SetClock(SystemClock):
    """The machine's clock, which somebody sets."""

    ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead


async def ignore(_jump: timedelta) -> None: ...


@pytest.mark.parametrize("is_abstract", [False, True])
def test_each_state_is_one_datagram(tmp_path: Path, is_abstract: bool) -> None:
    abstract_name = f"mailcase-test-{os.getpid()}" if is_abstract else None
    with NotifySocket(tmp_path, abstract_name=abstract_name) as heard:
        manager = service_manager({"NOTIFY_SOCKET": heard.address}, clock=SystemClock())
        manager.ready()
        manager.status("2 mailboxes\nREADY=0")
        manager.alive()
        manager.stopping()

        assert heard.read() == ["READY=1", "STATUS=2 mailboxes\\x0aREADY=0", "WATCHDOG=1", "STOPPING=1"]


def test_a_reload_says_when_it_began(tmp_path: Path) -> None:
    clock = SystemClock()
    with NotifySocket(tmp_path) as heard:
        before = clock.monotonic()
        service_manager({"NOTIFY_SOCKET": heard.address}, clock=clock).reloading()
        (message,) = heard.read()

    state, when = message.split("\n")
    assert state == "RELOADING=1"
    assert before <= int(when.removeprefix("MONOTONIC_USEC=")) / 1e6 + 1e-6 <= clock.monotonic() + 1e-6


@pytest.mark.parametrize("address", ["", "relative", "@", "vsock:2:1234"])
def test_without_a_socket_of_this_machine_nobody_is_told(address: str) -> None:
    assert isinstance(service_manager({"NOTIFY_SOCKET": address}, clock=SystemClock()), Nobody)


@pytest.mark.parametrize(
    ("environment", "watchdog"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, timedelta(seconds=30)),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "77"}, timedelta(seconds=30)),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "78"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_the_one_meant_for_this_process(
    environment: dict[str, str], watchdog: timedelta | None
) -> None:
    manager = service_manager({"NOTIFY_SOCKET": "/run/x", **environment}, clock=SystemClock(), pid=77)

    assert manager.watchdog == watchdog


def test_a_manager_that_is_gone_is_said_once_and_disturbs_nothing(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as logs:
        manager = service_manager({"NOTIFY_SOCKET": str(tmp_path / "gone")}, clock=SystemClock())
        manager.alive()
        manager.alive()

    assert [entry["event"] for entry in logs] == ["service_manager_unreachable"]


def test_a_manager_that_does_not_read_never_holds_the_loop_up(tmp_path: Path) -> None:
    """The socket's buffer is full after some hundred datagrams; a blocking send would wait for ever."""
    with NotifySocket(tmp_path) as heard:
        manager = Systemd(heard.address, watchdog=None, clock=SystemClock())
        with structlog.testing.capture_logs() as logs:
            for _ in range(5000):
                manager.alive()

    assert [entry["event"] for entry in logs] == ["service_manager_unreachable"]


# ---- the pulse -------------------------------------------------------------------------------------------------------


async def test_signs_of_life_come_several_times_within_the_watchdog(tmp_path: Path) -> None:
    clock, stopping = SystemClock(), asyncio.Event()
    with NotifySocket(tmp_path) as heard:
        manager = Systemd(heard.address, watchdog=timedelta(seconds=0.3), clock=clock)
        beating = asyncio.create_task(Pulse(clock, manager, on_jump=ignore, store_answers=at_once).run(stopping))
        began = clock.monotonic()
        await heard.until_said("WATCHDOG=1", count=4)
        took = clock.monotonic() - began
        stopping.set()
        await beating

    assert took >= 0.3 * 0.9


async def test_a_blocked_loop_gives_no_sign_of_life_and_is_told_afterwards(tmp_path: Path) -> None:
    """R26."""
    clock, stopping = SystemClock(), asyncio.Event()
    with NotifySocket(tmp_path) as heard, structlog.testing.capture_logs() as logs:
        manager = Systemd(heard.address, watchdog=timedelta(seconds=0.3), clock=clock)
        beating = asyncio.create_task(Pulse(clock, manager, on_jump=ignore, store_answers=at_once).run(stopping))
        await heard.until_said("WATCHDOG=1")
        before = len(heard.read())
        blocked_until = clock.monotonic() + 1.5
        while clock.monotonic() < blocked_until:
            pass
        meanwhile = len(heard.read()) - before
        await heard.until_said("WATCHDOG=1", count=before + 1)
        stopping.set()
        await beating

    assert meanwhile == 0
    assert [entry["event"] for entry in logs] == ["loop_blocked"]


async def at_once() -> None:
    """A store that has nothing to do."""


async def test_a_store_whose_thread_does_not_come_back_stops_the_signs_of_life(tmp_path: Path) -> None:
    """R26: a disk that hangs. When it comes back before anybody acts, all is well."""
    clock, stopping, released = SystemClock(), asyncio.Event(), threading.Event()

    def hangs(point: Point, when: str) -> None:
        if point is Point.MAILBOX and when == "before":
            released.wait(10)

    store = await SqliteStore.open(tmp_path / "mailcase.db", clock=clock, hook=hangs)
    with NotifySocket(tmp_path) as heard, structlog.testing.capture_logs() as logs:
        beating = asyncio.create_task(pulse_over(store, heard, clock).run(stopping))
        await heard.until_said("WATCHDOG=1", count=4)
        saving = asyncio.create_task(store.save_mailbox(MAILBOX))

        async def is_told() -> bool:
            return [entry["event"] for entry in logs] == ["store_hangs"]

        await eventually(is_told, "a store that hangs")
        signs_count = len(heard.read())
        with pytest.raises(AssertionError, match="did not come"):
            await heard.until_said("WATCHDOG=1", count=signs_count + 1, within_seconds=0.5)
        released.set()
        await heard.until_said("WATCHDOG=1", count=signs_count + 2)
        stopping.set()
        await asyncio.gather(beating, saving)
    await store.close()

    assert [entry["event"] for entry in logs] == ["store_hangs", "store_answers_again"]


async def test_a_store_that_is_locked_is_alive(tmp_path: Path) -> None:
    """R13, R26: to start a daemon again that waits for a lock helps nobody."""
    clock, stopping = SystemClock(), asyncio.Event()
    path = tmp_path / "mailcase.db"
    store = await SqliteStore.open(path, clock=clock, busy_timeout=timedelta(milliseconds=50))
    with NotifySocket(tmp_path) as heard, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        beating = asyncio.create_task(pulse_over(store, heard, clock).run(stopping))
        for count in range(1, 10):
            with pytest.raises(StoreUnavailable):
                await store.save_mailbox(MAILBOX)
            await heard.until_said("WATCHDOG=1", count=count)
        stopping.set()
        await beating
    await store.close()


MAILBOX = MailboxState(
    mailbox=MailboxName("desk"), account=None, read_through_at=None, checked_at=None, last_error=None
)


def pulse_over(store: SqliteStore, heard: NotifySocket, clock: SystemClock) -> Pulse:
    """Of a service manager without much patience."""
    manager = Systemd(heard.address, watchdog=timedelta(seconds=0.3), clock=clock)
    return Pulse(
        clock, manager, on_jump=ignore, store_answers=store.threads_answer, least_patience=timedelta(seconds=0.3)
    )


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1), timedelta(days=3653), timedelta(days=-3653)])
async def test_a_clock_that_is_set_is_told_once(jump: timedelta) -> None:
    """R14."""
    clock, stopping = SetClock(), asyncio.Event()
    told: list[timedelta] = []

    async def on_jump(by: timedelta) -> None:
        told.append(by)
        stopping.set()

    manager = Nobody()
    manager.watchdog = timedelta(milliseconds=30)
    with structlog.testing.capture_logs() as logs:
        beating = asyncio.create_task(Pulse(clock, manager, on_jump=on_jump, store_answers=at_once).run(stopping))
        await asyncio.sleep(0)
        clock.ahead = jump
        await beating

    assert [round(by.total_seconds()) for by in told] == [round(jump.total_seconds())]
    assert [entry["event"] for entry in logs] == ["clock_jumped"]


async def test_whoever_sleeps_when_the_clock_is_set_back_does_not_sleep_for_years() -> None:
    """R14: what waited for "in a moment" would otherwise wait until that moment comes again."""
    clock = SetClock()
    sleeping = asyncio.create_task(clock.sleep_until(clock.now() + timedelta(seconds=0.2)))
    await asyncio.sleep(0)
    clock.ahead = timedelta(days=-3653)

    async with asyncio.timeout(5):
        await sleeping
