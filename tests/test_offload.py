"""One daemon thread per owner of blocking work."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from mailcase.offload import Abandoned, OwnedThread

DEADLINE_SECONDS = 20.0


async def test_calls_run_one_after_the_other_on_one_thread_that_is_not_the_loop() -> None:
    worker = OwnedThread("desk")
    threads: list[threading.Thread] = []

    await asyncio.gather(*(worker.run(lambda: threads.append(threading.current_thread())) for _call in range(5)))
    worker.abandon()

    assert len(threads) == 5
    assert set(threads) == {threads[0]}
    assert threads[0] is not threading.current_thread()
    assert (threads[0].daemon, threads[0].name) == (True, "desk")


async def test_the_result_or_the_error_comes_back() -> None:
    worker = OwnedThread("desk")

    assert await worker.run(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await worker.run(lambda: 1 // 0)
    worker.abandon()


async def test_an_abandoned_worker_lets_nobody_wait_and_does_its_last_call_when_it_can() -> None:
    worker, begun, hang, last = OwnedThread("desk"), threading.Event(), threading.Event(), threading.Event()

    def hanging() -> None:
        begun.set()
        hang.wait(DEADLINE_SECONDS)

    waiting = asyncio.create_task(worker.run(hanging))
    behind = asyncio.create_task(worker.run(lambda: None))
    # A call that had not begun would be left out, and the last call would come at once.
    assert await asyncio.to_thread(begun.wait, DEADLINE_SECONDS)

    worker.abandon(last.set)
    worker.abandon()

    for task in (waiting, behind):
        with pytest.raises(Abandoned):
            await task
    with pytest.raises(Abandoned):
        await worker.run(lambda: None)
    assert not last.is_set()
    hang.set()
    assert await asyncio.to_thread(last.wait, DEADLINE_SECONDS)


async def test_a_call_that_nobody_waits_for_any_longer_is_not_begun() -> None:
    worker, hang, begun = OwnedThread("desk"), threading.Event(), threading.Event()
    first = asyncio.create_task(worker.run(lambda: hang.wait(DEADLINE_SECONDS)))
    second = asyncio.create_task(worker.run(begun.set))
    await asyncio.sleep(0)

    second.cancel()
    await asyncio.sleep(0)
    hang.set()
    await first
    await worker.run(lambda: None)
    worker.abandon()

    assert not begun.is_set()


def test_a_hung_call_does_not_keep_the_program_from_ending() -> None:
    """The reason not to use a thread pool."""
    program = """
import asyncio, threading
from mailcase.offload import OwnedThread

async def main():
    worker = OwnedThread("hung")
    task = asyncio.create_task(worker.run(threading.Event().wait))
    await asyncio.sleep(0)
    task.cancel()

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], timeout=DEADLINE_SECONDS, capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (0, b"")
