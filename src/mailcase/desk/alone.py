"""Questions with no daemon: answered from the store itself, without anything that only a daemon needs. Importing and
wiring all of it would take longer than the answer.
"""

from __future__ import annotations

from mailcase.clock import Clock
from mailcase.config.settings import Settings
from mailcase.desk.questions import Questions
from mailcase.inbound.protocol import Request, Response
from mailcase.store.lock import StoreLock
from mailcase.store.sqlite import SqliteStore
from mailcase.vitals import Vitals


async def answer_alone(settings: Settings, request: Request, clock: Clock) -> Response:
    """The answer to one of `QUESTIONS`.

    Raises:
        StoreBusy: another process has the store.
        AppError: there is no answer; the message says why and what can be asked.
    """
    with StoreLock.acquire(settings.store):
        store = await SqliteStore.open(settings.store, clock=clock)
        try:
            return await Questions(settings, store, clock=clock, vitals=Vitals(), logins=None).answer(request)
        finally:
            await store.close()
