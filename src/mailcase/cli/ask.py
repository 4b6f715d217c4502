"""Who carries a command out: the daemon that has the store; with no daemon, this process, through the same handlers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta

from mailcase import log
from mailcase.clock import Clock
from mailcase.config.settings import Settings
from mailcase.errors import TransientError
from mailcase.inbound.control import Request, Response, answered, ask_daemon

#: A daemon that is starting has the store before it listens, and another shell has it for a moment.
PATIENCE = timedelta(seconds=3)
_PAUSE_S = 0.1


def ask(
    settings: Settings, request: Request, blobs: Sequence[bytes], clock: Clock, *, patience: timedelta = PATIENCE
) -> Response:
    """The answer to `request`; a store that somebody else holds is waited for as long as `patience` lasts.

    Raises:
        CommandRefused: the daemon may not be asked by this user, or the request is too large.
        TransientError: the store is held by somebody who does not answer.

    """
    return asyncio.run(_ask(settings, request, blobs, clock, patience))


async def _ask(
    settings: Settings, request: Request, blobs: Sequence[bytes], clock: Clock, patience: timedelta
) -> Response:
    give_up_at = clock.monotonic() + patience.total_seconds()
    while True:
        response = await ask_daemon(settings.socket, request, blobs)
        if response is not None:
            return response
        try:
            return await _answer_here(settings, request, blobs)
        except _StoreTaken as error:
            if clock.monotonic() >= give_up_at:
                raise TransientError(f"{error}; no daemon answers on {settings.socket}") from error
        await asyncio.sleep(_PAUSE_S)


class _StoreTaken(TransientError):
    """Somebody else has the store: nothing was done."""


async def _answer_here(settings: Settings, request: Request, blobs: Sequence[bytes]) -> Response:
    from mailcase.app import StoreBusy, open_desk

    # What is done is printed; only what somebody should look at belongs on standard error as well.
    log.set_up(level="warning")
    async with AsyncExitStack() as opened:
        try:
            desk = await opened.enter_async_context(open_desk(settings))
        except StoreBusy as error:
            raise _StoreTaken(str(error)) from error
        return await answered(desk.answer, request, uid=os.getuid(), blobs=blobs)
