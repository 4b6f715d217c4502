"""An IMAP server that says what a test tells it to, right or wrong, whole or in pieces.

    with ScriptedImap({"UID FETCH": in_turn(b"* 1 FETCH (UID 7 BODY[] NIL)\r\n{tag} OK\r\n", dribbled(...))}) as server:
        ...
        assert server.commands == [...]

An answer is a function of the rest of the command line. What it returns is sent, with `{tag}` replaced: bytes (b"" is
the server that hangs), `Pieces`, or None, which closes the connection.
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import TracebackType

from mailcase.clock import SystemClock
from mailcase.config.settings import AfterTaking, ImapSource, SecretFile, Tls


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """An answer that does not come in one go, or not whole."""

    text: bytes
    size_bytes: int = 1 << 20
    gap_seconds: float = 0.0
    #: After so many bytes the connection is closed.
    end_at: int | None = None


Said = bytes | Pieces | None
Answer = Callable[[str], Said]

_CLOCK = SystemClock()
RAW = b"From: ann@example.org\r\nSubject: printer\r\n\r\nIt smokes.\r\n"


def always(text: Said) -> Answer:
    """The same answer every time."""
    return lambda _rest: text


def in_turn(*answers: Said) -> Answer:
    """These answers, one after the other, the last one for ever."""
    left = list(answers)
    return lambda _rest: left.pop(0) if len(left) > 1 else left[0]


def bodies(answer: Answer) -> Answer:
    """Answers so when mail is asked for, and rightly when only sizes are."""
    return lambda rest: (
        answer(rest) if "BODY" in rest else b"".join(facts(uid) for uid in uids_of(rest)) + b"{tag} OK done\r\n"
    )


def dribbled(text: bytes, *, gap_seconds: float = 0.002) -> Pieces:
    """A byte at a time."""
    return Pieces(text=text, size_bytes=1, gap_seconds=gap_seconds)


def cut(text: bytes, at: int) -> Pieces:
    """Only so many bytes, then the end of the connection."""
    return Pieces(text=text, end_at=at)


def fetched(uid: int, raw: bytes = RAW) -> bytes:
    """A FETCH response with the mail."""
    return b'* 1 FETCH (UID %d RFC822.SIZE %d INTERNALDATE "24-Nov-2026 10:00:00 +0000" BODY[] {%d}\r\n%s)\r\n' % (
        uid,
        len(raw),
        len(raw),
        raw,
    )


def facts(uid: int, size_bytes: int = len(RAW)) -> bytes:
    """A FETCH response without the mail."""
    return b'* 1 FETCH (UID %d RFC822.SIZE %d INTERNALDATE "24-Nov-2026 10:00:00 +0000")\r\n' % (uid, size_bytes)


def uids_of(rest: str) -> list[int]:
    """The UIDs that a FETCH asks for."""
    uids: list[int] = []
    for run in rest.split(" ", 1)[0].split(","):
        first, _, last = run.partition(":")
        uids += range(int(first), int(last or first) + 1)
    return uids


_USUAL: Mapping[str, Answer] = {
    "CAPABILITY": always(b"* CAPABILITY IMAP4rev1 IDLE MOVE\r\n{tag} OK done\r\n"),
    "STARTTLS": always(b"{tag} OK begin\r\n"),
    "LOGIN": always(b"{tag} OK done\r\n"),
    "SELECT": always(b"* 1 EXISTS\r\n* OK [UIDVALIDITY 5]\r\n* OK [PERMANENTFLAGS (\\*)]\r\n{tag} OK [READ-WRITE]\r\n"),
    "EXAMINE": always(b"* 1 EXISTS\r\n* OK [UIDVALIDITY 5]\r\n{tag} OK [READ-ONLY]\r\n"),
    "NOOP": always(b"{tag} OK done\r\n"),
    "IDLE": always(b"+ idling\r\n"),
    "UID SEARCH": always(b"* SEARCH 7\r\n{tag} OK done\r\n"),
    "UID FETCH": lambda rest: (
        b"".join(fetched(uid) if "BODY" in rest else facts(uid) for uid in uids_of(rest)) + b"{tag} OK done\r\n"
    ),
    "UID MOVE": always(b"{tag} OK done\r\n"),
    "LOGOUT": always(b"* BYE\r\n{tag} OK done\r\n"),
}


class ScriptedImap:
    """Serves on the loopback, with the usual answers where a test gives none; used in `with`."""

    def __init__(
        self,
        answers: Mapping[str, Answer],
        *,
        greeting: bytes = b"* OK ready\r\n",
        tls: ssl.SSLContext | None = None,
        starttls: ssl.SSLContext | None = None,
    ) -> None:
        """Keys are commands: `UID FETCH`, `IDLE`; `CONTINUE` is what a client says to a `+` of AUTHENTICATE.
        `tls` from the first byte, or after STARTTLS.
        """
        self._tls = tls
        self._starttls = starttls
        self._answers = {**_USUAL, **answers}
        self._greeting = greeting
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        #: When each connection was made, by the monotonic clock.
        self.connected_at: list[float] = []
        self._closing = threading.Event()
        #: Every command line without its tag, in their order.
        self.commands: list[str] = []

    def source(self, secret: Path) -> ImapSource:
        """How a mailbox of ours reads it; `secret` is a file to put the password into."""
        secret.write_text("SECRET_imap")
        return ImapSource(
            host="127.0.0.1",
            port=self.port,
            tls=Tls.NONE,
            ca_file=None,
            user="ann",
            login=SecretFile(path=secret),
            folder="INBOX",
            after=AfterTaking.LEAVE,
            move_to="done",
            takes_existing=True,
            poll_every=timedelta(seconds=30),
            command_timeout=timedelta(seconds=10),
        )

    def moving_source(self, secret: Path) -> ImapSource:
        """The same with mail to be moved."""
        return replace(self.source(secret), after=AfterTaking.MOVE)

    @property
    def connections_count(self) -> int:
        return len(self.connected_at)

    def count(self, command: str) -> int:
        """How often it was heard."""
        return sum(line.startswith(command) for line in tuple(self.commands))

    def hang_up(self) -> None:
        """Closes every connection, as a server does that is started anew."""
        for sock in self._open:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> ScriptedImap:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self.hang_up()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _address = self._listener.accept()
                self.connected_at.append(_CLOCK.monotonic())
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):
            connection = self._wrapped(connection, self._tls)
            connection.sendall(self._greeting)
            while self._converse(connection):
                connection = self._wrapped(connection, self._starttls)
        connection.close()

    def _wrapped(self, connection: socket.socket, context: ssl.SSLContext | None) -> socket.socket:
        if context is None:
            return connection
        wrapped = context.wrap_socket(connection, server_side=True)
        self._open.append(wrapped)
        return wrapped

    def _converse(self, connection: socket.socket) -> bool:
        """Up to the end of the connection, or to a STARTTLS: True."""
        with connection.makefile("rb") as lines:
            idle_tag = asked_tag = b""
            for line in lines:
                if line == b"DONE\r\n":
                    connection.sendall(idle_tag + b" OK done\r\n")
                    continue
                tag, _, command = line.rstrip(b"\r\n").partition(b" ")
                if asked_tag:
                    tag, command = asked_tag, b"CONTINUE " + line.rstrip(b"\r\n")
                said = self._answer(command.decode())
                if command == b"IDLE":
                    idle_tag = tag
                is_asked = isinstance(said, bytes) and said.startswith(b"+") and command != b"IDLE"
                asked_tag = tag if is_asked else b""
                if said is None or not self._say(connection, said, tag):
                    break
                if command == b"STARTTLS":
                    return True
        return False

    def _say(self, connection: socket.socket, said: bytes | Pieces, tag: bytes) -> bool:
        """Whether the connection goes on."""
        if isinstance(said, bytes):
            connection.sendall(said.replace(b"{tag}", tag))
            return True
        text = said.text.replace(b"{tag}", tag)[: said.end_at]
        for at in range(0, len(text), said.size_bytes):
            connection.sendall(text[at : at + said.size_bytes])
            if said.gap_seconds and self._closing.wait(said.gap_seconds):
                return False
        return said.end_at is None

    def _answer(self, command: str) -> Said:
        self.commands.append(command)
        found = re.match(r"(UID )?\w+", command)
        assert found is not None, command
        answer = self._answers.get(found.group())
        return answer(command[found.end() + 1 :]) if answer else b"{tag} BAD unknown\r\n"
