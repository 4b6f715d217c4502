"""Real IMAP servers for tests: pymap, which pip brings, and Dovecot where it is installed. Fixtures `pymap`, `dovecot`,
and `imap_server`, which is each of them in turn.
"""

from __future__ import annotations

import getpass
import grp
import imaplib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from imap_tools.utils import encode_folder
from tests.servers.certificates import make_certificate
from tests.servers.token_server import LocalTokenServer

from mailcase.config.settings import AfterTaking, ImapSource, SecretFile, Tls
from mailcase.errors import AppError
from mailcase.inbound.imap import ImapSession
from mailcase.login.credentials import Password
from mailcase.login.token_server import read_secret

DOVECOT = "/usr/sbin/dovecot"
_READY_WITHIN_SECONDS = 20.0
_FOLDERS = count(1)


class MailProgram:
    """What a person does with the mailbox, in a program of their own."""

    def __init__(self, client: imaplib.IMAP4) -> None:
        self._client = client

    def make(self, folder: str) -> None:
        self._ok(self._client.create(_name(folder)))

    def remove(self, folder: str) -> None:
        self._ok(self._client.delete(_name(folder)))

    def put(self, folder: str, raw: bytes, *, at: datetime | None = None) -> None:
        """A mail arrives; `at` is its INTERNALDATE."""
        self._ok(self._client.append(_name(folder), "", at, raw))

    def mark(self, folder: str, uid: int, flag: str) -> None:
        self._select(folder)
        self._ok(self._client.uid("STORE", str(uid), "+FLAGS.SILENT", f"({flag})"))

    def take_away(self, folder: str, uid: int) -> None:
        """Removes a mail for good."""
        self.mark(folder, uid, r"\Deleted")
        self._ok(self._client.expunge())

    def uids(self, folder: str) -> tuple[int, ...]:
        return self.search(folder, "ALL")

    def search(self, folder: str, criteria: str) -> tuple[int, ...]:
        self._select(folder)
        data = self._ok(self._client.uid("SEARCH", criteria))
        return tuple(int(word) for word in (data[0] or b"").split())

    def _select(self, folder: str) -> None:
        self._ok(self._client.select(_name(folder)))

    @staticmethod
    def _ok(answer: tuple[str, Sequence[Any]]) -> Sequence[Any]:
        assert answer[0] == "OK", answer
        return answer[1]


def _name(folder: str) -> str:
    return encode_folder(folder).decode("ascii")


@dataclass(frozen=True, kw_only=True)
class ImapServer:
    """A running server on the loopback with one account."""

    name: str
    port: int
    user: str
    secret: Path
    has_keywords: bool

    def source(self, folder: str, *, after: AfterTaking = AfterTaking.MOVE, takes_existing: bool = False) -> ImapSource:
        """How a mailbox of ours reads a folder of the account."""
        return ImapSource(
            host="127.0.0.1",
            port=self.port,
            tls=Tls.NONE,
            ca_file=None,
            user=self.user,
            login=SecretFile(path=self.secret),
            folder=folder,
            after=after,
            move_to=f"{folder} done",
            takes_existing=takes_existing,
            poll_every=timedelta(seconds=30),
            command_timeout=timedelta(seconds=10),
        )

    @contextmanager
    def program(self) -> Iterator[MailProgram]:
        """A person's mail program, logged in."""
        with imaplib.IMAP4("127.0.0.1", self.port, timeout=10) as client:
            # The library sends the end of a mail by itself, which would wait for the server's delayed confirmation.
            client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.login(self.user, self.secret.read_text())
            yield MailProgram(client)

    def new_folder(self) -> str:
        """A folder that nobody used yet."""
        folder = f"Box{next(_FOLDERS)}"
        with self.program() as program:
            program.make(folder)
        return folder


@dataclass(frozen=True, kw_only=True)
class Dovecot(ImapServer):
    """Dovecot, with TLS on a port of its own and a tool to break things."""

    tls_port: int
    certificate: Path
    configuration: Path

    def doveadm(self, *arguments: str) -> str:
        command = ["doveadm", "-c", str(self.configuration), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def renumber(self, folder: str, uidvalidity: int) -> None:
        """Gives the folder another UIDVALIDITY."""
        self.doveadm("mailbox", "update", "-u", self.user, "--uid-validity", str(uidvalidity), folder)

    def tls_source(self, folder: str, *, tls: Tls, host: str = "127.0.0.1", ca_file: Path | None) -> ImapSource:
        port = self.tls_port if tls is Tls.TLS else self.port
        return replace(self.source(folder), host=host, port=port, tls=tls, ca_file=ca_file)


def password(source: ImapSource) -> Password:
    """What such a source is shown, read from its file."""
    assert isinstance(source.login, SecretFile)
    return Password(user=source.user, secret=read_secret(source.login), advice=f"look into {source.login.path}")


def connect(source: ImapSource) -> ImapSession:
    """A session that is logged in; to be closed."""
    session = ImapSession(source)
    try:
        session.open(password(source))
    except AppError:
        session.close()
        raise
    return session


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Returns once the port is served."""
    deadline = time.monotonic() + _READY_WITHIN_SECONDS  # noqa: TID251 - a process of its own, real time
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as connection:
                assert connection.recv(4) == b"* OK"
                return
        except OSError:
            assert process.poll() is None, f"the server ended with {process.returncode}"
            assert time.monotonic() < deadline, "the server does not come up"  # noqa: TID251 - see above
            threading.Event().wait(0.02)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


@pytest.fixture(scope="session")
def pymap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImapServer]:
    """pymap in a process of its own. It keeps no keywords."""
    with running_pymap(tmp_path_factory.mktemp("pymap")) as server:
        yield server


@contextmanager
def running_pymap(folder: Path) -> Iterator[ImapServer]:
    """pymap, with its log and secret in the folder; it forgets all mail when it ends."""
    secret = folder / "secret"
    secret.write_text("demopass")
    secret.chmod(0o600)
    port = free_port()
    listen = ["--host", "127.0.0.1", "--port", str(port), "--no-tls"]
    command = [sys.executable, "-c", "from pymap.main import main; main()", *listen, "dict"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_for(port, process)
        yield ImapServer(name="pymap", port=port, user="demouser", secret=secret, has_keywords=False)
    finally:
        _stop(process)


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    """Dovecot where it is installed."""
    with _installed_dovecot(tokens=None) as server:
        yield server


@pytest.fixture
def token_server() -> Iterator[LocalTokenServer]:
    """Gives access tokens to whoever shows the secrets, and says to others whether they are good."""
    with LocalTokenServer() as server:
        yield server


@pytest.fixture
def dovecot_with_tokens(token_server: LocalTokenServer) -> Iterator[Dovecot]:
    """Another Dovecot, which lets in by password, and by access tokens that the token server knows."""
    with _installed_dovecot(tokens=token_server) as server:
        yield server


@contextmanager
def _installed_dovecot(*, tokens: LocalTokenServer | None) -> Iterator[Dovecot]:
    if not Path(DOVECOT).exists():
        reason = f"{DOVECOT} is not there: left out; Debian has it as dovecot-imapd"
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with running_dovecot(tokens=tokens) as server:
        yield server


@contextmanager
def running_dovecot(*, tokens: LocalTokenServer | None = None) -> Iterator[Dovecot]:
    """Dovecot in a folder of its own, as whoever runs the tests; as root it keeps the mail as `nobody`."""
    folder = Path(tempfile.mkdtemp(prefix="dovecot-"))
    # The mail's user must pass through it.
    folder.chmod(0o755)
    try:
        with _running_dovecot_in(folder, tokens) as server:
            yield server
    finally:
        shutil.rmtree(folder)


@contextmanager
def _running_dovecot_in(folder: Path, tokens: LocalTokenServer | None) -> Iterator[Dovecot]:
    secret, home = folder / "secret", folder / "home"
    secret.write_text("secret")
    secret.chmod(0o600)
    home.mkdir()
    home.chmod(0o777)
    server = Dovecot(
        name="dovecot",
        port=free_port(),
        user="ann",
        secret=secret,
        has_keywords=True,
        tls_port=free_port(),
        certificate=make_certificate(folder, "IP:127.0.0.1"),
        configuration=folder / "dovecot.conf",
    )
    server.configuration.write_text(_dovecot_configuration(folder, server) + _token_configuration(folder, tokens))
    with (folder / "log").open("wb") as log:
        command = [DOVECOT, "-F", "-c", str(server.configuration)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_for(server.port, process)
        yield server
    finally:
        _stop(process)


def _dovecot_configuration(folder: Path, server: Dovecot) -> str:
    is_root = os.getuid() == 0
    uid, gid = (65534, 65534) if is_root else (os.getuid(), os.getgid())
    me = getpass.getuser()
    users = (
        ""
        if is_root
        else (
            f"default_internal_user = {me}\ndefault_login_user = {me}\n"
            f"default_internal_group = {grp.getgrgid(os.getgid()).gr_name}\n"
        )
    )
    return f"""{users}
protocols = imap
listen = 127.0.0.1
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
ssl = yes
ssl_cert = <{server.certificate}
ssl_key = <{server.certificate}
disable_plaintext_auth = no
auth_failure_delay = 0
mail_location = maildir:~/Maildir
first_valid_uid = 1
first_valid_gid = 1
mail_max_userip_connections = 100
passdb {{
  driver = static
  args = password={server.secret.read_text()}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/home/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {server.port}
  }}
  inet_listener imaps {{
    port = {server.tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
  # No longer and longer waits after the failed logins of other tests.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
"""


def _token_configuration(folder: Path, tokens: LocalTokenServer | None) -> str:
    if tokens is None:
        return ""
    database = folder / "tokens.conf.ext"
    database.write_text(
        f"tokeninfo_url = {tokens.introspection_url}\nusername_attribute = username\nactive_attribute = active\n"
        "active_value = true\nforce_introspection = no\nuse_grant_password = no\n"
    )
    return f"""
auth_mechanisms = plain login xoauth2 oauthbearer
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {database}
}}
"""


@pytest.fixture(params=["pymap", pytest.param("dovecot", marks=pytest.mark.dovecot)])
def imap_server(request: pytest.FixtureRequest) -> ImapServer:
    """Each server in turn."""
    server: ImapServer = request.getfixturevalue(request.param)
    return server
