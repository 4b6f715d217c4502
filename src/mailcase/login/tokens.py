"""The access token of one client: kept until shortly before its end, asked for once at a time, never in a busy loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from mailcase.backoff import doubled, jittered
from mailcase.clock import Clock
from mailcase.entropy import Entropy
from mailcase.login.credentials import AccessToken
from mailcase.login.errors import LoginImpossible, TokenUnavailable
from mailcase.login.token_server import Obtained


class TokenIssuer(Protocol):
    """Where tokens come from."""

    async def obtain(self) -> Obtained:
        """A new token. Raises LoginImpossible, TokenUnavailable."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPace:
    """How often tokens are asked for."""

    #: The pause after a failure; each next one is twice as long, up to `longest_pause`. A server may ask for longer.
    first_pause: timedelta = timedelta(seconds=5)
    longest_pause: timedelta = timedelta(minutes=5)
    #: A token that a mail server refuses is renewed when it is older; a newer one is not the reason.
    fresh_for: timedelta = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFailure:
    """Why there was no new token the last time."""

    at: datetime
    #: With what to do.
    reason: str
    needs_operator: bool


class Tokens:
    """The tokens of one client; shared by those who have the same."""

    def __init__(
        self,
        issuer: TokenIssuer,
        *,
        name: str,
        secret_files: Sequence[Path],
        clock: Clock,
        entropy: Entropy,
        timeout: timedelta,
        pace: TokenPace = TokenPace(),
    ) -> None:
        """`name` is for messages. A change of a secret file ends every pause."""
        self._issuer = issuer
        self._name = name
        self._secret_files = secret_files
        self._clock = clock
        self._entropy = entropy
        self._timeout = timeout
        self._pace = pace
        self._lock = asyncio.Lock()
        self._error: LoginImpossible | TokenUnavailable | None = None
        self._failures_count = 0
        self._silent_until = clock.monotonic()
        self._stamp_at_failure: tuple[object, ...] = ()
        #: The present token; for status too.
        self.token: AccessToken | None = None
        self.refresh_expires_at: datetime | None = None
        self.failure: TokenFailure | None = None

    async def get(self, *, at_once: bool = False) -> AccessToken:
        """A token for a new login. `at_once` asks even in a pause after a failure, because a person waits.

        Raises LoginImpossible, TokenUnavailable.
        """
        async with self._lock:
            if self.token is not None and self.token.is_good(self._clock.now()):
                return self.token
            try:
                return await self._new(at_once=at_once)
            except (LoginImpossible, TokenUnavailable):
                # Asked early on purpose: until its end the present one does.
                if self.token is not None and self._has_life(self.token):
                    return self.token
                raise

    def refused(self, token: AccessToken) -> bool:
        """A mail server does not accept the token; says whether another one may do, which `get` then asks for."""
        if self.token != token:
            return True
        age = self._clock.now() - token.obtained_at
        if timedelta() <= age < self._pace.fresh_for:
            return False
        self.token = None
        return True

    def _has_life(self, token: AccessToken) -> bool:
        return token.expires_at is not None and token.obtained_at <= self._clock.now() < token.expires_at

    async def _new(self, *, at_once: bool) -> AccessToken:
        if self._error is not None and not at_once and self._is_pausing():
            raise self._error
        # Before the request: a file that is changed meanwhile is another one.
        stamp = self._stamp()
        try:
            obtained = await self._obtain()
        except (LoginImpossible, TokenUnavailable) as error:
            self._stamp_at_failure = stamp
            self._failed(error)
            raise
        self._error = self.failure = None
        self._failures_count = 0
        self.token = obtained.token
        self.refresh_expires_at = obtained.refresh_expires_at
        return obtained.token

    async def _obtain(self) -> Obtained:
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                return await self._issuer.obtain()
        except TimeoutError:
            seconds = self._timeout.total_seconds()
            raise TokenUnavailable(f"{self._name} gives no token within {seconds:g} seconds") from None

    def _is_pausing(self) -> bool:
        return self._clock.monotonic() < self._silent_until and self._stamp() == self._stamp_at_failure

    def _failed(self, error: LoginImpossible | TokenUnavailable) -> None:
        needs_operator = isinstance(error, LoginImpossible)
        self._error = error
        self.failure = TokenFailure(at=self._clock.now(), reason=str(error), needs_operator=needs_operator)
        self._failures_count += 1
        pause = doubled(self._pace.first_pause, self._failures_count, self._pace.longest_pause)
        if isinstance(error, TokenUnavailable) and error.retry_after is not None:
            pause = max(pause, error.retry_after)
        self._silent_until = self._clock.monotonic() + jittered(pause, self._entropy).total_seconds()

    def _stamp(self) -> tuple[object, ...]:
        """Changes when an operator changes a secret file."""
        return tuple(_file_stamp(path) for path in self._secret_files)


def _file_stamp(path: Path) -> object:
    try:
        status = path.stat()
    except OSError as error:
        return error.errno
    return status.st_ino, status.st_mtime_ns, status.st_size
