"""R13: what goes on happening does not fill the log."""

from __future__ import annotations

import asyncio

from tests.servers.eventually import eventually

from mailcase.seldom import Seldom


async def test_what_goes_on_is_told_once_for_each_source() -> None:
    seldom = Seldom()

    assert [seldom.count(source) for source in ("inbox", "inbox", "outbox", "inbox", "outbox")] == [1, 0, 1, 0, 0]


async def test_it_is_told_again_later_with_how_often_it_happened() -> None:
    seldom = Seldom(every_seconds=0.05)
    first = [seldom.count("inbox") for _ in range(3)]
    began = asyncio.get_running_loop().time()

    async def is_later() -> bool:
        return asyncio.get_running_loop().time() - began > 0.05

    await eventually(is_later, "the next time")

    assert first == [1, 0, 0]
    assert seldom.count("inbox") == 3
