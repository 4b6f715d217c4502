"""R12 on a real file: the kernel lets no file of the daemon grow any more, and later lets them grow again."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
from tests.crash.judge import judge
from tests.crash.lives import Installation, mail_of
from tests.servers.eventually import eventually

from mailcase.clock import SystemClock

#: What the loops may take while they wait for room; one that spins takes it all.
BUSY_SHARE = 0.5
CLOCK = SystemClock()


def cpu_seconds(pid: int) -> float:
    """Time of the processor that a process has had (proc(5): utime and stime, in hundredths)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def limit_files(pid: int, size_bytes: int) -> None:
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size_bytes, hard))


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit(2)")
async def test_a_file_that_cannot_grow_costs_no_mail(installation: Installation) -> None:
    await installation.start()
    assert await installation.offers(mail_of(1))
    await installation.until_settled()
    log = installation.folder / "state" / "mailcase.db-wal"
    limit_files(installation.pid, log.stat().st_size)
    began, used = CLOCK.monotonic(), cpu_seconds(installation.pid)

    taken = [await installation.offers(mail_of(number)) for number in (2, 3, 4)]

    async def is_patient() -> bool:
        """The loops have met it too, and wait."""
        return CLOCK.monotonic() - began > 3

    await eventually(is_patient, "some seconds without room")
    share = (cpu_seconds(installation.pid) - used) / (CLOCK.monotonic() - began)
    assert taken == [False, False, False]
    assert not installation.has_ended, installation.log
    assert share < BUSY_SHARE

    limit_files(installation.pid, resource.RLIM_INFINITY)
    for number in (2, 3, 4):

        async def is_taken(number: int = number) -> bool:
            return await installation.offers(mail_of(number))

        await eventually(is_taken, f"mail {number} taken")
    await installation.until_settled()
    verdict = await judge(installation)
    assert not verdict.lost, installation.log
    assert not verdict.double, installation.log
    await installation.stop()
