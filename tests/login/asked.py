"""A client of the local token server, as the daemon has it, with a clock that is stepped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from mailcase.clock import SteppedClock
from mailcase.config.settings import OAuthClient
from mailcase.entropy import SeededEntropy
from mailcase.login.logins import TokenCredentials
from mailcase.login.token_server import TokenServer
from mailcase.login.tokens import TokenPace, Tokens
from mailcase.offload import OwnedThread

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
#: Failures of before hold nothing up.
NO_PAUSE = TokenPace(first_pause=timedelta(), longest_pause=timedelta())


def tokens_of(
    client: OAuthClient,
    state_folder: Path,
    *,
    clock: SteppedClock | None = None,
    timeout: timedelta = timedelta(seconds=10),
    pace: TokenPace = NO_PAUSE,
) -> Tokens:
    """One life of the daemon: what it knows of the client's tokens. Another call is another life."""
    clock = clock or SteppedClock(START)
    server = TokenServer(client, state_folder=state_folder, clock=clock, offload=OwnedThread, timeout=timeout)
    return Tokens(
        server,
        name=f"the token server {client.token_url}",
        secret_files=server.secret_files(),
        clock=clock,
        entropy=SeededEntropy(1),
        timeout=timeout,
        pace=pace,
    )


def credentials_of(
    client: OAuthClient,
    state_folder: Path,
    *,
    user: str = "ann",
    clock: SteppedClock | None = None,
    timeout: timedelta = timedelta(seconds=10),
) -> TokenCredentials:
    """What a mailbox with that client shows."""
    clock = clock or SteppedClock(START)
    return TokenCredentials(user, client, tokens_of(client, state_folder, clock=clock, timeout=timeout), clock=clock)
