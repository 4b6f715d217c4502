"""Who carries a command out: the daemon that has the store; with no daemon, this process, through the same handlers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from mailcase.clock import Clock
from mailcase.errors import TransientError
from mailcase.inbound.control_client import ask_daemon
from mailcase.inbound.protocol import Request, Response

if TYPE_CHECKING:
    from mailcase.config.settings import Settings

#: A daemon that is starting has the store before it listens, and another shell has it for a moment.
PATIENCE = timedelta(seconds=3)
_PAUSE_SECONDS = 0.1


def ask(
    socket: Path,
    request: Request,
    blobs: Sequence[bytes],
    clock: Clock,
    *,
    load: Callable[[], Settings],
    patience: timedelta = PATIENCE,
) -> Response:
    """The answer to `request`, by the daemon at the socket, or by this process under the settings that `load`
    gives; a store that somebody else holds is waited for as long as `patience` lasts.

    Raises:
        CommandRefused: the daemon may not be asked by this user, or the request is too large.
        TransientError: the store is held by somebody who does not answer.
        ConfigError: no daemon answers, and the configuration is wrong.

    """
    return asyncio.run(_ask(socket, request, blobs, clock, load, patience))


def ask_running(socket: Path, request: Request) -> Response | None:
    """The answer of the daemon at the socket; None when no daemon listens there. Raises as `ask`."""
    return asyncio.run(ask_daemon(socket, request))


async def _ask(
    socket: Path,
    request: Request,
    blobs: Sequence[bytes],
    clock: Clock,
    load: Callable[[], Settings],
    patience: timedelta,
) -> Response:
    give_up_at = clock.monotonic() + patience.total_seconds()
    while True:
        response = await ask_daemon(socket, request, blobs)
        if response is not None:
            return response
        settings = load()
        # Imported only now: a daemon that answers has all this already.
        from mailcase import log
        from mailcase.store.lock import StoreBusy

        # What is done is printed; only what somebody should look at belongs on standard error as well.
        log.set_up(level="warning")
        try:
            return await _here(settings, request, blobs, clock)
        except StoreBusy as error:
            if clock.monotonic() >= give_up_at:
                raise TransientError(f"{error}; no daemon answers on {socket}") from error
        await asyncio.sleep(_PAUSE_SECONDS)


async def _here(settings: Settings, request: Request, blobs: Sequence[bytes], clock: Clock) -> Response:
    """Any operation, in this process; a question without all that a change needs. Raises StoreBusy."""
    from mailcase.desk.questions import QUESTIONS

    if request.operation in QUESTIONS:
        from mailcase.desk.alone import answer_alone

        return await answer_alone(settings, request, clock)

    from mailcase.app import open_desk
    from mailcase.inbound.control import answered

    async with open_desk(settings) as desk:
        return await answered(desk.answer, request, uid=os.getuid(), blobs=blobs)
