"""Who carries a command out: the daemon that has the store; with no daemon, this process, through the same handlers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
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

#: Carries a request out where no daemon runs. Raises StoreBusy when another process has the store.
Alone = Callable[["Settings", Request, Sequence[bytes]], Awaitable[Response]]


def ask(
    socket: Path,
    request: Request,
    blobs: Sequence[bytes],
    clock: Clock,
    *,
    alone: Alone,
    load: Callable[[], Settings],
    patience: timedelta = PATIENCE,
) -> Response:
    """The answer to `request`, by the daemon at the socket or by `alone` under the settings that `load` gives; a store
    that somebody else holds is waited for as long as `patience` lasts.

    Raises:
        CommandRefused: the daemon may not be asked by this user, or the request is too large.
        TransientError: the store is held by somebody who does not answer.
        ConfigError: no daemon answers, and the configuration is wrong.

    """
    return asyncio.run(_ask(socket, request, blobs, clock, alone, load, patience))


def ask_running(socket: Path, request: Request) -> Response | None:
    """The answer of the daemon at the socket; None when no daemon listens there. Raises as `ask`."""
    return asyncio.run(ask_daemon(socket, request))


async def _ask(
    socket: Path,
    request: Request,
    blobs: Sequence[bytes],
    clock: Clock,
    alone: Alone,
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
            return await alone(settings, request, blobs)
        except StoreBusy as error:
            if clock.monotonic() >= give_up_at:
                raise TransientError(f"{error}; no daemon answers on {socket}") from error
        await asyncio.sleep(_PAUSE_SECONDS)


async def at_a_desk(settings: Settings, request: Request, blobs: Sequence[bytes]) -> Response:
    """Any operation, at a desk of this process. Raises StoreBusy."""
    from mailcase.app import open_desk
    from mailcase.inbound.control import answered

    async with AsyncExitStack() as opened:
        desk = await opened.enter_async_context(open_desk(settings))
        return await answered(desk.answer, request, uid=os.getuid(), blobs=blobs)
