"""The logins of a whole configuration, and of a daemon that runs with it."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from tests.e2e.house import LISTENER, START, living, mail_text, settings_in
from tests.servers.eventually import eventually
from tests.servers.token_server import LocalTokenServer, refusal

from mailcase.clock import SteppedClock
from mailcase.config.settings import Settings
from mailcase.core.case import MailboxName
from mailcase.entropy import SeededEntropy
from mailcase.errors import PermanentError
from mailcase.login.credentials import Bearer, Password
from mailcase.login.logins import LoginKind, Logins
from mailcase.offload import OwnedThread

DESK, SALES, OLD = MailboxName("desk"), MailboxName("sales"), MailboxName("old")


def oauth(server: LocalTokenServer) -> str:
    return f"{{oauth: {{token_url: '{server.url}', client_id: mailcase, client_secret_file: client.secret}}}}"


def mailboxes_of(server: LocalTokenServer, *, port: int = 1) -> str:
    imap = f"kind: imap, host: 127.0.0.1, port: {port}, tls: none"
    return dedent(f"""\
    desk:
      receive: {{{imap}, user: shared@example.org, login: {oauth(server)}}}
      addresses: [desk@example.org]
      fallback: enquiry
    sales:
      receive: {{{imap}, user: sales@example.org, login: {oauth(server)}}}
      addresses: [sales@example.org]
      fallback: enquiry
    old:
      receive: {{{imap}, password_file: old.secret}}
      addresses: [old@example.org]
      fallback: enquiry
    """)


def settings_with(server: LocalTokenServer, folder: Path) -> Settings:
    server.client(folder)
    (folder / "old.secret").write_text("SECRET-password")
    for file in folder.glob("*.secret"):
        file.chmod(0o600)
    return settings_in(folder, mailboxes=mailboxes_of(server))


async def test_those_with_the_same_client_share_its_tokens_and_each_has_its_user(
    token_server: LocalTokenServer, tmp_path: Path
) -> None:
    settings = settings_with(token_server, tmp_path)
    logins = Logins(settings, clock=SteppedClock(START), entropy=SeededEntropy(1), offload=OwnedThread)

    desk, sales, old = [await logins.mailboxes[name].get() for name in (DESK, SALES, OLD)]

    assert isinstance(desk, Bearer)
    assert isinstance(sales, Bearer)
    assert isinstance(old, Password)
    assert (desk.user, sales.user, old.user) == ("shared@example.org", "sales@example.org", "old@example.org")
    assert desk.token == sales.token
    assert old.secret == "SECRET-password"
    assert len(token_server.requests) == 1
    assert logins.relay is None


async def test_the_status_tells_every_login_apart(token_server: LocalTokenServer, tmp_path: Path) -> None:
    settings = settings_with(token_server, tmp_path)
    logins = Logins(settings, clock=SteppedClock(START), entropy=SeededEntropy(1), offload=OwnedThread)
    (tmp_path / "old.secret").unlink()
    await logins.mailboxes[DESK].get()
    for name in (DESK, OLD):
        try:
            await logins.mailboxes[name].get()
        except PermanentError:
            continue

    desk, old = logins.mailboxes[DESK].status, logins.mailboxes[OLD].status

    assert (desk.kind, desk.failure, desk.needs_operator) == (LoginKind.CLIENT_CREDENTIALS, None, False)
    assert (old.kind, old.failed_at, old.needs_operator) == (LoginKind.PASSWORD, START, True)
    assert "old.secret cannot be read" in (old.failure or "")


async def test_a_daemon_whose_token_server_refuses_goes_on_with_everything_else(
    token_server: LocalTokenServer, tmp_path: Path
) -> None:
    """L7, L9: a listener is read, an answer goes out, and the mailbox says what to do."""
    token_server.client(tmp_path)
    (tmp_path / "client.secret").chmod(0o600)
    token_server.script(*[refusal("invalid_client", "the secret has ended", 401)] * 1000)
    broken = f"""\
    broken:
      receive: {{kind: imap, host: 127.0.0.1, port: 1, tls: none, user: me, login: {oauth(token_server)}}}
      addresses: [sales@example.org]
      fallback: enquiry
    """
    settings = settings_in(tmp_path, mailboxes=LISTENER + dedent(broken))
    async with living(settings, clock=SteppedClock(START)) as here:
        await here.writes(mail_text(1))
        outcomes = await here.until_handled(1)

        async def failure() -> str | None:
            states = await here.app.store.mailbox_states()
            state = states.get(MailboxName("broken"))
            return state.last_error if state else None

        said = await eventually(failure, "the failure of the mailbox")

    assert outcomes == ["new-case"]
    assert "the secret has ended; check `client_id` and the first line of" in (said or "")
    assert len(token_server.requests) < 5
