"""Looks at the logins by access token once a day, also those that nobody uses (L9).

A relay without mail, or a mailbox whose connection lasts, asks for no token. A refresh token that nobody uses ends, and
a consent that was withdrawn shows only when it is needed; this finds out in time, and tells it in the log.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from mailcase.clock import Clock
from mailcase.log import get_logger
from mailcase.login.errors import LoginImpossible, TokenUnavailable
from mailcase.login.logins import Logins
from mailcase.wakes import Wakes, done_before, first_of

log = get_logger()

#: Far below the time after which any provider ends a refresh token that is not used.
EVERY = timedelta(days=1)
#: The end of a secret is told that long before.
WARNED_BEFORE = timedelta(days=14)


class LoginWorker:
    """Asks for tokens where there is none to use."""

    def __init__(self, logins: Logins, *, clock: Clock, wakes: Wakes) -> None:
        self._logins = logins
        self._clock = clock
        self._wakes = wakes

    async def run(self) -> None:
        """Works until stopped. The first look comes with the start."""
        stopping = self._wakes.stopping
        while not stopping.is_set():
            await done_before(stopping, self._look())
            await first_of(stopping, clock=self._clock, until=self._clock.now() + EVERY)

    async def _look(self) -> None:
        for name, credentials in self._logins.by_token().items():
            try:
                await credentials.get()
            except LoginImpossible as error:
                log.error("login_failed", login=name, reason=str(error))  # noqa: TRY400 - nobody needs the traceback
            except TokenUnavailable as error:
                log.warning("login_failed", login=name, reason=str(error))
            ends_at = credentials.status.secret_expires_at
            if ends_at is None:
                continue
            ends_on = ends_at.date() if isinstance(ends_at, datetime) else ends_at
            if ends_on <= (self._clock.now() + WARNED_BEFORE).date():
                log.warning("login_ending", login=name, ends_on=ends_on.isoformat())
