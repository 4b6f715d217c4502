"""The content of a mail between DATA and the final dot: collected in one buffer, and what it is known by.

aiosmtpd keeps a list of lines: 24 MB of empty ones cost 1.4 GB. Here a mail costs its size, twice for the moment in
which it is finished, and all mails that are being received share one `Room`.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType
from typing import Self

#: The one end of a mail (RFC 5321 s. 4.1.1.4); what only looks like it belongs to the mail (S12).
_END = b"\r\n.\r\n"
#: What may be the beginning of an end, and stays also of a mail that is refused.
_KEPT = len(_END) - 1
#: What is read in one go; the transport hands over no more.
_PIECE_BYTES = 256 * 1024


class Refusal(StrEnum):
    """Why a mail is not taken: the reply to its final dot."""

    TOO_LARGE = "552 5.3.4 message too big"
    LINE_TOO_LONG = "500 5.6.0 line too long"
    NO_ROOM = "452 4.3.1 too much mail at once, try again later"


class Room:
    """The memory that all mails on their way in may have together."""

    def __init__(self, size_bytes: int) -> None:
        self._free_bytes = size_bytes

    def take(self, size_bytes: int) -> bool:
        """Whether there was so much; then it is taken."""
        if size_bytes > self._free_bytes:
            return False
        self._free_bytes -= size_bytes
        return True

    def give_back(self, size_bytes: int) -> None:
        """Undoes `take`."""
        self._free_bytes += size_bytes


class Content:
    """One mail as it comes in. Used in `with`, for as long as its bytes are needed: then its room is given back."""

    def __init__(self, room: Room, *, limit_bytes: int, line_bytes: int) -> None:
        """`limit_bytes` for the mail, `line_bytes` for a line; both count the line ends and the stuffed dots."""
        self._room = room
        self._limit_bytes = limit_bytes
        self._line_bytes = line_bytes
        self._taken_bytes = 0
        # The end of the DATA line, so that a dot on the first line is one on any line.
        self._collected = bytearray(b"\r\n")
        #: Where the line begins that has no end yet.
        self._line_start = len(self._collected)
        self._refusal: Refusal | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give_up()

    async def read(self, reader: asyncio.StreamReader) -> bytes | Refusal:
        """Reads up to the final dot, also what is refused: the bytes with dot-stuffing undone, or why not.

        What the client has sent behind the dot is left in the reader. Raises ConnectionResetError when it goes.
        """
        while True:
            piece = await reader.read(_PIECE_BYTES)
            if not piece:
                raise ConnectionResetError("the client went in the middle of a mail")
            self._collected += piece
            at = self._collected.find(_END, max(0, len(self._collected) - len(piece) - _KEPT))
            if at >= 0:
                # `read` has emptied the reader, so this is its front.
                reader.feed_data(bytes(self._collected[at + len(_END) :]))
                del self._collected[at + len(b"\r\n") :]
            if self._refusal is None:
                self._refusal = self._problem()
            if self._refusal is not None:
                self._give_up()
            if at >= 0:
                return self._refusal or self._finished()

    def _problem(self) -> Refusal | None:
        size_bytes = len(self._collected) - len(b"\r\n")
        if size_bytes > self._limit_bytes:
            return Refusal.TOO_LARGE
        # As bytes, of which the empty one exists once only.
        lines = bytes(self._collected[self._line_start :]).split(b"\r\n")
        self._line_start = len(self._collected) - len(lines[-1])
        if max(map(len, lines)) + len(b"\r\n") > self._line_bytes:
            return Refusal.LINE_TOO_LONG
        more_bytes = max(0, size_bytes - self._taken_bytes)
        if not self._room.take(more_bytes):
            return Refusal.NO_ROOM
        self._taken_bytes += more_bytes
        return None

    def _give_up(self) -> None:
        del self._collected[:-_KEPT]
        self._room.give_back(self._taken_bytes)
        self._taken_bytes = 0

    def _finished(self) -> bytes:
        unstuffed = self._collected.replace(b"\r\n.", b"\r\n")
        self._collected.clear()
        return bytes(memoryview(unstuffed)[len(b"\r\n") :])


def source_of(recipients: Iterable[str], raw: bytes, *, received_at: datetime) -> str:
    """The identity of a pushed mail: `smtp:`, the day (UTC), the hex SHA-256 over sorted envelope recipients and bytes.

    A mail that is offered again at once, because the `250` was lost, is taken once. The same bytes on a later day are
    looked at: only what they say tells whether it is the same mail (EM-7).
    """
    digest = hashlib.sha256()
    for address in sorted(recipients):
        digest.update(address.encode() + b"\0")
    digest.update(b"\0")
    digest.update(raw)
    return f"smtp:{received_at.astimezone(UTC):%Y-%m-%d}:{digest.hexdigest()}"


def has_bare_line_end(raw: bytes) -> bool:
    """A CR or LF that is not half of a CRLF: the stuff that SMTP smuggling is made of (S12)."""
    pairs = raw.count(b"\r\n")
    return raw.count(b"\n") != pairs or raw.count(b"\r") != pairs
