"""A listener over a real store, and a client that speaks to it byte by byte."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mailcase.clock import SteppedClock
from mailcase.config.settings import Limits, ListenerKind, ListenerSource
from mailcase.core.case import MailboxName
from mailcase.inbound.accept import Door
from mailcase.inbound.free_space import FreeSpace
from mailcase.inbound.smtp import Listener
from mailcase.inbound.smtp_data import Room
from mailcase.store.port import Hook
from mailcase.store.rows.inbox import MailFilter, MailRow
from mailcase.store.sqlite import SqliteStore

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KNOWN = frozenset({"desk@example.org", "desk+c1042@example.org", "sales@example.org", "büro@example.org"})
RAW = b"From: anna@example.net\r\nSubject: printer\r\n\r\nIt smokes.\r\n.one dot\r\n..two\r\n"
#: Longer than any test waits for a server that answers.
PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class Desk:
    """What a test looks at."""

    listener: Listener
    store: SqliteStore
    wake: asyncio.Event
    file: Path
    clock: SteppedClock
    #: Connections that were dialled; all are hung up at the end.
    clients: list[Dialogue] = field(default_factory=list)

    async def mails(self) -> list[MailRow]:
        """The inbox, oldest first."""
        rows = await self.store.list_mails(MailFilter(), limit_count=1000)
        return sorted(rows, key=lambda row: row.id)

    async def raws(self) -> list[bytes | None]:
        return [await self.store.raw(row.id) for row in await self.mails()]

    async def dial(self, greeting: str | None = "EHLO client.example.net") -> Dialogue:
        """A new connection; greeted, unless `greeting` is None."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.listener.port, limit=1 << 22)
        client = Dialogue(reader, writer)
        self.clients.append(client)
        if greeting is not None:
            await client.reply()
            await client.say(greeting)
        return client


@asynccontextmanager
async def desk(
    folder: Path,
    *,
    kind: ListenerKind = ListenerKind.SMTP,
    limits: Limits | None = None,
    hook: Hook | None = None,
    knows_recipient: Callable[[str], bool] = KNOWN.__contains__,
    relays: tuple[str, ...] = (),
) -> AsyncIterator[Desk]:
    """A running listener on a free port of 127.0.0.1."""
    clock = SteppedClock(NOW)
    file = folder / "state" / "mailcase.db"
    store = await SqliteStore.open(file, clock=clock, hook=hook, busy_timeout=timedelta(milliseconds=50))
    wake = asyncio.Event()
    listener = Listener(
        MailboxName("desk"),
        ListenerSource(kind=kind, host="127.0.0.1", port=0, relays=relays),
        door=Door(store, wake, clock, FreeSpace(folder, shutil.disk_usage)),
        clock=clock,
        knows_recipient=knows_recipient,
        limits=limits or Limits(),
        room=Room((limits or Limits()).sessions_bytes),
        instance="desk.example.org",
    )
    await listener.start()
    here = Desk(listener=listener, store=store, wake=wake, file=file, clock=clock)
    try:
        yield here
    finally:
        for client in here.clients:
            client.hang_up()
        await listener.stop(timedelta(seconds=5))
        await store.close()


class Dialogue:
    """One connection of a client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def reply(self) -> str:
        """The next reply, its lines joined by LF; "" when the server has closed."""
        lines = []
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    line = (await self._reader.readline()).decode().rstrip("\r\n")
                except ConnectionError:
                    line = ""
                lines.append(line)
                if line[3:4] != "-":
                    return "\n".join(lines)

    async def reply_within(self, seconds: float) -> str | None:
        """The next reply; None when none comes in that time."""
        try:
            return await asyncio.wait_for(self.reply(), seconds)
        except TimeoutError:
            return None

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def say(self, line: str) -> str:
        """A command, and its reply."""
        self.send(line.encode("utf-8", "surrogateescape") + b"\r\n")
        return await self.reply()

    async def begin(self, *recipients: str, sender: str = "anna@example.net") -> None:
        """A transaction up to the 354."""
        replies = [await self.say(f"MAIL FROM:<{sender}>")]
        replies += [await self.say(f"RCPT TO:<{recipient}>") for recipient in recipients or ("desk@example.org",)]
        assert all(reply.startswith("250") for reply in replies), replies
        assert (await self.say("DATA")).startswith("354")

    async def deliver(self, raw: bytes, *recipients: str, sender: str = "anna@example.net") -> str:
        """A whole mail; the reply to its final dot. `raw` ends in CRLF."""
        await self.begin(*recipients, sender=sender)
        self.send(stuffed(raw) + b".\r\n")
        return await self.reply()

    def hang_up(self) -> None:
        self._writer.transport.abort()


def stuffed(raw: bytes) -> bytes:
    """As a client sends it: leading dots doubled."""
    return (b"." if raw.startswith(b".") else b"") + raw.replace(b"\r\n.", b"\r\n..")
