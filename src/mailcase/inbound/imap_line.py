"""A session on its own thread, with the loop's clock over every call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from mailcase.inbound.imap import ImapSession
from mailcase.inbound.imap_errors import ImapUnavailable
from mailcase.login.credentials import Credential
from mailcase.offload import Worker

T = TypeVar("T")

#: A call that carries mail gets a second more for so many bytes: slower is as good as dead.
SLOWEST_BYTES_PER_SECOND = 64 * 1024


class ImapLine:
    """Awaitable calls to one session. A call over its time ends the line for good: the socket is cut, the thread is
    left to itself (I10, L8). The session has no other user.
    """

    def __init__(self, session: ImapSession, worker: Worker, command_timeout: timedelta) -> None:
        self.session = session
        self._worker = worker
        self._command_timeout = command_timeout

    async def call(self, function: Callable[[], T], *, size_bytes: int = 0, extra: timedelta = timedelta()) -> T:
        """Runs a method of the session. `size_bytes` of mail and `extra` time lengthen the deadline.

        Raises what the session raises, and ImapUnavailable when the deadline passes.
        """
        allowed = self._command_timeout + extra + timedelta(seconds=size_bytes / SLOWEST_BYTES_PER_SECOND)
        try:
            async with asyncio.timeout(allowed.total_seconds()):
                return await self._worker.run(function)
        except TimeoutError as error:
            self.cut()
            raise ImapUnavailable(f"the server did not answer within {allowed.total_seconds():.0f} seconds") from error

    async def open(self, credential: Credential) -> None:
        """Connects and logs in, see `ImapSession.open`."""
        await self.call(lambda: self.session.open(credential))

    def wake(self) -> None:
        """Ends a wait for mail that is going on, or else the next one."""
        self.session.wake()

    def cut(self) -> None:
        """Ends everything now, without a word to the server."""
        self.session.shut()
        self._worker.abandon(self.session.close)

    async def close(self) -> None:
        """Says goodbye to the server; a line that is cut stays so."""
        await self.call(self.session.close)
        self._worker.abandon()
