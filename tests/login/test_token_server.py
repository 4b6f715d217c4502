"""What is asked of a token server, and what each of its answers comes to (L9)."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import stat
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.login.asked import START, tokens_of
from tests.servers.certificates import make_certificate, server_context
from tests.servers.eventually import eventually
from tests.servers.token_server import (
    CLIENT_ID,
    CLIENT_SECRET,
    REFRESH_TOKEN,
    Act,
    Answer,
    LocalTokenServer,
    refusal,
)

from mailcase.config.settings import SecretPlace
from mailcase.login.errors import LoginImpossible, TokenUnavailable
from mailcase.login.http import ANSWER_LIMIT_BYTES


async def test_client_credentials_give_a_token_with_its_end(tmp_path: Path) -> None:
    with LocalTokenServer(lifetime_seconds=3600) as server:
        token = await tokens_of(server.client(tmp_path), tmp_path).get()

        assert server.knows(token.value)
    assert token.expires_at == START + timedelta(hours=1)
    assert server.requests[0].form == {
        "grant_type": "client_credentials",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "scope": "mail",
    }


async def test_the_client_secret_can_stand_in_a_header(tmp_path: Path) -> None:
    """RFC 6749 s. 2.3.1: both halves are encoded as in a form."""
    with LocalTokenServer() as server:
        client = replace(server.client(tmp_path), secret_place=SecretPlace.HEADER)

        token = await tokens_of(client, tmp_path).get()

        assert server.knows(token.value)
    assert "client_secret" not in server.requests[0].form
    assert base64.b64decode((server.requests[0].authorization or "")[6:]) == b"mailcase:SECRET+client%2Fsecret"


async def test_a_refresh_token_gives_a_token(tmp_path: Path) -> None:
    with LocalTokenServer() as server:
        client = server.client(tmp_path, has_refresh_token=True)

        token = await tokens_of(client, tmp_path).get()

        assert server.knows(token.value)
    assert server.requests[0].form["refresh_token"] == REFRESH_TOKEN
    assert not (tmp_path / "tokens").exists()


class TestReplacedRefreshTokens:
    """L9, S17."""

    async def test_the_new_one_is_kept_for_the_next_life(self, tmp_path: Path) -> None:
        with LocalTokenServer(rotates=True) as server:
            client = server.client(tmp_path, has_refresh_token=True)
            await tokens_of(client, tmp_path).get()

            token = await tokens_of(client, tmp_path).get()

            assert server.knows(token.value)
        (kept,) = (tmp_path / "tokens").iterdir()
        assert [request.form["refresh_token"] for request in server.requests] == [REFRESH_TOKEN, "SECRET-refresh-1"]
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
        assert "SECRET-refresh-3" in kept.read_text()

    async def test_the_operators_file_counts_as_soon_as_it_holds_another_one(self, tmp_path: Path) -> None:
        with LocalTokenServer(rotates=True) as server:
            client = server.client(tmp_path, has_refresh_token=True)
            await tokens_of(client, tmp_path).get()
            server.consent("SECRET-consented")
            (tmp_path / "refresh.secret").write_text("SECRET-consented")

            token = await tokens_of(client, tmp_path).get()

            assert server.knows(token.value)
        assert server.requests[-1].form["refresh_token"] == "SECRET-consented"

    async def test_the_same_file_put_there_again_changes_nothing(self, tmp_path: Path) -> None:
        """Configuration management writes what it has, at any time: no times are compared."""
        with LocalTokenServer(rotates=True) as server:
            client = server.client(tmp_path, has_refresh_token=True)
            await tokens_of(client, tmp_path).get()
            moved = tmp_path / "elsewhere.secret"
            moved.write_text(REFRESH_TOKEN)
            os.utime(moved, (4e9, 4e9))
            assert client.refresh_token is not None
            client = replace(client, refresh_token=replace(client.refresh_token, path=moved))

            await tokens_of(client, tmp_path).get()

        assert server.requests[-1].form["refresh_token"] == "SECRET-refresh-1"

    async def test_one_that_cannot_be_written_is_used_and_written_later(self, tmp_path: Path) -> None:
        (tmp_path / "tokens").write_text("a file in the way")
        with LocalTokenServer(rotates=True, lifetime_seconds=1) as server:
            client = server.client(tmp_path, has_refresh_token=True)
            tokens = tokens_of(client, tmp_path)
            first = await tokens.get()
            tokens.token = None
            (tmp_path / "tokens").unlink()

            second = await tokens.get()

            assert server.knows(first.value)
            assert server.knows(second.value)
        (kept,) = (tmp_path / "tokens").iterdir()
        assert "SECRET-refresh-3" in kept.read_text()

    async def test_one_that_comes_when_nobody_waits_any_more_is_kept(self, tmp_path: Path) -> None:
        """The server has ended the old one, whether we listened or not."""
        with LocalTokenServer(rotates=True) as server:
            server.script(Act.LATE)
            client = server.client(tmp_path, has_refresh_token=True)
            tokens = tokens_of(client, tmp_path, timeout=timedelta(seconds=1))
            impatient = asyncio.create_task(tokens.get())
            await eventually(lambda: _is_asked(server), "the request")
            impatient.cancel()
            server.release()
            await eventually(lambda: _is_kept(tmp_path / "tokens"), "the kept token")

            token = await tokens.get()

            assert server.knows(token.value)

    async def test_a_damaged_one_gives_way_to_the_operators(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with LocalTokenServer(rotates=True) as server:
            client = server.client(tmp_path, has_refresh_token=True)
            await tokens_of(client, tmp_path).get()
            (kept,) = (tmp_path / "tokens").iterdir()
            kept.write_text('{"version": 1, "refresh_token": "SECRET-half')
            server.consent(REFRESH_TOKEN)

            await tokens_of(client, tmp_path).get()

        assert server.requests[-1].form["refresh_token"] == REFRESH_TOKEN
        assert "kept_token_unusable" in (said := "".join(capsys.readouterr()))
        assert "SECRET" not in said

    async def test_its_end_is_known_where_the_server_tells(self, tmp_path: Path) -> None:
        answer = {"access_token": "a", "expires_in": "60", "refresh_token": "r", "refresh_token_expires_in": 86400}
        with LocalTokenServer() as server:
            server.script(Answer(200, json.dumps(answer).encode()))
            client = server.client(tmp_path, has_refresh_token=True)
            tokens = tokens_of(client, tmp_path)

            token = await tokens.get()

        assert tokens.refresh_expires_at == START + timedelta(days=1)
        assert token.expires_at == START + timedelta(minutes=1)


async def _is_asked(server: LocalTokenServer) -> bool:
    return bool(server.requests)


async def _is_kept(folder: Path) -> bool:
    return bool(_kept(folder))


def _kept(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))


HUGE = b'{"access_token": "' + b"x" * ANSWER_LIMIT_BYTES + b'"}'
NOW = TokenUnavailable
OPERATOR = LoginImpossible


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (refusal("invalid_grant", "AADSTS700082: expired"), OPERATOR, "AADSTS700082: expired; the refresh token has"),
        (refusal("invalid_grant"), OPERATOR, "put the new refresh token into {folder}/refresh.secret"),
        (refusal("invalid_client", "no", 401), OPERATOR, "the first line of {folder}/client.secret"),
        (refusal("unauthorized_client"), OPERATOR, "its permissions and the consent"),
        (refusal("invalid_scope"), OPERATOR, "check `scope`, which is mail"),
        (refusal("unsupported_grant_type"), OPERATOR, "it takes no refresh tokens"),
        (refusal("invalid_request"), OPERATOR, "check `token_url`, `client_id`"),
        (refusal("temporarily_unavailable", "later"), NOW, "cannot give a token now: temporarily_unavailable: later"),
        (refusal("invalid_grant", "overload", 503), NOW, "cannot give a token now"),
        (Answer(503, b"<html>"), NOW, "answers 503"),
        (Answer(429, b"", {"Retry-After": "120"}), NOW, "answers 429"),
        (Answer(404, b"<html>"), OPERATOR, "answers 404 without a reason; check `token_url`"),
        (
            Answer(302, b"", {"Location": "http://127.0.0.1:1/"}),
            OPERATOR,
            "another address, to which no secret is sent",
        ),
        (Answer(200, b"{"), NOW, "answers no JSON object"),
        (Answer(200, b"[" * 100_000), NOW, "answers no JSON object"),
        (Answer(200, b'["access_token"]'), NOW, "answers no JSON object"),
        (Answer(200, b'{"access_token": ""}'), NOW, "gives no access token that could be used"),
        (Answer(200, b'{"access_token": "a\\r\\nA1 LOGOUT"}'), NOW, "gives no access token that could be used"),
        (Answer(200, b'{"access_token": 5}'), NOW, "gives no access token that could be used"),
        (Answer(200, b'{"access_token": "a", "token_type": "mac"}'), OPERATOR, "mail servers take Bearer alone"),
        (Answer(200, HUGE), NOW, "more than any token server has to say"),
        (Act.DROP, NOW, "cannot be reached"),
        (Act.HANG, NOW, "within 0.3 seconds"),
        (Act.TRICKLE, NOW, "within 0.3 seconds"),
    ],
)
async def test_each_answer_says_who_must_act(
    tmp_path: Path, answer: Answer | Act, kind: type[Exception], words: str
) -> None:
    with LocalTokenServer() as server:
        server.script(answer)
        timeout = timedelta(seconds=0.3 if isinstance(answer, Act) else 10)
        tokens = tokens_of(server.client(tmp_path, has_refresh_token=True), tmp_path, timeout=timeout)

        with pytest.raises(kind) as failed:
            await tokens.get()

        assert words.format(folder=tmp_path) in str(failed.value)
        assert "SECRET" not in str(failed.value)
        assert len(server.requests) == 1


async def test_a_server_that_repeats_what_it_was_sent_is_not_quoted(tmp_path: Path) -> None:
    """S16."""
    opaque = "0.AXoAsecret" * 8
    with LocalTokenServer() as server:
        server.script(refusal("invalid_grant", f"no '{opaque}' here"))

        with pytest.raises(LoginImpossible) as failed:
            await tokens_of(server.client(tmp_path), tmp_path).get()

    assert "no '***' here" in str(failed.value)


@pytest.mark.parametrize(("lifetime", "kept"), [(True, None), (-5, None), ("soon", None), (1e300, None), (0, None)])
async def test_a_lifetime_that_is_none_is_unknown(tmp_path: Path, lifetime: object, kept: None) -> None:
    with LocalTokenServer() as server:
        server.script(Answer(200, json.dumps({"access_token": "a", "expires_in": lifetime}).encode()))

        token = await tokens_of(server.client(tmp_path), tmp_path).get()

    assert token.expires_at is kept


async def test_a_secret_file_that_is_missing_or_empty_is_named(tmp_path: Path) -> None:
    with LocalTokenServer() as server:
        client = server.client(tmp_path)
        (tmp_path / "client.secret").write_text("\nlater")
        with pytest.raises(LoginImpossible, match=r"the first line of .*client\.secret is empty"):
            await tokens_of(client, tmp_path).get()
        (tmp_path / "client.secret").unlink()

        with pytest.raises(LoginImpossible, match=r"client\.secret cannot be read: No such file"):
            await tokens_of(client, tmp_path).get()

        assert server.requests == []


class TestTls:
    async def test_a_certificate_of_an_unknown_authority_is_refused_before_any_secret(self, tmp_path: Path) -> None:
        context = server_context(make_certificate(tmp_path, "IP:127.0.0.1"))
        with LocalTokenServer(tls=context) as server:
            with pytest.raises(LoginImpossible, match=r"cannot be verified.*set `ca_file` in `oauth`"):
                await tokens_of(server.client(tmp_path), tmp_path).get()

            assert server.requests == []

    async def test_an_authority_of_the_operator_is_trusted(self, tmp_path: Path) -> None:
        certificate = make_certificate(tmp_path, "IP:127.0.0.1")
        with LocalTokenServer(tls=server_context(certificate)) as server:
            client = replace(server.client(tmp_path), ca_file=certificate)

            assert server.knows((await tokens_of(client, tmp_path).get()).value)

    async def test_a_certificate_for_another_host_is_refused(self, tmp_path: Path) -> None:
        certificate = make_certificate(tmp_path, "DNS:other.example.org")
        with LocalTokenServer(tls=server_context(certificate)) as server:
            client = replace(server.client(tmp_path), ca_file=certificate)

            with pytest.raises(LoginImpossible, match="cannot be verified"):
                await tokens_of(client, tmp_path).get()

    async def test_a_missing_authority_file_is_named(self, tmp_path: Path) -> None:
        with LocalTokenServer() as server:
            client = replace(server.client(tmp_path), ca_file=tmp_path / "none.pem")

            with pytest.raises(LoginImpossible, match=r"none\.pem"):
                await tokens_of(client, tmp_path).get()


async def test_the_proxy_of_the_environment_is_asked_for_a_tunnel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The secret goes through it under TLS alone."""
    heard: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        connection, _address = listener.accept()
        with connection:
            heard.append(connection.recv(4096))
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener, LocalTokenServer() as server:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{listener.getsockname()[1]}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        client = replace(server.client(tmp_path), token_url="https://id.example.org/token")

        with pytest.raises(TokenUnavailable, match="check HTTPS_PROXY and NO_PROXY"):
            await tokens_of(client, tmp_path).get()

        thread.join(10)
    assert heard[0].startswith(b"CONNECT id.example.org:443 ")
    assert b"SECRET" not in heard[0]
