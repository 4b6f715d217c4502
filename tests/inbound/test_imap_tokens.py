"""Logging in at IMAP servers with access tokens: against Dovecot, which asks the token server, and scripted servers."""

from __future__ import annotations

import asyncio
import base64
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.inbound.test_check import mailbox
from tests.inbound.watched import Watched
from tests.login.asked import START, credentials_of
from tests.servers.eventually import eventually
from tests.servers.imap_servers import Dovecot
from tests.servers.scripted_imap import RAW, Answer, ScriptedImap, always
from tests.servers.token_server import Act, LocalTokenServer, refusal

from mailcase.clock import SteppedClock
from mailcase.core.case import MailboxName
from mailcase.errors import AppError
from mailcase.inbound.check import check_mailbox
from mailcase.inbound.imap import ImapSession
from mailcase.inbound.imap_errors import ImapUnavailable, UnfitForImap
from mailcase.login.credentials import AccessToken, Bearer
from mailcase.login.errors import LoginRefused
from mailcase.login.logins import TokenCredentials
from mailcase.offload import OwnedThread

DESK = MailboxName("desk")
TOKEN = AccessToken(value="SECRET-token", obtained_at=datetime(2026, 11, 24, tzinfo=UTC), expires_at=None)
BEARER = Bearer(user="ann", token=TOKEN, advice="ask the operator")
BOTH = b"* CAPABILITY IMAP4rev1 IDLE AUTH=XOAUTH2 AUTH=OAUTHBEARER\r\n{tag} OK done\r\n"
ONLY_OAUTHBEARER = b"* CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN AUTH=OAUTHBEARER\r\n{tag} OK done\r\n"
WHY = base64.b64encode(b'{"status":"401","schemes":"bearer","scope":"mail"}')


@pytest.fixture
def credentials(token_server: LocalTokenServer, tmp_path: Path) -> TokenCredentials:
    return credentials_of(token_server.client(tmp_path), tmp_path)


@pytest.mark.dovecot
class TestDovecot:
    """A real server, whose XOAUTH2 asks the same token server."""

    async def test_mail_is_read_with_a_token(
        self, dovecot_with_tokens: Dovecot, credentials: TokenCredentials, watched: Watched
    ) -> None:
        folder = dovecot_with_tokens.new_folder()
        with dovecot_with_tokens.program() as program:
            program.put(folder, RAW)

        watched.watch(dovecot_with_tokens.source(folder, takes_existing=True), credentials=credentials)

        assert len(await watched.until_taken(1)) == 1
        assert credentials.status.token_expires_at is not None

    async def test_a_token_that_was_revoked_is_renewed_at_once(
        self, dovecot_with_tokens: Dovecot, token_server: LocalTokenServer, tmp_path: Path, watched: Watched
    ) -> None:
        clock = SteppedClock(START)
        credentials = credentials_of(token_server.client(tmp_path), tmp_path, clock=clock)
        await credentials.get()
        token_server.revoke()
        clock.step(timedelta(minutes=10))

        watched.watch(dovecot_with_tokens.source(dovecot_with_tokens.new_folder()), credentials=credentials)
        state = await watched.until_looked()

        assert state.last_error is None
        assert len(token_server.requests) == 2

    async def test_the_check_tells_the_login_and_the_end_of_the_token(
        self, dovecot_with_tokens: Dovecot, credentials: TokenCredentials
    ) -> None:
        (row,) = await check_mailbox(mailbox(dovecot_with_tokens.source("INBOX")), OwnedThread, {DESK: credentials})

        assert isinstance(row, dict)
        assert row["ok"] is True
        assert "login by client-credentials, access token until 2026-11-24 10:00 UTC" in str(row["detail"])

    async def test_a_mailbox_that_the_application_may_not_use_says_what_to_do(
        self, dovecot_with_tokens: Dovecot, token_server: LocalTokenServer, credentials: TokenCredentials
    ) -> None:
        token_server.user = "bob"

        (row,) = await check_mailbox(mailbox(dovecot_with_tokens.source("INBOX")), OwnedThread, {DESK: credentials})

        assert isinstance(row, dict)
        assert row["ok"] is False
        assert "check that `user` is the mailbox" in str(row["detail"])
        assert "SECRET" not in str(row["detail"])

    async def test_a_mailbox_without_its_token_stops_no_other(
        self, dovecot_with_tokens: Dovecot, token_server: LocalTokenServer, tmp_path: Path, watched: Watched
    ) -> None:
        """L7, L9: one is told what to do, the other is read; and when it is done, it is read too."""
        client = token_server.client(tmp_path, has_refresh_token=True)
        token_server.consent("SECRET-consented")
        shut, other = MailboxName("shut"), MailboxName("other")
        watched.watch(
            dovecot_with_tokens.source(dovecot_with_tokens.new_folder()),
            shut,
            credentials=credentials_of(client, tmp_path),
        )
        watched.watch(dovecot_with_tokens.source(dovecot_with_tokens.new_folder()), other)

        failed = await watched.until_failed("consent again", shut)
        read = await watched.until_looked(other)
        (tmp_path / "refresh.secret").write_text("SECRET-consented")
        recovered = await watched.until_looked(shut)

        assert "put the new refresh token into" in (failed.last_error or "")
        assert "SECRET" not in (failed.last_error or "")
        assert read.last_error is None
        assert recovered.last_error is None


async def test_a_check_is_not_held_up_by_a_pause_after_a_failure(
    token_server: LocalTokenServer, credentials: TokenCredentials, tmp_path: Path
) -> None:
    token_server.script(refusal("temporarily_unavailable"))
    with ScriptedImap(answering(BOTH, b"{tag} OK done\r\n")) as server:
        source = server.source(tmp_path / "unused")
        (first,) = await check_mailbox(mailbox(source), OwnedThread, {DESK: credentials})

        (second,) = await check_mailbox(mailbox(source), OwnedThread, {DESK: credentials})

    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert "temporarily_unavailable" in str(first["detail"])
    assert second["ok"] is True


async def test_a_token_server_that_hangs_fails_the_mailbox_and_ends_with_it(
    token_server: LocalTokenServer, tmp_path: Path, watched: Watched
) -> None:
    token_server.script(*[Act.HANG] * 100)
    credentials = credentials_of(token_server.client(tmp_path), tmp_path, timeout=timedelta(milliseconds=100))
    with ScriptedImap({}) as server:
        watched.watch(server.source(tmp_path / "unused"), credentials=credentials)

        await watched.until_failed("gives no token within")

        assert server.connections_count == 0


async def test_a_token_server_that_hangs_does_not_hold_up_the_end(
    token_server: LocalTokenServer, tmp_path: Path, watched: Watched
) -> None:
    """R16."""
    token_server.script(Act.HANG)
    credentials = credentials_of(token_server.client(tmp_path), tmp_path, timeout=timedelta(hours=1))
    with ScriptedImap({}) as server:
        watcher = watched.watch(server.source(tmp_path / "unused"), credentials=credentials)

        async def is_asked() -> bool:
            return bool(token_server.requests)

        await eventually(is_asked, "the request that hangs")
        async with asyncio.timeout(5):
            await watched.stop(watcher)


class TestOnTheWire:
    """What is said to a server, and what its answers come to."""

    def test_the_token_is_shown_once_by_xoauth2(self, tmp_path: Path) -> None:
        with ScriptedImap(answering(BOTH, b"{tag} OK done\r\n")) as server:
            opened(server, tmp_path).close()

        said = [command for command in server.commands if command.startswith(("AUTHENTICATE", "CONTINUE"))]
        assert said[0] == "AUTHENTICATE XOAUTH2"
        assert shown(said[1]) == b"user=ann\x01auth=Bearer SECRET-token\x01\x01"
        assert len(said) == 2

    def test_a_server_with_oauthbearer_alone_is_shown_it_so(self, tmp_path: Path) -> None:
        """RFC 7628 s. 3.1; a comma in a name would end it."""
        with ScriptedImap(answering(ONLY_OAUTHBEARER, b"{tag} OK done\r\n")) as server:
            opened(server, tmp_path, replace(BEARER, user="a=b,c")).close()

        said = shown(next(command for command in server.commands if command.startswith("CONTINUE")))
        where = f"host=127.0.0.1\x01port={server.port}".encode()
        assert said == b"n,a=a=3Db=2Cc,\x01" + where + b"\x01auth=Bearer SECRET-token\x01\x01"

    @pytest.mark.parametrize(("offered", "last"), [(BOTH, b""), (ONLY_OAUTHBEARER, b"\x01")])
    def test_a_server_that_tells_why_gets_the_last_answer_and_is_quoted(
        self, tmp_path: Path, offered: bytes, last: bytes
    ) -> None:
        refusing = answering(offered, b"+ " + WHY + b"\r\n", b"{tag} NO AUTHENTICATE failed.\r\n")
        with ScriptedImap(refusing) as server, pytest.raises(LoginRefused) as refused:
            opened(server, tmp_path)

        assert shown(server.commands[-2]) == last
        assert "AUTHENTICATE failed." in str(refused.value)
        assert '"status":"401"' in str(refused.value)
        assert "ask the operator" in str(refused.value)

    def test_a_token_that_the_server_repeats_is_not_passed_on(self, tmp_path: Path) -> None:
        """S16: as it is, and as it was sent."""
        sent = base64.b64encode(b"user=ann\x01auth=Bearer SECRET-token\x01\x01")
        repeating = answering(BOTH, b"{tag} NO SECRET-token " + sent + b"\r\n")
        with ScriptedImap(repeating) as server, pytest.raises(LoginRefused) as refused:
            opened(server, tmp_path)

        assert "*** ***" in str(refused.value)
        assert refused.value.__suppress_context__

    def test_a_server_that_cannot_log_in_now_is_tried_again(self, tmp_path: Path) -> None:
        answers = answering(BOTH, b"{tag} NO [UNAVAILABLE] later\r\n")
        with ScriptedImap(answers) as server, pytest.raises(ImapUnavailable, match="later"):
            opened(server, tmp_path)

    def test_a_server_that_breaks_off_is_tried_again(self, tmp_path: Path) -> None:
        answers = {**answering(BOTH), "CONTINUE": always(None)}
        with ScriptedImap(answers) as server, pytest.raises(ImapUnavailable):
            opened(server, tmp_path)

    def test_a_server_that_takes_no_tokens_says_so_and_is_shown_none(self, tmp_path: Path) -> None:
        with ScriptedImap({}) as server, pytest.raises(LoginRefused, match="it takes no access tokens"):
            opened(server, tmp_path)

        assert server.commands == ["CAPABILITY", "LOGOUT"]

    def test_a_user_with_a_control_character_never_reaches_the_server(self, tmp_path: Path) -> None:
        """I12: it would end the name, and begin a token of its own."""
        with ScriptedImap(answering(BOTH)) as server, pytest.raises(UnfitForImap):
            opened(server, tmp_path, replace(BEARER, user="ann\x01auth=Bearer x"))

        assert server.commands == ["CAPABILITY", "LOGOUT"]


def opened(server: ScriptedImap, folder: Path, bearer: Bearer = BEARER) -> ImapSession:
    session = ImapSession(server.source(folder / "unused"))
    try:
        session.open(bearer)
    except AppError:
        session.close()
        raise
    return session


def answering(offered: bytes, *answers: bytes) -> dict[str, Answer]:
    """A server that asks for the token; `answers` follow, each to what the client says then."""
    left = deque(answers)
    return {
        "CAPABILITY": always(offered),
        "AUTHENTICATE": always(b"+ \r\n"),
        "CONTINUE": lambda _rest: left.popleft(),
    }


def shown(command: str) -> bytes:
    """What the client said to a `+`."""
    return base64.b64decode(command.removeprefix("CONTINUE "))
