"""Waiting in tests for what a daemon does in its own time: asked again and again, with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

#: Nothing in these tests takes that long; a test that waits for more has found a fault.
DEADLINE_SECONDS = 30.0
_EVERY_SECONDS = 0.02


async def eventually(
    found: Callable[[], Awaitable[T]], what: str = "what was waited for", *, within_seconds: float = DEADLINE_SECONDS
) -> T:
    """The first answer that is true. Fails with `what` and the last answer when none comes in time."""
    answer: T | None = None
    try:
        async with asyncio.timeout(within_seconds):
            while not (answer := await found()):  # noqa: ASYNC110 - the answer lies in another process, or behind sockets
                await asyncio.sleep(_EVERY_SECONDS)
    except TimeoutError as error:
        raise AssertionError(f"{what} did not come; the last answer was {answer!r}") from error
    return answer
