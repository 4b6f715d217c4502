"""`mailcase status` with no daemon: read from the store itself, without anything that only a daemon needs."""

from __future__ import annotations

from mailcase.clock import Clock
from mailcase.config.settings import Settings
from mailcase.desk.status import status
from mailcase.inbound.protocol import Request, Response
from mailcase.store.lock import StoreLock
from mailcase.store.sqlite import SqliteStore
from mailcase.vitals import Vitals


async def status_alone(settings: Settings, request: Request, clock: Clock) -> Response:
    """The screen as it is without a daemon.

    Raises:
        StoreBusy: another process has the store.
    """
    with StoreLock.acquire(settings.store):
        store = await SqliteStore.open(settings.store, clock=clock)
        try:
            return await status(store, settings, Vitals(), now=clock.now(), language=request.language, logins=None)
        finally:
            await store.close()
