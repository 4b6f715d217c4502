"""Never a daemon that is half dead: a blocked loop is noticed, and a part that ends takes the daemon down loudly."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
import structlog
from tests.e2e.house import START, living, settings_in
from tests.servers.eventually import eventually
from tests.servers.notify_socket import NotifySocket

from mailcase.clock import SteppedClock
from mailcase.daemon.tasks import EndedEarly

CHILD = Path(__file__).with_name("blocking_child.py")


async def test_a_daemon_whose_loop_is_blocked_gives_no_sign_of_life(tmp_path: Path) -> None:
    """R26: the service manager of this test hears what systemd would act upon."""
    settings_in(tmp_path)
    with NotifySocket(tmp_path) as heard:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(CHILD),
            str(tmp_path),
            env={**os.environ, "NOTIFY_SOCKET": heard.address, "WATCHDOG_USEC": "600000"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert process.stdout is not None
        try:
            await heard.until_said("READY=1")
            await heard.until_said("WATCHDOG=1", count=5)
            process.send_signal(signal.SIGUSR1)
            await process.stdout.readline()
            signs_count = sum(message == "WATCHDOG=1" for message in heard.read())
            with pytest.raises(AssertionError, match="did not come"):
                await heard.until_said("WATCHDOG=1", count=signs_count + 1, within_seconds=1.2)
        finally:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("part", ["InboxWorker", "DueWorker", "OutboxWorker", "presence desk", "pulse"])
async def test_a_part_that_ends_takes_the_daemon_down(tmp_path: Path, part: str) -> None:
    """With an error in the log, a clean stop of all others, and a failed exit for whoever supervises."""

    async def lived() -> None:
        async with living(settings_in(tmp_path), clock=SteppedClock(START)) as here:
            next(task for task in asyncio.all_tasks() if task.get_name() == part).cancel()
            await asyncio.wait({here.running}, timeout=10)

    with structlog.testing.capture_logs() as logs, pytest.raises(EndedEarly, match=part):
        await lived()

    events = [entry["event"] for entry in logs]
    assert [entry["task"] for entry in logs if entry["event"] == "daemon_failed"] == [part]
    assert "smtp_listener_stopped" in events
    assert "daemon_stopped" not in events


async def test_a_listener_that_stops_listening_takes_the_daemon_down(tmp_path: Path) -> None:
    """Senders would get no answer, and nobody would know."""
    clock = SteppedClock(START)

    async def lived() -> None:
        settings = settings_in(tmp_path)
        async with living(settings, clock=clock) as here:
            (part,) = here.daemon.listeners.values()
            await part.listener.stop(settings.limits.stop_within)

            async def is_over() -> bool:
                clock.step(settings.limits.loop_poll)
                return here.running.done()

            await eventually(is_over, "the end of the daemon")

    with pytest.raises(RuntimeError, match="listener of mailbox desk has stopped"):
        await lived()
