"""`mailcase run`: the daemon in the foreground, until a signal stops it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from mailcase.cli.options import Command
from mailcase.cli.session import Session
from mailcase.clock import Clock
from mailcase.config.settings import LogLevel, Settings
from mailcase.daemon.service_manager import service_manager
from mailcase.log import get_logger, set_up

if TYPE_CHECKING:
    from mailcase.daemon.daemon import Daemon

log = get_logger()

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@click.command(cls=Command)
@click.option(
    "--log-level",
    type=click.Choice([level.value for level in LogLevel]),
    help="The least that is logged; else `log_level` of the configuration.",
)
def run(log_level: str | None) -> None:
    """Start the daemon and stay in the foreground. SIGTERM or Ctrl-C stops it cleanly, a second one at once; SIGHUP
    reloads the configuration.
    """
    session = Session.current()
    settings = session.load_settings(needs_secrets=True)

    def set_up_log(settings: Settings) -> None:
        set_up(level=log_level or settings.log_level)

    set_up_log(settings)
    asyncio.run(_run(settings, session.clock, set_up_log))


async def _run(settings: Settings, clock: Clock, on_settings: Callable[[Settings], None]) -> None:
    from mailcase.app import World, open_app

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_log_failed_callback)

    def begin_to_stop() -> None:
        stop.set()
        # The next one ends it at once; not by an exception that asyncio would clean up after.
        for number in _STOP_SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, begin_to_stop)
    # A closed terminal, before there is anything to reload, is no reason to stop.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    async with open_app(settings, World(clock=clock)) as app:
        daemon = app.daemon(manager=service_manager(os.environ, clock=clock), on_settings=on_settings)
        _reload_on_hangup(daemon, loop)
        await daemon.run(stop)


def _reload_on_hangup(daemon: Daemon, loop: asyncio.AbstractEventLoop) -> None:
    reloads: set[asyncio.Task[None]] = set()

    async def reload() -> None:
        await daemon.started.wait()
        await daemon.reload()

    def begin_to_reload() -> None:
        task = loop.create_task(reload(), name="reload")
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, begin_to_reload)


def _log_failed_callback(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An error that reached the loop itself goes into the log like all others, not beside it as plain text."""
    log.error("callback_failed", error=str(context["message"]), exc_info=context.get("exception"))
