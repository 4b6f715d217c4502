"""Watchers by themselves: begun again when they die, and followed from one configuration to the next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import structlog
from tests.servers.eventually import eventually

from mailcase.core.case import MailboxName
from mailcase.daemon.tasks import OwnTasks
from mailcase.daemon.watching import WatcherPlan, Watching

DESK, SHOP = MailboxName("desk"), MailboxName("shop")


@dataclass
class Diary:
    """What the watchers of a test have done, in order."""

    entries: list[str] = field(default_factory=list)


@dataclass
class Watcher:
    """Watches nothing; dies or ends as often as it is told to."""

    name: str
    diary: Diary
    deaths: list[Exception | None] = field(default_factory=list)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        self.diary.entries.append(f"{self.name} begins")
        if self.deaths:
            if (death := self.deaths.pop(0)) is not None:
                raise death
            return
        await self.stopping.wait()
        self.diary.entries.append(f"{self.name} ends")

    async def stop(self) -> None:
        self.stopping.set()

    def look_now(self) -> None:
        self.diary.entries.append(f"{self.name} looks")


def plan(key: object, watcher: Watcher) -> WatcherPlan:
    return WatcherPlan(key=key, make=lambda: watcher)


@pytest.fixture
async def diary() -> Diary:
    return Diary()


@pytest.fixture
async def watching() -> AsyncIterator[Watching]:
    tasks = OwnTasks()
    watching = Watching(tasks, restart_pause=timedelta(milliseconds=1))
    yield watching
    await watching.stop()
    assert tasks.failures == ()


async def until(diary: Diary, *entries: str) -> None:
    async def is_so() -> bool:
        return diary.entries == list(entries)

    await eventually(is_so, f"{entries} in the diary, which has {diary.entries}", within_seconds=5)


@pytest.mark.parametrize(
    ("death", "event"), [(ZeroDivisionError("a bug"), "watcher_died"), (None, "watcher_ended")], ids=["dies", "ends"]
)
async def test_a_watcher_that_is_gone_is_begun_again_and_said(
    watching: Watching, diary: Diary, death: Exception | None, event: str
) -> None:
    """L7."""
    with structlog.testing.capture_logs() as logs:
        await watching.follow({DESK: plan(1, Watcher("desk", diary, deaths=[death]))})
        await until(diary, "desk begins", "desk begins")

    assert [(entry["event"], entry["mailbox"]) for entry in logs] == [(event, DESK)]


async def test_one_that_always_dies_keeps_no_other_from_its_work(watching: Watching, diary: Diary) -> None:
    """L7."""
    deaths: list[Exception | None] = [ZeroDivisionError("a bug") for _ in range(3)]
    with structlog.testing.capture_logs():
        await watching.follow(
            {DESK: plan(1, Watcher("desk", Diary(), deaths=deaths)), SHOP: plan(1, Watcher("shop", diary))}
        )
        await until(diary, "shop begins")

        async def is_tried_thrice() -> bool:
            return not deaths

        await eventually(is_tried_thrice)

    assert diary.entries == ["shop begins"]


async def test_a_mailbox_that_stays_the_same_goes_on_undisturbed(watching: Watching, diary: Diary) -> None:
    await watching.follow({DESK: plan("a", Watcher("desk", diary))})
    await until(diary, "desk begins")

    await watching.follow({DESK: plan("a", Watcher("another", diary)), SHOP: plan("b", Watcher("shop", diary))})
    await until(diary, "desk begins", "shop begins")

    assert list(watching.watchers) == [DESK, SHOP]


async def test_a_changed_mailbox_is_read_by_its_new_watcher_once_the_old_one_has_ended(
    watching: Watching, diary: Diary
) -> None:
    await watching.follow({DESK: plan("a", Watcher("old", diary))})
    await until(diary, "old begins")

    await watching.follow({DESK: plan("b", Watcher("new", diary))})
    await until(diary, "old begins", "old ends", "new begins")


async def test_a_mailbox_that_is_taken_away_is_left(watching: Watching, diary: Diary) -> None:
    await watching.follow({DESK: plan("a", Watcher("desk", diary))})
    await until(diary, "desk begins")

    await watching.follow({})

    assert diary.entries == ["desk begins", "desk ends"]
    assert watching.watchers == {}
