"""A store with watchers on IMAP mailboxes, as the daemon has them, and ways to wait for what they do."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from mailcase.clock import Clock, SystemClock
from mailcase.config.settings import ImapSource, Limits, MailboxSettings, SecretFile
from mailcase.core.case import MailboxName, ProcessName
from mailcase.entropy import SeededEntropy
from mailcase.inbound.accept import Door
from mailcase.inbound.free_space import FreeSpace
from mailcase.inbound.imap import ImapSession
from mailcase.inbound.watcher import ImapWatcher, Pace
from mailcase.login.logins import Credentials, PasswordCredentials
from mailcase.offload import OwnedThread
from mailcase.store.port import Hook, Point
from mailcase.store.rows.inbox import MailFilter, MailRow, Outcome
from mailcase.store.rows.mailboxes import MailboxState
from mailcase.store.sqlite import SqliteStore

DESK = MailboxName("desk")
#: Nothing here takes that long; a test that waits for more has found a fault.
DEADLINE_SECONDS = 30.0
QUICK = Pace(
    first_pause=timedelta(milliseconds=20), refused_pause=timedelta(milliseconds=20), longest_pause=timedelta(seconds=1)
)


def password_credentials(source: ImapSource, clock: Clock) -> Credentials:
    """What the daemon would make for a source with a password."""
    assert isinstance(source.login, SecretFile)
    return PasswordCredentials(source.user, source.login, clock=clock)


class Died(BaseException):
    """Stands for the end of the process at a commit."""


class Watched:
    """One life of the daemon's intake: a store, and watchers that belong to it."""

    def __init__(self, store: SqliteStore, committed: asyncio.Event, clock: Clock, folder: Path) -> None:
        self.store = store
        self.door = Door(store, asyncio.Event(), clock, FreeSpace(folder, shutil.disk_usage))
        self._committed = committed
        self._clock = clock
        self._running: dict[ImapWatcher, asyncio.Task[None]] = {}

    @classmethod
    async def open(cls, path: Path, *, clock: Clock | None = None, hook: Hook | None = None) -> Watched:
        loop, committed = asyncio.get_running_loop(), asyncio.Event()

        def around(point: Point, when: str) -> None:
            if hook is not None:
                hook(point, when)
            if when == "after":
                loop.call_soon_threadsafe(committed.set)

        clock = clock or SystemClock()
        return cls(await SqliteStore.open(path, clock=clock, hook=around), committed, clock, path.parent)

    def watch(
        self,
        source: ImapSource,
        name: MailboxName = DESK,
        *,
        limits: Limits | None = None,
        pace: Pace = QUICK,
        credentials: Credentials | None = None,
    ) -> ImapWatcher:
        """Begins to read the mailbox."""
        settings = MailboxSettings(
            name=name, source=source, is_enabled=True, addresses=(), routes=(), fallback=ProcessName("enquiry")
        )
        watcher = ImapWatcher(
            settings,
            door=self.door,
            store=self.store,
            clock=self._clock,
            entropy=SeededEntropy(1),
            offload=OwnedThread,
            connect=ImapSession,
            credentials=credentials or password_credentials(source, self._clock),
            limits=limits or Limits(),
            pace=pace,
        )
        self._running[watcher] = asyncio.create_task(watcher.run())
        return watcher

    async def stop(self, watcher: ImapWatcher) -> None:
        """A clean end of one watcher."""
        await watcher.stop()
        await self._running.pop(watcher)

    async def close_watchers(self) -> None:
        """A clean end of all watchers; the store can still be read."""
        for watcher in tuple(self._running):
            await self.stop(watcher)

    async def close(self) -> None:
        """A clean end of all."""
        await self.close_watchers()
        await self.store.close()

    async def until_died(self, watcher: ImapWatcher) -> None:
        """Waits for the watcher to die with `Died`, as the process would have."""
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                await self._running.pop(watcher)
        except Died:
            return
        raise AssertionError("it lives")

    async def until(self, found: Callable[[], Awaitable[bool]]) -> None:
        """Waits until it is found to be so; asked again after each commit."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                self._committed.clear()
                if await found():
                    return
                await self._committed.wait()

    async def until_looked(self, name: MailboxName = DESK) -> MailboxState:
        """Waits for a complete look that begins from now on."""
        now = self._clock.now()

        async def is_looked() -> bool:
            state = (await self.store.mailbox_states()).get(name)
            return state is not None and state.checked_at is not None and state.checked_at >= now

        for watcher in self._running:
            watcher.look_now()
        await self.until(is_looked)
        return await self.state(name)

    async def until_failed(self, words: str, name: MailboxName = DESK) -> MailboxState:
        """Waits until the mailbox's newest failure has these words."""

        async def is_failed() -> bool:
            state = (await self.store.mailbox_states()).get(name)
            return state is not None and words in (state.last_error or "")

        await self.until(is_failed)
        return await self.state(name)

    async def until_taken(self, count: int, name: MailboxName = DESK) -> tuple[MailRow, ...]:
        """Waits for so many mails to be handled."""

        async def is_taken() -> bool:
            return len(await self.mails(Outcome.PENDING, name)) >= count

        await self.until(is_taken)
        return await self.mails(Outcome.PENDING, name)

    async def state(self, name: MailboxName = DESK) -> MailboxState:
        return (await self.store.mailbox_states())[name]

    async def mails(self, outcome: Outcome | None = None, name: MailboxName = DESK) -> tuple[MailRow, ...]:
        """Rows in the order in which they were made."""
        rows = await self.store.list_mails(MailFilter(outcome=outcome, mailbox=name), limit_count=10_000)
        return tuple(sorted(rows, key=lambda row: row.id))

    async def raws(self, outcome: Outcome | None = None, name: MailboxName = DESK) -> list[bytes | None]:
        return [await self.store.raw(row.id) for row in await self.mails(outcome, name)]


#: Opens the watchers of a store; called again, after the store was closed, it finds what was committed.
OpenWatched = Callable[..., Awaitable[Watched]]
