"""The daemon under test, in a process of its own that may end itself, as `kill -9` does, at one point.

The process is forked from a server that has imported everything, so that a life begins in a tenth of a second. Once it
works it writes the port of its listener, 0 without one, into the file `port` beside its configuration.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from tests.crash.flaws import AcknowledgingFirst, Flaw, flawed_outlet
from tests.crash.points import AFTER, BEFORE, Crash, Wire
from tests.handlers.reading_here import reads_here

from mailcase import log
from mailcase.app import World, open_app
from mailcase.clock import Clock, SystemClock
from mailcase.config.reader import load
from mailcase.config.settings import ImapSource, Settings
from mailcase.daemon.daemon import Daemon
from mailcase.handlers.read import Reader, ReadMail
from mailcase.inbound.imap import Acknowledged, ImapSession
from mailcase.login.logins import Credentials
from mailcase.outbound.port import Outlet
from mailcase.store.port import Point
from mailcase.store.rows.inbox import ClaimedMail


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What kind of life a process leads."""

    folder: Path
    crash: Crash | None = None
    #: The machine's clock is that much ahead.
    ahead: timedelta = timedelta(0)
    #: Mail with the word `deadly` kills.
    is_deadly: bool = False
    flaw: Flaw | None = None


@dataclass
class Killer:
    """Ends the process around the nth time that it comes by one point; also the hook around every commit."""

    crash: Crash
    count: int = 0

    def __call__(self, point: Point, when: str) -> None:
        self.reached(point.name, when)

    def reached(self, point: str, when: str) -> None:
        if (point, when) != (self.crash.point, self.crash.when):
            return
        self.count += 1
        if self.count == self.crash.nth:
            os.kill(os.getpid(), signal.SIGKILL)


class MortalSession(ImapSession):
    """An IMAP session that may be the last thing before and after a word to the server."""

    def __init__(self, source: ImapSource, killer: Killer) -> None:
        super().__init__(source)
        self._killer = killer

    def move(self, uids: Sequence[int], folder: str) -> Acknowledged:
        self._killer.reached(Wire.MOVE.name, BEFORE)
        done = super().move(uids, folder)
        self._killer.reached(Wire.MOVE.name, AFTER)
        return done

    def flag(self, uids: Sequence[int]) -> None:
        self._killer.reached(Wire.FLAG.name, BEFORE)
        super().flag(uids)
        self._killer.reached(Wire.FLAG.name, AFTER)


class DeadlyReader:
    """Reads as ever, but a mail with the word `deadly` is the end of the daemon, as a mistake of ours might be."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def read(self, claimed: ClaimedMail, *, now: datetime) -> ReadMail:
        if b"deadly" in claimed.raw:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._reader.read(claimed, now=now)


class ClockAhead:
    """The machine's clock, that much ahead."""

    def __init__(self, ahead: timedelta) -> None:
        self._clock = SystemClock()
        self._ahead = ahead

    def now(self) -> datetime:
        return self._clock.now() + self._ahead

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def offset(self) -> float:
        return self._clock.offset()

    async def sleep_until(self, at: datetime) -> None:
        await self._clock.sleep_until(at - self._ahead)


def live(life: Life) -> None:
    """One life; the target of the process. What it writes goes into the file `log` of its folder."""
    with (life.folder / "log").open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    log.set_up(level="info")
    asyncio.run(_live(life.folder, _world(life)))


def _world(life: Life) -> World:
    usual = World()
    killer = Killer(life.crash) if life.crash is not None else None
    return World(
        clock=ClockAhead(life.ahead),
        hook=killer,
        reads=reads_here(DeadlyReader) if life.is_deadly else usual.reads,
        imap_connect=_sessions(life, killer),
        outlet=_outlets(life),
    )


def _sessions(life: Life, killer: Killer | None) -> Callable[[ImapSource], ImapSession]:
    if life.flaw is Flaw.ACKNOWLEDGES_FIRST:
        return AcknowledgingFirst
    return ImapSession if killer is None else partial(MortalSession, killer=killer)


def _outlets(life: Life) -> Callable[[Settings, Clock, Credentials | None], Outlet]:
    if life.flaw in (Flaw.SENDS_TWICE, Flaw.JOURNALS_LATE):
        return partial(flawed_outlet, flaw=life.flaw)
    return World().outlet


async def _live(folder: Path, world: World) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with open_app(load(folder / "config.yaml"), world) as app:
        daemon = app.daemon()
        telling = asyncio.create_task(_tell_port(daemon, folder / "port"))
        try:
            await daemon.run(stop)
        finally:
            telling.cancel()


async def _tell_port(daemon: Daemon, file: Path) -> None:
    await daemon.started.wait()
    ports = [part.listener.port for part in daemon.listeners.values()]
    unfinished = file.with_suffix(".new")
    unfinished.write_text(str(ports[0] if ports else 0))
    unfinished.rename(file)
