"""The stage of `mailcase demo`: a real daemon, a stepped clock, a customer's socket and a sink for what goes out.

An expectation waits, in real time, until what was expected is so; when that does not come, the demo fails and says what
is there instead.
"""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as default_policy
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import click

from mailcase.app import App, World, open_app
from mailcase.cli.record import Record
from mailcase.clock import SteppedClock
from mailcase.config.reader import load
from mailcase.config.settings import Limits, ListenerKind, ListenerSource
from mailcase.core.case import MailboxName, MailId
from mailcase.errors import AppError, CommandRefused
from mailcase.inbound.protocol import Json, Request
from mailcase.inbound.smtp import Listener
from mailcase.inbound.smtp_data import Room
from mailcase.store.rows.inbox import Accepted, NewMail
from mailcase.store.rows.mailboxes import FolderState

T = TypeVar("T")

ZONE = ZoneInfo("Europe/Paris")
START = datetime(2026, 11, 23, 9, 0, tzinfo=ZONE)
#: How long an expectation may take to come true, in real time.
PATIENCE = timedelta(seconds=15)
POLL_SECONDS = 0.02

SUPPORT = "support@example.org"


class StepFailed(AppError):
    """An event did not lead to what was expected."""


class Sink:
    """Takes every mail that the daemon sends, in the place of the world's mail servers."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    def has_room(self) -> bool:
        return True

    async def accept(self, mails: Sequence[NewMail], *, folder: FolderState | None = None) -> tuple[Accepted, ...]:
        """Keeps the mails; never refuses one."""
        del folder
        for mail in mails:
            self.mails.append(BytesParser(EmailMessage, policy=default_policy).parsebytes(mail.raw))
        return tuple(Accepted(mail_id=MailId(len(self.mails)), is_new=True) for _ in mails)

    def to(self, address: str) -> list[EmailMessage]:
        """The mails to one address, oldest first."""
        return [mail for mail in self.mails if address in str(mail["To"])]


@dataclass
class Stage:
    """A running daemon, its clock, the sink, and the count of what came as expected."""

    app: App
    clock: SteppedClock
    sink: Sink
    port: int
    as_expected: int = 0
    expected: int = 0
    #: Mails written by the outside world so far; numbers their Message-IDs.
    written: int = 0

    def tell(self, what: str) -> None:
        """One line for one event, with its day and hour."""
        now = self.clock.now().astimezone(ZONE)
        click.echo(f"{now:%a %d %b %H:%M}  {what}")

    def later(self, **span: float) -> None:
        """Moves the clock."""
        self.clock.step(timedelta(**span))

    async def writes(
        self, sender: str, subject: str, text: str, *, answers: EmailMessage | None = None, is_automatic: bool = False
    ) -> Record:
        """Sends a mail through the socket; gives it as the daemon has handled it."""
        mail = EmailMessage()
        self.written += 1
        mail["Message-ID"] = f"<demo-{self.written}@{sender.rpartition('@')[2]}>"
        mail["Date"] = self.clock.now()
        mail["From"] = sender
        mail["To"] = SUPPORT
        mail["Subject"] = subject
        if answers is not None:
            mail["In-Reply-To"] = str(answers["Message-ID"])
            mail["References"] = str(answers["Message-ID"])
        if is_automatic:
            mail["Auto-Submitted"] = "auto-replied"
        mail.set_content(text)
        await asyncio.to_thread(self._send, mail, sender)
        return await self._handled(str(mail["Message-ID"]))

    def _send(self, mail: EmailMessage, sender: str) -> None:
        with smtplib.SMTP("127.0.0.1", self.port, local_hostname="customer.example", timeout=10) as smtp:
            smtp.send_message(mail, from_addr=sender, to_addrs=[SUPPORT])

    async def _handled(self, message_id: str) -> Record:
        async def mail() -> Record | None:
            try:
                found = Record(await self.ask("why", mail=message_id))
            except CommandRefused:
                return None
            return found if found.text("outcome") != "pending" else None

        return await _until(mail, f"mail {message_id} is handled")

    async def ann(self, operation: str, **arguments: Json) -> Record:
        """Ann does something at the shell; gives the case."""
        return Record(await self.ask(f"case.{operation}", as_="ann", **arguments))

    async def case(self, ref: str) -> Record:
        """The case as `mailcase case show` has it."""
        return Record(await self.ask("case.show", ref=ref))

    async def ask(self, operation: str, *, as_: str | None = None, **arguments: Json) -> Json:
        """One operation of the shell."""
        request = Request(operation=operation, arguments=arguments, as_=as_)
        return (await self.app.desk.answer(request, uid=None, blobs=())).data

    async def expect_case(self, what: str, ref: str, holds: Callable[[Record], bool]) -> None:
        """Waits until the case is as expected."""

        async def seen() -> bool | None:
            return holds(await self.case(ref)) or None

        await self._expect(what, seen, lambda: self._picture(ref))

    async def expect_mail(self, what: str, address: str, count: int, holds: Callable[[EmailMessage], bool]) -> None:
        """Waits until `address` has been sent `count` mails in all, the newest as expected."""

        async def seen() -> bool | None:
            mails = self.sink.to(address)
            return (len(mails) == count and holds(mails[-1])) or None

        async def picture() -> str:
            return f"{address} was sent: {[str(mail['Subject']) for mail in self.sink.to(address)]}"

        await self._expect(what, seen, picture)

    async def expect_outcome(self, what: str, mail: Record, **expected: str) -> None:
        """Checks how a mail ended."""

        async def seen() -> bool | None:
            return all(mail.text(name) == value for name, value in expected.items()) or None

        async def picture() -> str:
            return ", ".join(f"{name}: {mail.text(name)}" for name in expected)

        await self._expect(what, seen, picture)

    async def _expect(
        self,
        what: str,
        seen: Callable[[], Awaitable[bool | None]],
        picture: Callable[[], Awaitable[str]],
        *,
        patience: timedelta = PATIENCE,
    ) -> None:
        self.expected += 1
        try:
            await _until(seen, what, patience=patience)
        except StepFailed:
            click.echo(f"{'':18}FAILED    {what}\n{'':28}but {await picture()}")
            raise
        self.as_expected += 1
        click.echo(f"{'':18}expected  {what}")

    async def _picture(self, ref: str) -> str:
        case = await self.case(ref)
        return ", ".join(f"{name}: {case.text(name)}" for name in ("status", "wait", "flags", "assignee", "lists"))


async def _until(seen: Callable[[], Awaitable[T | None]], what: str, *, patience: timedelta = PATIENCE) -> T:
    """Asks again and again until there is an answer. Raises StepFailed when patience has run out."""
    found: T | None = None
    try:
        async with asyncio.timeout(patience.total_seconds()):
            while (found := await seen()) is None:  # noqa: ASYNC110 - the answer lies behind a socket
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError as error:
        raise StepFailed(f"expected: {what}") from error
    return found


@asynccontextmanager
async def stage_in(folder: Path, configuration: str) -> AsyncIterator[Stage]:
    """A daemon at work in `folder`, its outgoing mail going to a sink; stopped cleanly at the end."""
    clock, sink = SteppedClock(START), Sink()
    relay = _sink_listener(sink, clock)
    await relay.start()
    try:
        path = folder / "config.yaml"
        path.write_text(configuration.format(relay_port=relay.port), encoding="utf-8")
        settings = load(path)
        async with open_app(settings, World(clock=clock)) as app:
            daemon, stop = app.daemon(), asyncio.Event()
            running = asyncio.create_task(daemon.run(stop))
            started = asyncio.create_task(daemon.started.wait())
            await asyncio.wait({running, started}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
            port = next(iter(daemon.listeners.values())).listener.port
            try:
                yield Stage(app=app, clock=clock, sink=sink, port=port)
            finally:
                stop.set()
                started.cancel()
                await running
    finally:
        await relay.stop(timedelta(seconds=1))


def _sink_listener(sink: Sink, clock: SteppedClock) -> Listener:
    return Listener(
        MailboxName("sink"),
        ListenerSource(kind=ListenerKind.SMTP, host="127.0.0.1", port=0),
        door=sink,
        clock=clock,
        knows_recipient=lambda _address: True,
        limits=Limits(),
        room=Room(Limits().sessions_bytes),
        instance="sink.example",
    )
