"""A real SMTP server for tests: records what it is told and can be scripted, reply by reply.

    async with SmtpSink() as sink:
        sink.script("RCPT", "450 4.2.0 later")     # the next RCPT; those after it are accepted again
        sink.refuse("gone@example.org", "550 5.1.1 unknown")
        ...
        assert sink.mails[0].recipients == ("anna@example.org",)

Verbs to script: CONNECT (the greeting), EHLO, STARTTLS, AUTH, MAIL, RCPT, RSET, DATA (in place of the 354), BODY
(when the first byte of the mail has come; only an `Act`), DOT (the answer to the final dot), QUIT.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Self, cast


class Act(Enum):
    """What a server may do in place of a reply."""

    #: Closes the connection.
    DROP = "drop"
    #: Reads on and never answers.
    SILENCE = "silence"
    #: Stops reading until `resume`; what comes after that is found in `late`.
    STALL = "stall"


Reply = str | Act


@dataclass(frozen=True, slots=True, kw_only=True)
class SunkMail:
    """A mail for which the sink said 250."""

    sender: str
    recipients: tuple[str, ...]
    #: Dot-stuffing undone.
    raw: bytes


class _Closed(Exception):
    """The conversation is over."""


class SmtpSink:
    """Listens on 127.0.0.1 from `async with` on."""

    def __init__(
        self,
        *,
        extensions: tuple[str, ...] = ("8BITMIME", "SIZE 50000000", "SMTPUTF8"),
        tls: ssl.SSLContext | None = None,
        starttls: ssl.SSLContext | None = None,
        ends_at_bare_dot: bool = False,
    ) -> None:
        """`tls` from the first byte, or after STARTTLS. `ends_at_bare_dot` is the lenient server that smuggling needs:
        for it `\\n.\\n` and `\\r.\\r` end a mail too.
        """
        self.mails: list[SunkMail] = []
        #: Every line that was a command, of all connections, in order.
        self.commands: list[str] = []
        self.connection_count = 0
        #: What came after a stall, up to the end of the connection.
        self.late = bytearray()
        self.resumed = asyncio.Event()
        self._extensions = extensions
        self._tls = tls
        self.starttls = starttls
        self.ends_at_bare_dot = ends_at_bare_dot
        self._scripts: defaultdict[str, deque[Reply]] = defaultdict(deque)
        self._refused: dict[str, Reply] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._news = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls, limit=1 << 26)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.hang_up()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def script(self, verb: str, *replies: Reply) -> None:
        """The next answers to that verb; after them it is answered well again."""
        self._scripts[verb].extend(replies)

    def refuse(self, address: str, reply: Reply) -> None:
        """Every RCPT of that address."""
        self._refused[address] = reply

    def resume(self) -> None:
        """Ends every stall."""
        self.resumed.set()

    def hang_up(self) -> None:
        """Closes every connection, as a server does that is started anew."""
        for task in self._tasks:
            task.cancel()

    async def wait_for_mails(self, count: int, timeout_seconds: float = 10.0) -> None:
        """Returns once that many mails are here."""
        async with asyncio.timeout(timeout_seconds), self._news:
            await self._news.wait_for(lambda: len(self.mails) >= count)

    async def wait_for_command(self, verb: str, timeout_seconds: float = 10.0) -> None:
        """Returns once that verb has been heard."""
        async with asyncio.timeout(timeout_seconds), self._news:
            await self._news.wait_for(lambda: any(command.startswith(verb) for command in self.commands))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connection_count += 1
        try:
            await _Conversation(self, reader, writer).run()
        except (_Closed, OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    # ---- what a conversation needs

    def next_reply(self, verb: str, well: Reply) -> Reply:
        """The scripted answer, or `well`."""
        script = self._scripts[verb]
        return script.popleft() if script else well

    def reply_to_recipient(self, address: str) -> Reply:
        return self._refused.get(address, "250 2.1.5 ok")

    def greeting(self, *, is_protected: bool) -> str:
        words = ["sink.example", *self._extensions]
        if self.starttls is not None and not is_protected:
            words.append("STARTTLS")
        return "\r\n".join([*(f"250-{word}" for word in words[:-1]), f"250 {words[-1]}"])

    async def note_command(self, line: str) -> None:
        async with self._news:
            self.commands.append(line)
            self._news.notify_all()

    async def keep(self, mail: SunkMail) -> None:
        async with self._news:
            self.mails.append(mail)
            self._news.notify_all()


class _Conversation:
    """One connection, and the transaction that is open on it."""

    def __init__(self, sink: SmtpSink, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._sink = sink
        self._reader = reader
        self._writer = writer
        self._is_protected = False
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._verbs: dict[str, Callable[[str], Awaitable[None]]] = {
            "EHLO": self._ehlo,
            "STARTTLS": self._start_tls,
            "AUTH": self._auth,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "RSET": self._rset,
            "QUIT": self._quit,
        }

    async def run(self) -> None:
        await self._reply("CONNECT", "220 sink.example ESMTP")
        while True:
            line = (await self._reader.readuntil(b"\r\n"))[:-2].decode("utf-8", "surrogateescape")
            await self._sink.note_command(line)
            verb = line.split(" ", 1)[0].upper()
            await self._verbs.get(verb, self._unknown)(line)

    async def _ehlo(self, _line: str) -> None:
        await self._reply("EHLO", self._sink.greeting(is_protected=self._is_protected))

    async def _start_tls(self, _line: str) -> None:
        if self._sink.starttls is None:
            await self._reply("STARTTLS", "502 5.5.1 not here")
        elif await self._reply("STARTTLS", "220 2.0.0 go ahead"):
            await self._writer.start_tls(self._sink.starttls)
            self._is_protected = True

    async def _auth(self, _line: str) -> None:
        await self._reply("AUTH", "235 2.7.0 welcome")

    async def _mail(self, line: str) -> None:
        if await self._reply("MAIL", "250 2.1.0 ok" if self._sender is None else "503 5.5.1 nested MAIL"):
            self._sender = _address(line)

    async def _rcpt(self, line: str) -> None:
        if await self._reply("RCPT", self._sink.reply_to_recipient(_address(line))):
            self._recipients.append(_address(line))

    async def _rset(self, _line: str) -> None:
        self._end_transaction()
        await self._reply("RSET", "250 2.0.0 ok")

    async def _data(self, _line: str) -> None:
        if not await self._reply("DATA", "354 go ahead" if self._recipients else "503 5.5.1 no recipient"):
            return
        if act := self._sink.next_reply("BODY", ""):
            await self._reader.readexactly(1)
            await self._act(act)
        raw = await self._read_mail()
        mail = SunkMail(sender=self._sender or "", recipients=tuple(self._recipients), raw=raw)
        self._end_transaction()
        if await self._reply("DOT", "250 2.0.0 taken"):
            await self._sink.keep(mail)

    async def _quit(self, _line: str) -> None:
        await self._reply("QUIT", "221 2.0.0 bye")
        raise _Closed

    async def _unknown(self, _line: str) -> None:
        await self._reply("", "500 5.5.2 not a command")

    def _end_transaction(self) -> None:
        self._sender = None
        self._recipients.clear()

    async def _reply(self, verb: str, well: Reply) -> bool:
        """Sends the scripted answer or `well`; says whether it was the one that lets the client go on."""
        reply = self._sink.next_reply(verb, well)
        await self._act(reply)
        assert isinstance(reply, str)
        if reply.startswith("421"):
            raise _Closed
        return reply.startswith("3" if verb == "DATA" else "2")

    async def _act(self, reply: Reply) -> None:
        if reply is Act.DROP:
            raise _Closed
        if reply is Act.SILENCE:
            while await self._reader.read(1 << 16):
                pass
            raise _Closed
        if reply is Act.STALL:
            await self._stall()
        self._writer.write(f"{reply}\r\n".encode())
        await self._writer.drain()

    async def _stall(self) -> None:
        transport = cast(asyncio.Transport, self._writer.transport)
        transport.pause_reading()
        await self._sink.note_command("(stalled)")
        await self._sink.resumed.wait()
        transport.resume_reading()
        try:
            while piece := await self._reader.read(1 << 16):
                self._sink.late += piece
        finally:
            await self._sink.note_command("(stall over)")
        raise _Closed

    async def _read_mail(self) -> bytes:
        taken = bytearray()
        while True:
            if self._sink.ends_at_bare_dot:
                taken += await self._reader.readexactly(1)
            else:
                taken += await self._reader.readuntil(b"\r\n")
            if taken == b".\r\n" or taken.endswith(b"\r\n.\r\n"):
                return _unstuffed(bytes(taken[: -len(b".\r\n")]))
            if self._sink.ends_at_bare_dot and taken.endswith((b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r.\n")):
                return _unstuffed(bytes(taken))


def _unstuffed(lines: bytes) -> bytes:
    return lines.replace(b"\r\n.", b"\r\n").removeprefix(b".")


def _address(line: str) -> str:
    return line[line.index("<") + 1 : line.index(">")]
