"""Certificates, STARTTLS and login of the SMTP client (S13, S16)."""

from __future__ import annotations

import base64
import os
import ssl
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from tests.outbound.outgoing import Journal, claimed
from tests.servers.certificates import make_certificate, server_context
from tests.servers.smtp_sink import Act, Reply, SmtpSink

from mailcase.clock import SystemClock
from mailcase.config.settings import Relay, SecretFile, Tls
from mailcase.login.logins import PasswordCredentials
from mailcase.outbound.port import Attempt
from mailcase.outbound.relay import SmtpRelay
from mailcase.store.rows.outbox import DeliveryState

SECRET = "SECRET_pass word"
PLAIN = ("8BITMIME", "AUTH PLAIN")


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    file = tmp_path / "desk.secret"
    file.write_text(f"{SECRET}\n")
    return file


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return make_certificate(tmp_path, "IP:127.0.0.1")


async def send_one(
    port: int,
    tls: Tls,
    *,
    ca_file: Path | None = None,
    password_file: Path | None = None,
    reconnect_after: timedelta = timedelta(),
    patience: timedelta = timedelta(seconds=10),
    count: int = 1,
) -> Attempt:
    """Sends `count` mails, each with a new session of one relay; the last attempt."""
    settings = Relay(
        host="127.0.0.1",
        port=port,
        tls=tls,
        ca_file=ca_file,
        user="desk@example.org" if password_file else None,
        login=SecretFile(path=password_file) if password_file else None,
        helo="desk.example.org",
        timeout=patience,
    )
    clock = SystemClock()
    credentials = None
    if settings.user is not None and isinstance(settings.login, SecretFile):
        credentials = PasswordCredentials(settings.user, settings.login, clock=clock)
    relay = SmtpRelay(settings, clock=clock, credentials=credentials, reconnect_after=reconnect_after)
    for number in range(1, count + 1):
        async with relay.session() as session:
            attempts = await session.send(claimed(number=number), before_data=Journal())
    return attempts[0]


async def test_a_stripped_starttls_is_an_error_before_any_credential(password_file: Path) -> None:
    async with SmtpSink(extensions=PLAIN) as sink:
        attempt = await send_one(sink.port, Tls.STARTTLS, password_file=password_file)

    assert attempt.state is DeliveryState.DEFERRED
    assert "STARTTLS" in attempt.reply
    assert {command.split(" ")[0] for command in sink.commands} == {"EHLO"}


async def test_a_refused_starttls_is_an_error_before_any_credential(password_file: Path, certificate: Path) -> None:
    async with SmtpSink(extensions=PLAIN, starttls=server_context(certificate)) as sink:
        sink.script("STARTTLS", "454 4.7.0 TLS not available")

        attempt = await send_one(sink.port, Tls.STARTTLS, password_file=password_file)

    assert attempt.state is DeliveryState.DEFERRED
    assert "454 4.7.0" in attempt.reply
    assert [command for command in sink.commands if command.startswith(("AUTH", "MAIL"))] == []


@pytest.mark.parametrize(
    "reply", ["454 4.7.0 not now", "554 5.7.0 never", "421 4.3.2 busy", "354 what", "nonsense", Act.DROP, Act.SILENCE]
)
@pytest.mark.parametrize("verb", ["STARTTLS", "AUTH"])
async def test_every_answer_before_the_mail_defers_it_and_the_next_one_goes_out(
    verb: str, reply: Reply, password_file: Path, certificate: Path
) -> None:
    """R11: also 5xx, which here speaks of the connection or of the account, and not of the mail."""
    patience = timedelta(seconds=0.3 if reply is Act.SILENCE else 10)
    way = partial(send_one, tls=Tls.STARTTLS, ca_file=certificate, password_file=password_file)
    async with SmtpSink(extensions=PLAIN, starttls=server_context(certificate)) as sink:
        sink.script(verb, reply)
        first = await way(sink.port, patience=patience)
        commands_of_the_first = tuple(sink.commands)
        second = await way(sink.port)

    assert (first.state, second.state) == (DeliveryState.DEFERRED, DeliveryState.SENT)
    assert [command for command in commands_of_the_first if command.startswith("MAIL")] == []
    assert verb == "AUTH" or not any(command.startswith("AUTH") for command in commands_of_the_first)


@pytest.mark.parametrize("tls", [Tls.TLS, Tls.STARTTLS])
async def test_an_expired_certificate_is_refused(tls: Tls, tmp_path: Path, password_file: Path) -> None:
    certificate = make_certificate(tmp_path, "IP:127.0.0.1", is_expired=True)
    async with tls_sink(tls, certificate) as sink:
        attempt = await send_one(sink.port, tls, ca_file=certificate, password_file=password_file)

    assert attempt.state is DeliveryState.DEFERRED
    assert "expired" in attempt.reply
    assert [command for command in sink.commands if command.startswith(("AUTH", "MAIL"))] == []


@pytest.mark.parametrize("tls", [Tls.TLS, Tls.STARTTLS])
async def test_an_old_protocol_is_refused(tls: Tls, certificate: Path, password_file: Path) -> None:
    """S13: TLS 1.0 and 1.1."""
    async with tls_sink(tls, certificate, newest=ssl.TLSVersion.TLSv1_1) as sink:
        attempt = await send_one(sink.port, tls, ca_file=certificate, password_file=password_file)

    assert attempt.state is DeliveryState.DEFERRED
    assert [command for command in sink.commands if command.startswith(("AUTH", "MAIL"))] == []


@pytest.mark.parametrize("tls", [Tls.TLS, Tls.STARTTLS])
async def test_a_self_signed_certificate_is_refused_before_login(
    tls: Tls, certificate: Path, password_file: Path
) -> None:
    async with tls_sink(tls, certificate) as sink:
        attempt = await send_one(sink.port, tls, password_file=password_file)

    assert attempt.state is DeliveryState.DEFERRED
    assert "CERTIFICATE_VERIFY_FAILED" in attempt.reply
    assert [command for command in sink.commands if command.startswith(("AUTH", "MAIL"))] == []


@pytest.mark.parametrize("tls", [Tls.TLS, Tls.STARTTLS])
async def test_a_certificate_for_another_host_is_refused(tls: Tls, tmp_path: Path, password_file: Path) -> None:
    certificate = make_certificate(tmp_path, "DNS:other.example.org")
    async with tls_sink(tls, certificate) as sink:
        attempt = await send_one(sink.port, tls, ca_file=certificate, password_file=password_file)

    assert attempt.state is DeliveryState.DEFERRED
    assert "CERTIFICATE_VERIFY_FAILED" in attempt.reply
    assert [command for command in sink.commands if command.startswith(("AUTH", "MAIL"))] == []


@pytest.mark.parametrize("tls", [Tls.TLS, Tls.STARTTLS])
async def test_an_authority_of_the_operator_is_trusted_and_the_login_is_protected(
    tls: Tls, certificate: Path, password_file: Path
) -> None:
    async with tls_sink(tls, certificate) as sink:
        attempt = await send_one(sink.port, tls, ca_file=certificate, password_file=password_file)

    credentials = base64.b64encode(f"\0desk@example.org\0{SECRET}".encode()).decode()
    verbs = [command.split(" ")[0] for command in sink.commands]
    before_tls = ["EHLO", "STARTTLS"] if tls is Tls.STARTTLS else []
    assert attempt.state is DeliveryState.SENT
    assert f"AUTH PLAIN {credentials}" in sink.commands
    assert verbs == [*before_tls, "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"]


async def test_what_is_slipped_in_after_starttls_is_not_taken_for_an_answer(certificate: Path) -> None:
    """S13, RFC 3207 s. 4.2: plain text that somebody put behind the 220."""
    async with SmtpSink(starttls=server_context(certificate)) as sink:
        sink.script("STARTTLS", "220 2.0.0 go ahead\r\n250-evil.example.org\r\n250 XEVIL")

        attempt = await send_one(sink.port, Tls.STARTTLS, ca_file=certificate)

    assert attempt.state is DeliveryState.SENT
    assert "SIZE=" in next(command for command in sink.commands if command.startswith("MAIL"))


async def test_a_missing_authority_file_is_named(tmp_path: Path) -> None:
    async with SmtpSink() as sink:
        attempt = await send_one(sink.port, Tls.STARTTLS, ca_file=tmp_path / "none.pem")

    assert attempt.state is DeliveryState.DEFERRED
    assert "none.pem" in attempt.reply
    assert sink.connection_count == 0


async def test_a_refused_login_says_what_to_do_and_never_the_password(
    password_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """S16: the server repeats what it was sent."""
    encoded = base64.b64encode(f"\0desk@example.org\0{SECRET}".encode()).decode()
    async with SmtpSink(extensions=PLAIN) as sink:
        sink.script("AUTH", f"535 5.7.8 no '{SECRET}' no {encoded} here")

        attempt = await send_one(sink.port, Tls.NONE, password_file=password_file)

    said = attempt.reply + "".join(capsys.readouterr())
    assert attempt.state is DeliveryState.DEFERRED
    assert "desk@example.org" in attempt.reply
    assert str(password_file) in attempt.reply
    assert "535 5.7.8" in attempt.reply
    assert SECRET not in said
    assert encoded not in said


async def test_a_wrong_password_is_not_tried_again_for_every_mail(password_file: Path) -> None:
    async with SmtpSink(extensions=PLAIN) as sink:
        sink.script("AUTH", *["535 5.7.8 no"] * 5)

        attempt = await send_one(
            sink.port, Tls.NONE, password_file=password_file, reconnect_after=timedelta(hours=1), count=5
        )

    assert attempt.state is DeliveryState.DEFERRED
    assert len([command for command in sink.commands if command.startswith("AUTH")]) == 1


async def test_a_server_without_login_is_an_error_when_one_is_set(password_file: Path) -> None:
    async with SmtpSink(extensions=()) as sink:
        attempt = await send_one(sink.port, Tls.NONE, password_file=password_file)

    assert attempt.state is DeliveryState.DEFERRED
    assert "AUTH" in attempt.reply
    assert sink.mails == []


async def test_the_password_is_read_at_each_connect_and_a_missing_file_is_named(password_file: Path) -> None:
    later = password_file.with_name("later.secret")
    async with SmtpSink(extensions=PLAIN) as sink:
        without = await send_one(sink.port, Tls.NONE, password_file=later)
        os.rename(password_file, later)
        with_it = await send_one(sink.port, Tls.NONE, password_file=later)

    assert without.state is DeliveryState.DEFERRED
    assert str(later) in without.reply
    assert with_it.state is DeliveryState.SENT


def tls_sink(tls: Tls, certificate: Path, *, newest: ssl.TLSVersion | None = None) -> SmtpSink:
    context = server_context(certificate, newest=newest)
    if tls is Tls.TLS:
        return SmtpSink(extensions=PLAIN, tls=context)
    return SmtpSink(extensions=PLAIN, starttls=context)
