"""A service manager's end of sd_notify: a datagram socket that keeps what it is told."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Self

from tests.servers.eventually import DEADLINE_SECONDS, eventually


class NotifySocket:
    """Listens for the whole of a `with` block; `address` is for NOTIFY_SOCKET."""

    def __init__(self, folder: Path, *, abstract_name: str | None = None) -> None:
        self.address = f"@{abstract_name}" if abstract_name else str(folder / "notify")
        self._bound = f"\0{abstract_name}" if abstract_name else self.address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.messages: list[str] = []

    def __enter__(self) -> Self:
        self._socket.bind(self._bound)
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()

    def read(self) -> list[str]:
        """Everything that has been said so far."""
        while True:
            try:
                self.messages.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return self.messages

    async def until_said(self, beginning: str, *, count: int = 1, within_seconds: float = DEADLINE_SECONDS) -> None:
        """Returns when so many messages begin so."""

        async def is_said() -> bool:
            await asyncio.sleep(0)
            return sum(message.startswith(beginning) for message in self.read()) >= count

        await eventually(is_said, f"{beginning} at the service manager", within_seconds=within_seconds)
