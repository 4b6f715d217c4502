"""Reads a suspect mail in a process of its own, with a deadline and a memory limit (DESIGN 8, Poison).

The child only proves that the mail can be read; its result is thrown away, so nothing that a mail could do to it
reaches the daemon. What passes here is then read by the daemon itself, which is deterministic.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import sys
from datetime import timedelta

from mailcase.mail import bounce, reading


async def probe(raw: bytes, *, limit: timedelta, memory_bytes: int) -> str | None:
    """None when the mail can be read within the limits, else why it cannot.

    Raises OSError when no process is to be had.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        # Not the folder that the daemon was started in: a file there must not take the place of a module.
        "-P",
        "-m",
        __name__,
        str(memory_bytes),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(limit.total_seconds()):
            await child.communicate(raw)
    except TimeoutError:
        return f"reading it takes longer than {limit.total_seconds():g} s"
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    if child.returncode == 0:
        return None
    return f"the process that reads it ended with {child.returncode}"


def _read_within(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    raw = sys.stdin.buffer.read()
    bounce.read_bounce(reading.read(raw), raw)


if __name__ == "__main__":
    _read_within(int(sys.argv[1]))
