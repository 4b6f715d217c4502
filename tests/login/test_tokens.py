"""When a token is asked for, and when not: kept until shortly before its end, renewed once, no busy loop (L9)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from tests.login.asked import START, credentials_of, tokens_of
from tests.servers.eventually import eventually
from tests.servers.token_server import Act, Answer, LocalTokenServer, refusal

from mailcase.clock import SteppedClock
from mailcase.login.credentials import Bearer, Credential
from mailcase.login.errors import LoginImpossible, LoginRefused, TokenUnavailable
from mailcase.login.logins import LoginKind, LoginStatus, log_in
from mailcase.login.tokens import TokenPace

SLOW = TokenPace(first_pause=timedelta(hours=1))
MINUTE = timedelta(minutes=1)


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(START)


async def test_a_token_is_kept_until_five_minutes_before_its_end(tmp_path: Path, clock: SteppedClock) -> None:
    with LocalTokenServer(lifetime_seconds=3600) as server:
        tokens = tokens_of(server.client(tmp_path), tmp_path, clock=clock)
        first = await tokens.get()
        clock.step(54 * MINUTE)
        kept = await tokens.get()
        clock.step(MINUTE)

        renewed = await tokens.get()

    assert kept == first
    assert renewed != first
    assert len(server.requests) == 2


async def test_a_short_token_is_kept_for_three_quarters_of_its_life(tmp_path: Path, clock: SteppedClock) -> None:
    with LocalTokenServer(lifetime_seconds=60) as server:
        tokens = tokens_of(server.client(tmp_path), tmp_path, clock=clock)
        first = await tokens.get()
        clock.step(timedelta(seconds=44))

        assert await tokens.get() == first
        clock.step(timedelta(seconds=1))
        assert await tokens.get() != first


async def test_a_clock_that_was_set_back_asks_anew(tmp_path: Path, clock: SteppedClock) -> None:
    with LocalTokenServer() as server:
        tokens = tokens_of(server.client(tmp_path), tmp_path, clock=clock)
        first = await tokens.get()
        clock.step(timedelta(days=-3650))

        assert await tokens.get() != first


async def test_many_who_want_a_token_at_once_ask_once(tmp_path: Path) -> None:
    with LocalTokenServer() as server:
        tokens = tokens_of(server.client(tmp_path), tmp_path)

        got = await asyncio.gather(*(tokens.get() for _ in range(10)))

    assert len(set(got)) == 1
    assert len(server.requests) == 1


async def test_a_renewal_that_fails_leaves_the_token_at_hand_in_use(tmp_path: Path, clock: SteppedClock) -> None:
    """L9: early, so that there is time to act; until then everything goes on, and the status says what is wrong."""
    with LocalTokenServer(lifetime_seconds=3600) as server:
        credentials = credentials_of(server.client(tmp_path), tmp_path, clock=clock)
        first = await credentials.get()
        credentials.accepted()
        clock.step(57 * MINUTE)
        server.script(*[refusal("invalid_client", "ended")] * 2)

        assert await credentials.get() == first
        assert credentials.status.needs_operator
        assert "ended; check `client_id`" in (credentials.status.failure or "")
        clock.step(3 * MINUTE)
        with pytest.raises(LoginImpossible, match="ended"):
            await credentials.get()


async def test_after_a_failure_nothing_is_asked_for_a_while(tmp_path: Path) -> None:
    with LocalTokenServer() as server:
        tokens = tokens_of(server.client(tmp_path), tmp_path, pace=SLOW)
        server.script(Answer(503, b""))

        for _ in range(20):
            with pytest.raises(TokenUnavailable, match="answers 503"):
                await tokens.get()

    assert len(server.requests) == 1


async def test_the_server_may_ask_for_a_longer_pause(tmp_path: Path) -> None:
    with LocalTokenServer() as server:
        tokens = tokens_of(server.client(tmp_path), tmp_path)
        server.script(Answer(429, b"", {"Retry-After": "3600"}))

        for _ in range(2):
            with pytest.raises(TokenUnavailable):
                await tokens.get()

    assert len(server.requests) == 1


async def test_a_pause_passes_by_itself(tmp_path: Path) -> None:
    with LocalTokenServer() as server:
        tokens = tokens_of(server.client(tmp_path), tmp_path)
        server.script(refusal("temporarily_unavailable"))
        with pytest.raises(TokenUnavailable):
            await tokens.get()

        assert server.knows((await tokens.get()).value)
    assert tokens.failure is None


async def test_a_person_who_waits_ends_the_pause(tmp_path: Path) -> None:
    with LocalTokenServer() as server:
        tokens = tokens_of(server.client(tmp_path), tmp_path, pace=SLOW)
        server.script(Answer(503, b""))
        with pytest.raises(TokenUnavailable):
            await tokens.get()

        assert server.knows((await tokens.get(at_once=True)).value)


async def test_another_secret_in_the_file_ends_the_pause(tmp_path: Path) -> None:
    """What the message tells the operator to do takes effect by itself."""
    with LocalTokenServer() as server:
        client = server.client(tmp_path, has_refresh_token=True)
        server.consent("SECRET-consented")
        tokens = tokens_of(client, tmp_path, pace=SLOW)
        with pytest.raises(LoginImpossible, match="consent again"):
            await tokens.get()
        (tmp_path / "refresh.secret").write_text("SECRET-consented")

        assert server.knows((await tokens.get()).value)


class MailServer:
    """Lets in who shows a token that the token server knows, unless it has something against everybody."""

    def __init__(self, server: LocalTokenServer, *, is_open: bool = True) -> None:
        self._server = server
        self._is_open = is_open
        self.shown: list[str] = []

    async def attempt(self, credential: Credential) -> None:
        assert isinstance(credential, Bearer)
        self.shown.append(credential.token.value)
        if not (self._is_open and self._server.knows(credential.token.value)):
            raise LoginRefused("no")


async def test_a_token_of_before_that_is_refused_is_renewed_once(tmp_path: Path, clock: SteppedClock) -> None:
    with LocalTokenServer() as server:
        credentials, mail = credentials_of(server.client(tmp_path), tmp_path, clock=clock), MailServer(server)
        await log_in(credentials, mail.attempt)
        server.revoke()
        clock.step(10 * MINUTE)

        await log_in(credentials, mail.attempt)

    assert len(set(mail.shown)) == len(server.requests) == 2
    assert credentials.status.failure is None


async def test_a_new_token_that_is_refused_too_is_the_end(tmp_path: Path, clock: SteppedClock) -> None:
    with LocalTokenServer() as server:
        credentials = credentials_of(server.client(tmp_path), tmp_path, clock=clock)
        await log_in(credentials, MailServer(server).attempt)
        clock.step(10 * MINUTE)
        closed = MailServer(server, is_open=False)

        with pytest.raises(LoginRefused):
            await log_in(credentials, closed.attempt)

    assert len(closed.shown) == 2
    assert credentials.status.needs_operator


async def test_a_fresh_token_that_is_refused_is_not_renewed(tmp_path: Path) -> None:
    """Whatever the reason, another one would not help, and a full outbox must not storm the token server."""
    with LocalTokenServer() as server:
        credentials, closed = credentials_of(server.client(tmp_path), tmp_path), MailServer(server, is_open=False)

        for _ in range(5):
            with pytest.raises(LoginRefused):
                await log_in(credentials, closed.attempt)

    assert len(server.requests) == 1
    assert len(closed.shown) == 5


async def test_a_refused_token_that_somebody_else_has_renewed_is_tried_anew(
    tmp_path: Path, clock: SteppedClock
) -> None:
    """Two mailboxes of one client share its tokens."""
    with LocalTokenServer() as server:
        tokens = tokens_of(server.client(tmp_path), tmp_path, clock=clock)
        old = await tokens.get()
        clock.step(10 * MINUTE)
        assert tokens.refused(old)
        await tokens.get()

        assert tokens.refused(old)
        await tokens.get()

    assert len(server.requests) == 2


async def test_the_status_tells_the_end_of_the_token_and_never_the_token(tmp_path: Path) -> None:
    with LocalTokenServer(lifetime_seconds=3600) as server:
        credentials = credentials_of(server.client(tmp_path), tmp_path, user="shared@example.org")
        untried = credentials.status
        await credentials.get()

    assert untried == LoginStatus(kind=LoginKind.CLIENT_CREDENTIALS, user="shared@example.org")
    assert credentials.status == LoginStatus(
        kind=LoginKind.CLIENT_CREDENTIALS,
        user="shared@example.org",
        token_obtained_at=START,
        token_expires_at=START + timedelta(hours=1),
    )


async def test_nobody_sees_a_token_by_printing_what_holds_it(tmp_path: Path) -> None:
    """S16: an exception's traceback, or a log line, may show any of our values."""
    with LocalTokenServer() as server:
        credential = await credentials_of(server.client(tmp_path), tmp_path).get()

    assert "SECRET" not in repr(credential)


async def test_a_hanging_server_holds_nothing_else_up(tmp_path: Path) -> None:
    """L7: what is abandoned ends on its own thread."""
    with LocalTokenServer() as server:
        server.script(Act.HANG)
        timeout = timedelta(milliseconds=200)
        hanging = tokens_of(server.client(tmp_path), tmp_path, timeout=timeout)
        other = tokens_of(server.client(tmp_path, has_refresh_token=True), tmp_path)

        asked = asyncio.ensure_future(hanging.get())
        await eventually(lambda: _is_asked(server), "the request that hangs")
        good = await other.get()
        with pytest.raises(TokenUnavailable, match=r"within 0\.2 seconds"):
            await asked

        assert server.knows(good.value)


async def _is_asked(server: LocalTokenServer) -> bool:
    return bool(server.requests)
