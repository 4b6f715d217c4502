"""One life of the daemon, hundreds of mails later: it holds what it held before them (R27).

What a single mail may cost at its peak is proved in tests/e2e/test_huge.py.
"""

from __future__ import annotations

import asyncio
import gc
import smtplib
import tracemalloc
from pathlib import Path

import pytest
from tests.e2e.house import MARIE, SUPPORT, House, house, mail_text
from tests.servers.eventually import eventually
from tests.servers.smtp_sink import SmtpSink

from mailcase.store.rows.outbox import DeliveryState

MAILS = 250
#: The interpreter's own pools come and go by some ten kilobytes; one object of ours kept of every mail is over it.
GROWTH_BYTES = 300 * MAILS
#: The process that reads takes memory from the kernel in larger pieces; every second mail kept is over it.
READING_GROWTH_BYTES = 4000 * MAILS
TEXT = "It smokes and smells of burnt plastic.\n" * 200


def deliver(port: int, numbers: range) -> None:
    """A mail server's connection; every fifth mail answers the one before it and joins its case."""
    with smtplib.SMTP("127.0.0.1", port, local_hostname="customer.example", timeout=60) as smtp:
        for number in numbers:
            answers = f"<{number - 1}@customer.example>" if number % 5 == 4 else ""
            smtp.sendmail(MARIE, [SUPPORT], mail_text(number, subject=f"Mail {number}", text=TEXT, answers=answers))


async def handle(here: House, sink: SmtpSink, numbers: range) -> None:
    """Everything that these mails bring about, to the last acknowledgement; the test itself keeps nothing of it."""
    store = here.app.store
    await asyncio.to_thread(deliver, here.port, numbers)

    async def is_done() -> bool:
        waiting = [await store.count_deliveries(state=state) for state in (DeliveryState.QUEUED, DeliveryState.CLAIMED)]
        return await store.pending_count() == 0 and waiting == [0, 0]

    await eventually(is_done, "the end of all work", within_seconds=120)
    sink.mails.clear()
    sink.commands.clear()


def held_bytes() -> int:
    """What this process holds of all that was made since tracing began."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def reading_bytes() -> int:
    """The memory of the process that reads mail."""
    pids = [pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]
    (reading,) = [pid for pid in pids if b"reading_child" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    status = Path(f"/proc/{reading}/status").read_text().splitlines()
    return 1024 * int(next(line for line in status if line.startswith("VmRSS")).split()[1])


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux tells the memory of a process")
async def test_mail_that_was_handled_leaves_nothing_in_memory(tmp_path: Path) -> None:
    """R27: the first mails fill every cache and pool; those after them change nothing."""
    async with house(tmp_path) as (here, sink):
        await handle(here, sink, range(MAILS))
        tracemalloc.start()
        try:
            await handle(here, sink, range(MAILS, 2 * MAILS))
            held_before, reading_before = held_bytes(), reading_bytes()

            await handle(here, sink, range(2 * MAILS, 3 * MAILS))

            async def is_back() -> bool:
                return held_bytes() - held_before < GROWTH_BYTES

            # The loops may still be ending what they had in hand.
            await eventually(is_back, "the memory that was held before", within_seconds=10)
            reading_growth = reading_bytes() - reading_before
        finally:
            tracemalloc.stop()

    assert reading_growth < READING_GROWTH_BYTES
