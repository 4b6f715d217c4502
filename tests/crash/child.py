"""The daemon under test in a process of its own, which kills itself at one commit: `python -m tests.crash.child`.

Once it works it writes the port of its listener, 0 without one, into the file `port` beside its configuration.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from mailcase import log
from mailcase.app import World, open_app
from mailcase.clock import SystemClock
from mailcase.config.reader import load
from mailcase.daemon import Daemon
from mailcase.handlers.read import Reader, ReadMail
from mailcase.store.port import Point
from mailcase.store.rows.inbox import ClaimedMail


@dataclass
class Killer:
    """A hook that ends the process, as `kill -9` does, around the nth commit of one kind."""

    point: str
    when: str
    nth: int

    def __call__(self, point: Point, when: str) -> None:
        if (point.name, when) != (self.point, self.when):
            return
        self.nth -= 1
        if self.nth == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class DeadlyReader:
    """Reads as ever, but a mail with the word `deadly` is the end of the process, as one that crashes a C library."""

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

    async def sleep_until(self, at: datetime) -> None:
        await self._clock.sleep_until(at - self._ahead)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--ahead-days", type=int, default=0)
    parser.add_argument("--kill", nargs=3, metavar=("POINT", "WHEN", "NTH"))
    parser.add_argument("--deadly", action="store_true")
    options = parser.parse_args()
    log.set_up(level="info")
    world = World(
        clock=ClockAhead(timedelta(days=options.ahead_days)),
        hook=Killer(options.kill[0], options.kill[1], int(options.kill[2])) if options.kill else None,
        reads=DeadlyReader if options.deadly else World().reads,
    )
    asyncio.run(_live(options.folder, world))


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


if __name__ == "__main__":
    main()
