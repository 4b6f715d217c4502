"""`mailcase run`: the daemon in the foreground, until a signal stops it."""

from __future__ import annotations

import asyncio
import signal

import click

from mailcase import log
from mailcase.cli.options import Command
from mailcase.cli.session import Session
from mailcase.config.settings import Settings

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@click.command(cls=Command)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="The least that is logged.",
)
def run(log_level: str) -> None:
    """Start the daemon and stay in the foreground. SIGTERM or Ctrl-C stops it cleanly, a second one at once."""
    log.set_up(level=log_level)
    asyncio.run(_run(Session.current().load_settings(needs_secrets=True)))


async def _run(settings: Settings) -> None:
    from mailcase.app import run as run_daemon

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def begin_to_stop() -> None:
        stop.set()
        # The next one gets what it does by itself: an end at once.
        for number in _STOP_SIGNALS:
            loop.remove_signal_handler(number)

    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, begin_to_stop)
    # A closed terminal is no reason to stop taking mail.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    await run_daemon(settings, stop)
