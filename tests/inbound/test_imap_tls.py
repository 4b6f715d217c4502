"""No password goes to an IMAP server that is not proved, over a line that is not protected (I1, S13).

The same against Dovecot stands in test_imap_session.py.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.servers.certificates import make_certificate, server_context
from tests.servers.imap_servers import connect
from tests.servers.scripted_imap import ScriptedImap, always

from mailcase.config.settings import Tls
from mailcase.inbound.imap_errors import ImapBroken, ImapUnavailable, ServerNotTrusted

CAN_STARTTLS = always(b"* CAPABILITY IMAP4rev1 STARTTLS\r\n{tag} OK done\r\n")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return make_certificate(tmp_path, "IP:127.0.0.1")


def protected(tls: Tls, context: ssl.SSLContext) -> ScriptedImap:
    if tls is Tls.TLS:
        return ScriptedImap({}, tls=context)
    return ScriptedImap({"CAPABILITY": CAN_STARTTLS}, starttls=context)


Problem = Callable[[Path], tuple[ssl.SSLContext, Path | None]]


def self_signed(folder: Path) -> tuple[ssl.SSLContext, Path | None]:
    return server_context(make_certificate(folder, "IP:127.0.0.1")), None


def wrong_host(folder: Path) -> tuple[ssl.SSLContext, Path | None]:
    certificate = make_certificate(folder, "DNS:other.example.org")
    return server_context(certificate), certificate


def expired(folder: Path) -> tuple[ssl.SSLContext, Path | None]:
    certificate = make_certificate(folder, "IP:127.0.0.1", is_expired=True)
    return server_context(certificate), certificate


def old_protocol(folder: Path) -> tuple[ssl.SSLContext, Path | None]:
    certificate = make_certificate(folder, "IP:127.0.0.1")
    return server_context(certificate, newest=ssl.TLSVersion.TLSv1_1), certificate


@pytest.mark.parametrize("tls", [Tls.TLS, Tls.STARTTLS])
@pytest.mark.parametrize("problem", [self_signed, wrong_host, expired, old_protocol])
def test_a_server_that_is_not_proved_gets_no_password(tmp_path: Path, tls: Tls, problem: Problem) -> None:
    context, ca_file = problem(tmp_path)
    with protected(tls, context) as server:
        source = replace(server.source(tmp_path / "secret"), tls=tls, ca_file=ca_file)

        with pytest.raises(ServerNotTrusted):
            connect(source)

    assert server.count("LOGIN") == 0


@pytest.mark.parametrize("tls", [Tls.TLS, Tls.STARTTLS])
def test_a_server_of_a_named_authority_is_logged_in_to(tmp_path: Path, tls: Tls, certificate: Path) -> None:
    with protected(tls, server_context(certificate)) as server:
        session = connect(replace(server.source(tmp_path / "secret"), tls=tls, ca_file=certificate))
        session.close()

    assert server.count("LOGIN") == 1


def test_what_is_slipped_in_after_starttls_is_not_taken_for_an_answer(tmp_path: Path, certificate: Path) -> None:
    """RFC 3501 s. 6.2.1: plain text that somebody put behind the OK."""
    slipped = always(b"{tag} OK begin\r\n* CAPABILITY IMAP4rev1 MOVE XEVIL\r\n* 99 EXISTS\r\n")
    answers = {"CAPABILITY": CAN_STARTTLS, "STARTTLS": slipped}
    with ScriptedImap(answers, starttls=server_context(certificate)) as server:
        session = connect(replace(server.source(tmp_path / "secret"), tls=Tls.STARTTLS, ca_file=certificate))
        capabilities = session.capabilities
        session.close()

    assert "XEVIL" not in capabilities


@pytest.mark.parametrize("answer", [b"{tag} NO later\r\n", b"{tag} BAD what\r\n", b"* BYE\r\n", None])
def test_a_refused_starttls_is_an_error_before_the_password(
    tmp_path: Path, certificate: Path, answer: bytes | None
) -> None:
    answers = {"CAPABILITY": CAN_STARTTLS, "STARTTLS": always(answer)}
    with ScriptedImap(answers) as server, pytest.raises((ServerNotTrusted, ImapBroken, ImapUnavailable)):
        connect(replace(server.source(tmp_path / "secret"), tls=Tls.STARTTLS, ca_file=certificate))

    assert server.count("LOGIN") == 0


def test_a_greeting_that_claims_a_login_gets_no_starttls_and_no_password(tmp_path: Path, certificate: Path) -> None:
    """PREAUTH by somebody in between would keep the line unprotected (CVE-2020-12398)."""
    answers = {"CAPABILITY": CAN_STARTTLS}
    with (
        ScriptedImap(answers, greeting=b"* PREAUTH hello\r\n") as server,
        pytest.raises((ServerNotTrusted, ImapBroken, ImapUnavailable)),
    ):
        connect(replace(server.source(tmp_path / "secret"), tls=Tls.STARTTLS, ca_file=certificate))

    assert server.count("LOGIN") == 0
    assert server.count("SELECT") == 0
