"""Transactions that wait together share one commit, and none pays for the failure of another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from tests.store.conftest import Samples

from mailcase.errors import Conflict
from mailcase.store.port import Hook, Point, Store
from mailcase.store.rows.cases import CaseFilter

OpenStore = Callable[[Hook | None], Awaitable[Store]]


class Gate:
    """A hook that holds the first TICK up, so that others must wait, and records every commit of theirs."""

    def __init__(self, *, dies: tuple[Point, str] | None = None) -> None:
        self.seen: list[tuple[Point, str]] = []
        self._is_inside, self._may_go_on = threading.Event(), threading.Event()
        self._dies = dies

    def __call__(self, point: Point, when: str) -> None:
        if point is Point.TICK:
            if when == "before":
                self._is_inside.set()
                self._may_go_on.wait(20)
            return
        self.seen.append((point, when))
        if (point, when) == self._dies:
            raise ZeroDivisionError

    async def passes_together(self, store: Store, samples: Samples, *calls: Coroutine[Any, Any, Any]) -> list[Any]:
        """Makes the calls while the writer is busy; what each returned or raised."""
        first = asyncio.create_task(store.save(Point.TICK, samples.new_case(1001), now=samples.start))
        await asyncio.to_thread(self._is_inside.wait, 20)
        tasks = [asyncio.create_task(call) for call in calls]
        await asyncio.sleep(0)
        self._may_go_on.set()
        await first
        return await asyncio.gather(*tasks, return_exceptions=True)


async def test_transactions_that_wait_together_share_one_commit(open_store: OpenStore, samples: Samples) -> None:
    gate = Gate()
    store = await open_store(gate)

    answers = await gate.passes_together(
        store, samples, *(store.accept([samples.mail(number)]) for number in range(1, 4))
    )

    assert [[row.is_new for row in answer] for answer in answers] == [[True]] * 3
    assert gate.seen == [(Point.ACCEPT, "before")] * 3 + [(Point.ACCEPT, "after")] * 3
    assert await store.pending_count() == 3


async def test_one_that_fails_costs_the_others_nothing(open_store: OpenStore, samples: Samples) -> None:
    gate = Gate()
    store = await open_store(gate)

    first, conflict, last = await gate.passes_together(
        store,
        samples,
        store.save(Point.COMMAND, samples.new_case(1002), now=samples.start),
        store.save(Point.COMMAND, samples.new_case(1001), now=samples.start),
        store.save(Point.COMMAND, samples.new_case(1003), now=samples.start),
    )

    assert (first, type(conflict), last) == (None, Conflict, None)
    assert [bundle.case.id for bundle in await store.list_cases(CaseFilter())] == [1003, 1002, 1001]


async def test_later_ones_see_what_those_before_them_did(open_store: OpenStore, samples: Samples) -> None:
    gate = Gate()
    store = await open_store(gate)
    mail = samples.mail(1)

    first, second = await gate.passes_together(store, samples, store.accept([mail]), store.accept([mail]))

    assert (first[0].is_new, second[0].is_new) == (True, False)
    assert first[0].mail_id == second[0].mail_id


@pytest.mark.parametrize(("when", "kept"), [("before", 0), ("after", 2)])
async def test_dying_at_the_commit_of_a_group_leaves_all_of_it_or_nothing(
    open_store: OpenStore, samples: Samples, when: str, kept: int
) -> None:
    """R5: nothing is done twice because the news of it was lost."""
    gate = Gate(dies=(Point.ACCEPT, when))
    store = await open_store(gate)

    answers = await gate.passes_together(
        store, samples, store.accept([samples.mail(1)]), store.accept([samples.mail(2)])
    )

    assert [type(answer) for answer in answers] == [ZeroDivisionError] * 2
    assert await store.pending_count() == kept
