"""A whole daemon in this process: a stepped clock, real sockets for mail both ways, and the shell's own desk."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.parser import BytesParser
from email.policy import default as default_policy
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

from tests.servers.eventually import eventually
from tests.servers.imap_servers import ImapServer
from tests.servers.smtp_sink import SmtpSink

from mailcase.app import App, World, open_app
from mailcase.clock import SteppedClock
from mailcase.config.reader import load
from mailcase.config.settings import Limits, Settings
from mailcase.daemon.daemon import Daemon
from mailcase.daemon.service_manager import ServiceManager
from mailcase.inbound.control import answered
from mailcase.inbound.protocol import Json, Request, Response
from mailcase.store.rows.inbox import MailFilter, MailRow

#: Monday, 10:00 in Paris.
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SUPPORT = "support@example.org"
MARIE = "marie@customer.example"
ANN = "ann@example.org"

CONFIGURATION = """\
store: state/mailcase.db
time_zone: Europe/Paris
people:
  ann: {{name: Ann Lee, address: ann@example.org, queues: [support], role: leader}}
queues: {{support: {{}}}}
processes:
  enquiry:
    queue: support
    feedback_window: 5 days
    wait_reasons: [{{name: client, ask: requester}}]
mailboxes:
{mailboxes}
relay: {{host: 127.0.0.1, port: {relay_port}, tls: none}}
"""
LISTENER = """\
desk:
  receive: {kind: smtp, listen: "127.0.0.1:0"}
  addresses: {support@example.org: {name: Example Support}}
  fallback: enquiry
"""

IMAP = """\
desk:
  receive:
    {{kind: imap, host: 127.0.0.1, port: {port}, tls: none, user: {user}, password_file: secret, folder: {folder},
      after: {after}}}
  addresses: {{support@example.org: {{name: Example Support}}}}
  fallback: enquiry
"""


def imap_mailbox(folder: Path, server: ImapServer, mailbox_folder: str, *, after: str = "{move: Processed}") -> str:
    """A mailbox of the configuration that is read from the server; its secret is written beside the configuration."""
    secret = folder / "secret"
    secret.write_text(server.secret.read_text())
    secret.chmod(0o600)
    return IMAP.format(port=server.port, user=server.user, folder=mailbox_folder, after=after)


def mail_text(
    number: int, *, subject: str = "My printer smokes", text: str = "It smokes.", answers: str = "", more: str = ""
) -> bytes:
    """A customer's mail, ready for the wire; `answers` is a Message-ID with its brackets."""
    thread = f"In-Reply-To: {answers}\nReferences: {answers}\n" if answers else ""
    head = f"Message-ID: <{number}@customer.example>\nFrom: {MARIE}\nTo: {SUPPORT}\nSubject: {subject}\n{thread}{more}"
    return f"{head}\n{text}\n".replace("\n", "\r\n").encode()


def settings_in(
    folder: Path, *, relay_port: int = 1, mailboxes: str = LISTENER, limits: Limits | None = None
) -> Settings:
    """The settings of a configuration written into the folder."""
    path = folder / "config.yaml"
    path.write_text(CONFIGURATION.format(relay_port=relay_port, mailboxes=indent(dedent(mailboxes), "  ")))
    settings = load(path, environment={})
    return settings if limits is None else replace(settings, limits=limits)


@dataclass
class House:
    """One life of the daemon, and what a customer and an agent may do with it."""

    app: App
    daemon: Daemon
    clock: SteppedClock
    running: asyncio.Task[None]
    stop: asyncio.Event

    @property
    def port(self) -> int:
        return next(iter(self.daemon.listeners.values())).listener.port

    async def writes(self, raw: bytes, *, sender: str = MARIE) -> None:
        """A customer's mail program: returns after the 250, raises on any other answer."""
        await asyncio.to_thread(self._deliver, raw, sender)

    def _deliver(self, raw: bytes, sender: str) -> None:
        with smtplib.SMTP("127.0.0.1", self.port, local_hostname="customer.example", timeout=60) as smtp:
            smtp.sendmail(sender, [SUPPORT], raw)

    async def answer(self, operation: str, *, as_: str | None = "ann", **arguments: Json) -> Response:
        """What the shell is answered, refusals too."""
        request = Request(operation=operation, arguments=arguments, as_=as_)
        return await answered(self.daemon.answer, request, uid=None, blobs=())

    async def asks(self, operation: str, *, as_: str | None = "ann", **arguments: Json) -> Any:
        """What an operation of the shell gives. Raises AppError for a refusal."""
        request = Request(operation=operation, arguments=arguments, as_=as_)
        return (await self.daemon.answer(request, uid=None, blobs=())).data

    async def mails(self) -> tuple[MailRow, ...]:
        """All mail that came in, in the order of their numbers."""
        rows = await self.app.store.list_mails(MailFilter(), limit_count=1000)
        return tuple(sorted(rows, key=lambda row: row.id))

    async def outcomes(self) -> list[str]:
        return [row.outcome.value for row in await self.mails()]

    async def until_handled(self, count: int) -> list[str]:
        """The outcomes of the mails, once there are so many and none is pending."""

        async def handled() -> list[str]:
            outcomes = await self.outcomes()
            return outcomes if len(outcomes) >= count and "pending" not in outcomes else []

        return await eventually(handled, f"{count} handled mails")

    async def status(self, ref: str = "1001-C") -> str:
        return str((await self.asks("case.show", ref=ref))["status"])

    async def until_status(self, status: str, ref: str = "1001-C") -> None:
        async def reached() -> bool:
            return await self.status(ref) == status

        await eventually(reached, f"status {status} of {ref}")

    async def deliveries(self, state: str | None = None) -> list[dict[str, Any]]:
        """Oldest first."""
        rows = await self.asks("outbox.list", **({} if state is None else {"state": state}))
        return sorted(rows, key=lambda row: row["id"])

    async def until_sent(self, count: int) -> None:
        async def sent() -> bool:
            return len(await self.deliveries("sent")) >= count

        await eventually(sent, f"{count} sent deliveries")

    async def timeline(self, ref: str = "1001-C") -> list[str]:
        """The types of the events of a case."""
        return [entry["type"] for entry in (await self.asks("case.show", ref=ref))["timeline"]]


@asynccontextmanager
async def living(
    settings: Settings,
    *,
    clock: SteppedClock,
    world: World | None = None,
    manager: ServiceManager | None = None,
    on_settings: Callable[[Settings], None] = lambda _settings: None,
) -> AsyncIterator[House]:
    """A daemon from its start to a clean stop. What it dies of in between is raised at the end."""
    world = replace(world or World(), clock=clock)
    async with open_app(settings, world) as app:
        daemon, stop = app.daemon(manager=manager, on_settings=on_settings), asyncio.Event()
        running = asyncio.create_task(daemon.run(stop))
        started = asyncio.create_task(daemon.started.wait())
        await asyncio.wait({running, started}, return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        if running.done():
            running.result()
        try:
            yield House(app=app, daemon=daemon, clock=clock, running=running, stop=stop)
        finally:
            stop.set()
            await running


@asynccontextmanager
async def house(
    folder: Path, *, limits: Limits | None = None, world: World | None = None
) -> AsyncIterator[tuple[House, SmtpSink]]:
    """A daemon with a relay that takes its mail."""
    async with SmtpSink() as sink:
        settings = settings_in(folder, relay_port=sink.port, limits=limits)
        async with living(settings, clock=SteppedClock(START), world=world) as here:
            yield here, sink


def subjects(sink: SmtpSink, address: str) -> list[str]:
    """The subjects of what was sent to an address, in order."""
    parser = BytesParser(policy=default_policy)
    return [str(parser.parsebytes(mail.raw)["Subject"]) for mail in sink.mails if address in mail.recipients]


def message_id(sink: SmtpSink, address: str) -> str:
    """The Message-ID, with its brackets, of the last mail to an address."""
    mails = [mail for mail in sink.mails if address in mail.recipients]
    return str(BytesParser(policy=default_policy).parsebytes(mails[-1].raw)["Message-ID"])
