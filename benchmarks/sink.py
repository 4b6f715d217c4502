"""An SMTP server that takes everything and keeps only counts: `python -m benchmarks.sink`, the same for all peers.

It prints its port. `XSEEN` answers what it has taken, on any connection, so that the harness needs no other way to ask.
"""

from __future__ import annotations

import asyncio
import time
from typing import cast

_GREETING = b"220 sink.example ESMTP\r\n"
_EHLO = b"250-sink.example\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
_REPLIES = {b"MAIL": b"250 2.1.0 ok\r\n", b"RCPT": b"250 2.1.5 ok\r\n", b"RSET": b"250 2.0.0 ok\r\n", b"EHLO": _EHLO}


class Seen:
    """What all connections have taken."""

    def __init__(self) -> None:
        self.mails_count = 0
        self.bytes_count = 0
        #: Wall clock of the last final dot, seconds.
        self.last_at = 0.0


class Conversation(asyncio.Protocol):
    """One connection; answers each command as it comes, several in one packet too (RFC 2920)."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._buffer = bytearray()
        self._is_data = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(_GREETING)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        answers = bytearray()
        while (answer := self._next_answer()) is not None:
            answers += answer
        if answers and self._transport is not None:
            self._transport.write(bytes(answers))

    def _next_answer(self) -> bytes | None:
        if self._is_data:
            return self._take_mail()
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return None
        verb = bytes(self._buffer[:4]).upper()
        del self._buffer[: end + 2]
        if verb == b"DATA":
            self._is_data = True
            return b"354 go ahead\r\n"
        if verb == b"XSEE":
            return f"250 {self._seen.mails_count} {self._seen.bytes_count} {self._seen.last_at!r}\r\n".encode()
        if verb == b"QUIT":
            asyncio.get_running_loop().call_soon(self._close)
            return b"221 2.0.0 bye\r\n"
        return _REPLIES.get(verb, b"500 5.5.2 not a command\r\n")

    def _take_mail(self) -> bytes | None:
        end = self._buffer.find(b"\r\n.\r\n")
        if end < 0:
            return None
        del self._buffer[: end + 5]
        self._is_data = False
        self._seen.mails_count += 1
        self._seen.bytes_count += end + 2
        self._seen.last_at = time.time()
        return b"250 2.0.0 taken\r\n"

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def main() -> None:
    seen = Seen()
    server = await asyncio.get_running_loop().create_server(lambda: Conversation(seen), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
