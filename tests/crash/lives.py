"""One installation with several lives: a daemon that is killed at a commit, and daemons that put it right again.

Everything here is the peer's side. The peer keeps its own ledger: what was acknowledged to it, and what the sink took.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import smtplib
import subprocess
import sys
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as default_policy
from pathlib import Path
from typing import Any

from tests.servers.eventually import eventually
from tests.servers.smtp_sink import SmtpSink

from mailcase.errors import TransientError
from mailcase.inbound.control import ask_daemon
from mailcase.inbound.protocol import Json, Request

SUPPORT = "support@example.org"
ANN = "ann@example.org"
ROOT = Path(__file__).resolve().parents[2]

CONFIGURATION = """\
store: state/mailcase.db
people:
  ann: {{name: Ann Lee, address: ann@example.org, queues: [support], role: leader}}
queues: {{support: {{}}}}
processes:
  enquiry: {{queue: support, feedback_window: 5 days}}
mailboxes:
  desk:
    receive: {receive}
    addresses: {{support@example.org: {{name: Example Support}}}}
    fallback: enquiry
relay: {{host: 127.0.0.1, port: {relay_port}, tls: none, connections: {connections}}}
"""
#: To the relay: so many mails can be between journal and settling when the end comes.
CONNECTIONS = 2
LISTENER = '{kind: smtp, listen: "127.0.0.1:0"}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """Where the first life ends: before or after the nth commit of a point, by its name in `Point`."""

    point: str
    when: str
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.when} {self.point} {self.nth}"


@dataclass
class Ledger:
    """What the peer knows: Message-IDs (without brackets) that were answered with 250, or put into its mailbox."""

    acknowledged: set[str] = field(default_factory=set)


def customer(number: int) -> str:
    return f"customer{number}@customer.example"


def mail_of(number: int) -> EmailMessage:
    """The one mail of a customer."""
    mail = EmailMessage()
    mail["Message-ID"] = f"<{number}@customer.example>"
    mail["From"] = customer(number)
    mail["To"] = SUPPORT
    mail["Subject"] = f"Printer {number}"
    mail.set_content(f"Printer {number} smokes.")
    return mail


class Installation:
    """A folder with configuration and store, the sink that its mail goes to, and at most one daemon at a time."""

    def __init__(
        self,
        folder: Path,
        sink: SmtpSink,
        *,
        empty_store: Path,
        receive: str = LISTENER,
        connections: int = CONNECTIONS,
    ) -> None:
        self.folder = folder
        self.sink = sink
        self.ledger = Ledger()
        (folder / "state").mkdir(mode=0o700)
        shutil.copy(empty_store, folder / "state" / "mailcase.db")
        (folder / "config.yaml").write_text(
            CONFIGURATION.format(receive=receive, relay_port=sink.port, connections=connections)
        )
        self._process: subprocess.Popen[bytes] | None = None

    # -- lives

    async def start(self, crash: Crash | None = None, *, ahead_days: int = 0, is_deadly: bool = False) -> None:
        """Begins a life; returns once it works, or has ended before."""
        self._port_file.unlink(missing_ok=True)
        arguments = [str(self.folder), f"--ahead-days={ahead_days}"]
        if crash is not None:
            arguments += ["--kill", crash.point, crash.when, str(crash.nth)]
        if is_deadly:
            arguments.append("--deadly")
        self._process = self._begin(arguments)
        await eventually(self._works_or_ended, "a daemon that works")

    def _begin(self, arguments: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            command = [sys.executable, "-m", "tests.crash.child", *arguments]
            return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)

    async def _works_or_ended(self) -> bool:
        return self._port_file.exists() or self.has_ended

    @property
    def _port_file(self) -> Path:
        return self.folder / "port"

    @property
    def has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    @property
    def pid(self) -> int:
        """The process of this life."""
        assert self._process is not None
        return self._process.pid

    async def until_killed(self) -> None:
        """Waits for the crash. Fails when the daemon ends in another way, or never comes to that commit."""
        assert self._process is not None

        async def ended() -> bool:
            return self.has_ended

        await eventually(ended, f"the crash\n{self.log}")
        assert self._process.returncode == -signal.SIGKILL, self.log

    async def stop(self) -> None:
        """A clean end."""
        assert self._process is not None
        self._process.terminate()
        await asyncio.to_thread(self._process.wait, 20)
        assert self._process.returncode == 0, self.log

    def destroy(self) -> None:
        """Whatever is left of a test that failed."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    # -- what the peer does

    async def offers(self, mail: EmailMessage) -> bool:
        """Offers a mail once, as a mail server does that has it in its queue; True when it was taken."""
        taken = await asyncio.to_thread(self._offer, mail)
        if taken:
            self.ledger.acknowledged.add(str(mail["Message-ID"]).strip("<>"))
        return taken

    def _offer(self, mail: EmailMessage) -> bool:
        try:
            port = int(self._port_file.read_text())
            with smtplib.SMTP("127.0.0.1", port, local_hostname="peer.example", timeout=10) as smtp:
                smtp.send_message(mail, from_addr=str(mail["From"]), to_addrs=[SUPPORT])
        except (OSError, smtplib.SMTPException):
            return False
        return True

    async def asks(self, operation: str, **arguments: Json) -> Any:
        """One command of the shell. Raises TransientError when the daemon goes away before it has answered."""
        request = Request(operation=operation, arguments=arguments, as_="ann")
        response = await ask_daemon(self.folder / "state" / "mailcase.sock", request)
        if response is None:
            raise TransientError("no daemon")
        assert response.exit == 0, response.error
        return response.data

    # -- what came of it

    async def is_idle(self) -> bool:
        """True when a daemon answers and has nothing left to do."""
        try:
            mails, deliveries = await self.asks("mail.list"), await self.asks("outbox.list")
        except TransientError:
            return False
        is_open = any(row["state"] in ("queued", "claimed", "deferred") for row in deliveries)
        return not is_open and all(row["outcome"] != "pending" for row in mails)

    async def until_settled(self) -> None:
        """Waits until the daemon has nothing left to do."""
        await eventually(self.is_idle, f"an idle daemon\n{self.log}")

    def copies_to(self, address: str) -> list[EmailMessage]:
        """What the sink took for an address, in order."""
        parser = BytesParser(EmailMessage, policy=default_policy)
        return [parser.parsebytes(mail.raw) for mail in self.sink.mails if address in mail.recipients]
