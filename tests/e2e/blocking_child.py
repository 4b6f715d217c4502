"""A daemon whose loop is blocked as soon as it gets SIGUSR1. Run with the folder of its configuration."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from mailcase.app import open_app
from mailcase.config.reader import load
from mailcase.daemon.service_manager import service_manager


def block() -> None:
    print("blocked", flush=True)  # noqa: T201 - the test waits for it
    time.sleep(120)


async def main(folder: Path) -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, block)
    async with open_app(load(folder / "config.yaml")) as app:
        manager = service_manager(os.environ, clock=app.world.clock)
        await app.daemon(manager=manager).run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
