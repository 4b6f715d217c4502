"""Asks a token server for an access token: the refresh token where there is one, else client credentials (RFC 6749)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote_plus

from mailcase.clock import Clock
from mailcase.config.settings import OAuthClient, SecretFile, SecretPlace
from mailcase.login.credentials import AccessToken
from mailcase.login.errors import LoginImpossible
from mailcase.login.http import post_form
from mailcase.login.kept import KeptRefreshTokens, RefreshToken
from mailcase.login.token_answer import TokenAnswer, read_answer
from mailcase.offload import Offload


@dataclass(frozen=True, slots=True, kw_only=True)
class Obtained:
    """An access token, and the end of the refresh token behind it where that is known."""

    token: AccessToken
    refresh_expires_at: datetime | None = None


class TokenServer:
    """One client at its token server."""

    def __init__(
        self, client: OAuthClient, *, state_folder: Path, clock: Clock, offload: Offload, timeout: timedelta
    ) -> None:
        self._client = client
        self._kept = KeptRefreshTokens(state_folder, client)
        self._clock = clock
        self._offload = offload
        self._timeout = timeout

    async def obtain(self) -> Obtained:
        """A new token. Raises LoginImpossible, TokenUnavailable, TimeoutError.

        A request that nobody waits for any more ends on its own thread, and still keeps what the server replaced.
        """
        return await _on_own_thread(self._offload, f"token {self._client.client_id}", self._request)

    def secret_files(self) -> tuple[Path, ...]:
        """What an operator would change."""
        return tuple(file.path for file in (self._client.client_secret, self._client.refresh_token) if file)

    def _request(self) -> Obtained:
        """Blocks."""
        client = self._client
        given = read_secret(client.refresh_token) if client.refresh_token else None
        refresh = self._kept.newest(given) if given is not None else None
        form = self._form(refresh)
        headers = self._sign(form)
        asked_at = self._clock.now()
        answer = read_answer(
            post_form(client.token_url, form, headers=headers, timeout=self._timeout, ca_file=client.ca_file), client
        )
        if given is not None and refresh is not None:
            refresh = self._replaced(given, refresh, answer, asked_at)
        token = AccessToken(
            value=answer.access_token,
            obtained_at=asked_at,
            expires_at=asked_at + answer.lifetime if answer.lifetime else None,
        )
        return Obtained(token=token, refresh_expires_at=refresh.expires_at if refresh else None)

    def _form(self, refresh: RefreshToken | None) -> dict[str, str]:
        form = {"grant_type": "client_credentials"}
        if refresh is not None:
            form = {"grant_type": "refresh_token", "refresh_token": refresh.value}
        if self._client.scope is not None:
            form["scope"] = self._client.scope
        return form

    def _sign(self, form: dict[str, str]) -> dict[str, str]:
        """Adds the client to the form, or returns it as a header (RFC 6749 s. 2.3.1)."""
        client = self._client
        secret = read_secret(client.client_secret) if client.client_secret else None
        if secret is not None and client.secret_place is SecretPlace.HEADER:
            pair = f"{quote_plus(client.client_id)}:{quote_plus(secret)}"
            return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        form["client_id"] = client.client_id
        if secret is not None:
            form["client_secret"] = secret
        return {}

    def _replaced(self, given: str, used: RefreshToken, answer: TokenAnswer, asked_at: datetime) -> RefreshToken:
        """The refresh token from now on. A new one is on disk before the access token beside it is used."""
        expires_at = asked_at + answer.refresh_lifetime if answer.refresh_lifetime else None
        if answer.refresh_token is None or answer.refresh_token == used.value:
            return RefreshToken(value=used.value, expires_at=expires_at or used.expires_at)
        token = RefreshToken(value=answer.refresh_token, expires_at=expires_at)
        self._kept.keep(given, token)
        return token


def read_secret(file: SecretFile) -> str:
    """The first line of the file. Raises LoginImpossible when it cannot be read or holds nothing."""
    try:
        secret = file.read()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not written in UTF-8"
        raise LoginImpossible(f"the secret file {file.path} cannot be read: {reason}") from None
    if not secret:
        raise LoginImpossible(f"the first line of the secret file {file.path} is empty")
    return secret


async def _on_own_thread(offload: Offload, owner: str, call: Callable[[], Obtained]) -> Obtained:
    worker = offload(owner)
    try:
        return await worker.run(call)
    finally:
        worker.abandon()
