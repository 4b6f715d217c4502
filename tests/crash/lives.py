"""One installation with several lives: a daemon that is killed at a point, and daemons that put it right again.

Everything here is the peer's side, which keeps its own ledger.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import shutil
import signal
import smtplib
import sqlite3
import tempfile
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as default_policy
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from tests.crash.child import Life, live
from tests.crash.flaws import Flaw
from tests.crash.ledger import Ledger, Wish
from tests.crash.points import Crash
from tests.servers.eventually import eventually
from tests.servers.smtp_sink import SmtpSink

from mailcase.errors import TransientError
from mailcase.inbound.control import ask_daemon
from mailcase.inbound.protocol import Exit, Json, Request, Response

SUPPORT = "support@example.org"
ANN = "ann@example.org"

CONFIGURATION = """\
store: state/mailcase.db
people:
  ann: {{name: Ann Lee, address: ann@example.org, queues: [support], role: leader}}
queues: {{support: {{}}}}
processes:
  enquiry: {{queue: support, feedback_window: 2 days}}
mailboxes:
  desk:
    receive: {receive}
    addresses: {{support@example.org: {{name: Example Support}}}}
    fallback: enquiry
relay: {{host: 127.0.0.1, port: {relay_port}, tls: none, connections: {connections}}}
limits: {limits}
"""
#: To the relay: so many mails can be between journal and settling when the end comes.
CONNECTIONS = 2
LISTENER = '{kind: smtp, listen: "127.0.0.1:0", sender_retry: 1 second}'
#: A delivery that has begun and of which nobody knows how it ended.
BEGUN = "SELECT id FROM deliveries WHERE state = 'claimed' AND journaled_at IS NOT NULL"

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["mailcase.app", "tests.crash.child"])


def customer(number: int) -> str:
    return f"customer{number}@customer.example"


def mail_of(number: int, *, from_: str = "") -> EmailMessage:
    """The one mail of a customer."""
    mail = EmailMessage()
    mail["Message-ID"] = f"<{number}@customer.example>"
    mail["From"] = from_ or customer(number)
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
        limits: str = "{}",
        protocol: type[smtplib.SMTP] = smtplib.SMTP,
    ) -> None:
        """`protocol` is what mail is offered by, where the daemon listens."""
        self.folder = folder
        self.sink = sink
        self.ledger = Ledger()
        self._protocol = protocol
        (folder / "state").mkdir(mode=0o700)
        shutil.copy(empty_store, folder / "state" / "mailcase.db")
        (folder / "config.yaml").write_text(
            CONFIGURATION.format(receive=receive, relay_port=sink.port, connections=connections, limits=limits)
        )
        self._process: ForkServerProcess | None = None
        self._ahead = timedelta(0)

    # -- lives

    async def start(
        self,
        crash: Crash | None = None,
        *,
        ahead_days: int = 0,
        is_deadly: bool = False,
        flaw: Flaw | None = None,
    ) -> None:
        """Begins a life; returns once it works, or has ended before."""
        self.begin(crash, ahead_days=ahead_days, is_deadly=is_deadly, flaw=flaw)
        await self.until_working()

    def begin(
        self,
        crash: Crash | None = None,
        *,
        ahead_days: int = 0,
        is_deadly: bool = False,
        flaw: Flaw | None = None,
    ) -> None:
        """Begins a life, and does not wait for it to work."""
        self._port_file.unlink(missing_ok=True)
        self._ahead = timedelta(days=ahead_days)
        life = Life(folder=self.folder, crash=crash, ahead=self._ahead, is_deadly=is_deadly, flaw=flaw)
        process = PROCESSES.Process(target=live, args=(life,))
        process.start()
        self._process = process

    async def until_working(self) -> None:
        """Returns once the daemon works, or has ended."""
        await eventually(self._works_or_ended, f"a daemon that works in {self.folder}")

    async def _works_or_ended(self) -> bool:
        return self._port_file.exists() or self.has_ended

    @property
    def _port_file(self) -> Path:
        return self.folder / "port"

    @property
    def has_ended(self) -> bool:
        return self._process is None or self._process.exitcode is not None

    def now(self) -> datetime:
        """The daemon's time."""
        return datetime.now(UTC) + self._ahead

    @property
    def pid(self) -> int:
        """The process of this life."""
        assert self._process is not None
        assert self._process.pid is not None
        return self._process.pid

    async def until_killed(self) -> None:
        """Waits for the crash. Fails when the daemon ends in another way, or never comes to that point."""
        assert self._process is not None

        async def ended() -> bool:
            return self.has_ended

        await eventually(ended, f"the crash\n{self.log}")
        assert self._process.exitcode == -signal.SIGKILL, self.log
        self.ledger.begun.update(self._begun_deliveries())

    def kill(self) -> None:
        """`kill -9`, now; nothing when it has ended."""
        if self._process is not None and not self.has_ended:
            self._process.kill()

    def _begun_deliveries(self) -> set[int]:
        """Read from a copy: it is for the next daemon to recover the log of the database."""
        with tempfile.TemporaryDirectory() as folder:
            for file in (self.folder / "state").glob("mailcase.db*"):
                if not file.name.endswith("-shm"):
                    shutil.copy(file, folder)
            database = sqlite3.connect(Path(folder) / "mailcase.db")
            try:
                return {row[0] for row in database.execute(BEGUN)}
            finally:
                database.close()

    async def stop(self) -> None:
        """A clean end."""
        assert self._process is not None
        self._process.terminate()
        await asyncio.to_thread(self._process.join, 20)
        assert self._process.exitcode == 0, self.log

    def destroy(self) -> None:
        """Whatever is left of a test that failed."""
        self.kill()
        if self._process is not None:
            self._process.join()
            self._process.close()
            self._process = None

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    # -- what the peer does

    async def offers(self, mail: EmailMessage, wish: Wish = Wish.CASE) -> bool:
        """Offers a mail once, as a mail server does that has it in its queue; True when it was taken."""
        taken = await asyncio.to_thread(self._offer, mail)
        if taken:
            self.ledger.takes(mail, wish)
        return taken

    def _offer(self, mail: EmailMessage) -> bool:
        try:
            port = int(self._port_file.read_text())
            with self._protocol("127.0.0.1", port, local_hostname="peer.example", timeout=10) as smtp:
                smtp.send_message(mail, from_addr=str(mail["From"]))
        except (OSError, smtplib.SMTPException):
            return False
        return True

    async def asks(self, operation: str, **arguments: Json) -> Any:
        """One question of the shell. Raises TransientError when the daemon goes away before it has answered."""
        response = await self._request(operation, arguments)
        assert response.exit == 0, response.error
        assert not response.more, "the answer does not hold everything"
        return response.data

    async def gives(self, operation: str, *, ref: str, **arguments: Json) -> bool:
        """One command of the shell on a case; True when the shell was told that it is done."""
        self.ledger.given[ref, operation] += 1
        try:
            response = await self._request(operation, {"ref": ref, **arguments})
        except TransientError:
            return False
        is_done = response.exit == Exit.DONE
        self.ledger.done[ref, operation] += is_done
        return is_done

    async def _request(self, operation: str, arguments: dict[str, Json]) -> Response:
        request = Request(operation=operation, arguments=arguments, as_="ann")
        response = await ask_daemon(self.folder / "state" / "mailcase.sock", request)
        if response is None:
            raise TransientError("no daemon")
        return response

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
