"""Logging in at the relay with access tokens."""

from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path

import pytest
from tests.login.asked import START, credentials_of
from tests.outbound.outgoing import Journal, claimed
from tests.servers.smtp_sink import Act, SmtpSink
from tests.servers.token_server import LocalTokenServer, refusal

from mailcase.clock import SteppedClock, SystemClock
from mailcase.config.settings import Relay, Tls
from mailcase.login.credentials import Bearer
from mailcase.login.logins import TokenCredentials
from mailcase.outbound.port import Attempt
from mailcase.outbound.relay import SmtpRelay
from mailcase.store.rows.outbox import DeliveryState

BOTH = ("8BITMIME", "AUTH PLAIN XOAUTH2 OAUTHBEARER")
ONLY_OAUTHBEARER = ("8BITMIME", "AUTH PLAIN OAUTHBEARER")
WHY = "334 " + base64.b64encode(b'{"status":"401"}').decode()
NO = "535 5.7.3 Authentication unsuccessful"
SHARED = "shared@example.org"


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(START)


@pytest.fixture
def credentials(token_server: LocalTokenServer, tmp_path: Path, clock: SteppedClock) -> TokenCredentials:
    return credentials_of(token_server.client(tmp_path), tmp_path, user=SHARED, clock=clock)


async def send_one(port: int, credentials: TokenCredentials, *, count: int = 1) -> Attempt:
    """Sends `count` mails, each with a new session of one relay; the last attempt."""
    settings = Relay(
        host="127.0.0.1",
        port=port,
        tls=Tls.NONE,
        ca_file=None,
        user=SHARED,
        login=None,
        helo="desk.example.org",
        timeout=timedelta(seconds=10),
    )
    relay = SmtpRelay(settings, clock=SystemClock(), credentials=credentials, reconnect_after=timedelta())
    for number in range(1, count + 1):
        async with relay.session() as session:
            attempts = await session.send(claimed(number=number), before_data=Journal())
    return attempts[0]


def shown(sink: SmtpSink) -> list[tuple[str, bytes]]:
    """Mechanism and what was said with it, of each AUTH."""
    words = [command.split(" ") for command in sink.commands if command.startswith("AUTH")]
    return [(mechanism, base64.b64decode(said)) for _verb, mechanism, said in words]


async def test_mail_goes_out_with_a_token_for_a_shared_mailbox(
    token_server: LocalTokenServer, credentials: TokenCredentials
) -> None:
    async with SmtpSink(extensions=BOTH) as sink:
        attempt = await send_one(sink.port, credentials, count=2)

    ((mechanism, said), _second) = shown(sink)
    token = said.removeprefix(b"user=shared@example.org\x01auth=Bearer ").removesuffix(b"\x01\x01").decode()
    assert attempt.state is DeliveryState.SENT
    assert mechanism == "XOAUTH2"
    assert token_server.knows(token)
    assert len(token_server.requests) == 1


async def test_a_server_with_oauthbearer_alone_is_shown_it_so(credentials: TokenCredentials) -> None:
    async with SmtpSink(extensions=ONLY_OAUTHBEARER) as sink:
        port = sink.port
        attempt = await send_one(port, credentials)

    ((mechanism, said),) = shown(sink)
    assert attempt.state is DeliveryState.SENT
    assert mechanism == "OAUTHBEARER"
    assert said.startswith(f"n,a=shared@example.org,\x01host=127.0.0.1\x01port={port}\x01auth=Bearer ".encode())


async def test_a_token_of_before_that_is_refused_is_renewed_once(
    token_server: LocalTokenServer, credentials: TokenCredentials, clock: SteppedClock
) -> None:
    await credentials.get()
    clock.step(timedelta(minutes=10))
    async with SmtpSink(extensions=BOTH) as sink:
        sink.script("AUTH", WHY)
        # The empty answer, after which the server says no.
        sink.script("", NO)

        attempt = await send_one(sink.port, credentials)

    assert attempt.state is DeliveryState.SENT
    assert len({said for _mechanism, said in shown(sink)}) == 2
    assert len(token_server.requests) == 2


async def test_a_login_that_is_refused_says_what_to_do_and_never_the_token(
    credentials: TokenCredentials, capsys: pytest.CaptureFixture[str]
) -> None:
    """S16: the server repeats what it was sent."""
    credential = await credentials.get()
    sent = base64.b64encode(f"user={SHARED}\x01auth=Bearer {token_of(credential)}\x01\x01".encode()).decode()
    async with SmtpSink(extensions=BOTH) as sink:
        sink.script("AUTH", f"535 5.7.3 not {token_of(credential)} not {sent} here")

        attempt = await send_one(sink.port, credentials)

    said = attempt.reply + "".join(capsys.readouterr())
    assert attempt.state is DeliveryState.DEFERRED
    assert "check that `user` is the mailbox" in attempt.reply
    assert "535 5.7.3 not *** not *** here" in attempt.reply
    assert token_of(credential) not in said
    assert credentials.status.needs_operator


async def test_without_a_token_mail_is_deferred_and_nobody_is_bothered(
    token_server: LocalTokenServer, credentials: TokenCredentials
) -> None:
    token_server.script(refusal("invalid_client", "the secret has ended", 401))
    async with SmtpSink(extensions=BOTH) as sink:
        attempt = await send_one(sink.port, credentials)

    assert attempt.state is DeliveryState.DEFERRED
    assert "the secret has ended; check `client_id` and the first line of" in attempt.reply
    assert shown(sink) == []


async def test_a_server_that_takes_no_tokens_is_shown_none(credentials: TokenCredentials) -> None:
    async with SmtpSink(extensions=("AUTH PLAIN LOGIN",)) as sink:
        attempt = await send_one(sink.port, credentials)

    assert attempt.state is DeliveryState.DEFERRED
    assert "it takes no access tokens" in attempt.reply
    assert shown(sink) == []


async def test_a_server_that_cannot_log_in_now_costs_no_token(
    token_server: LocalTokenServer, credentials: TokenCredentials, clock: SteppedClock
) -> None:
    """RFC 4954 s. 6: 454 says nothing about the token."""
    await credentials.get()
    clock.step(timedelta(minutes=10))
    async with SmtpSink(extensions=BOTH) as sink:
        sink.script("AUTH", "454 4.7.0 Temporary authentication failure")

        first = await send_one(sink.port, credentials)
        second = await send_one(sink.port, credentials)

    assert "cannot log shared@example.org in now: 454 4.7.0" in first.reply
    assert second.state is DeliveryState.SENT
    assert len(token_server.requests) == 1


async def test_a_server_that_breaks_off_in_the_login_is_tried_again(credentials: TokenCredentials) -> None:
    async with SmtpSink(extensions=BOTH) as sink:
        sink.script("AUTH", Act.DROP)

        first = await send_one(sink.port, credentials)
        second = await send_one(sink.port, credentials)

    assert first.state is DeliveryState.DEFERRED
    assert second.state is DeliveryState.SENT


def token_of(credential: object) -> str:
    assert isinstance(credential, Bearer)
    return credential.token.value
