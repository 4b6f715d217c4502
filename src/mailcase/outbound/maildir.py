"""A local Maildir in the place of a relay: what goes out can be read and reaches nobody."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC
from pathlib import Path
from types import TracebackType
from typing import Self

from mailcase.config.settings import MaildirRelay
from mailcase.errors import AppError
from mailcase.outbound.port import Attempt, BeforeData
from mailcase.store.rows.outbox import ClaimedOutgoing, DeliveryState


class MaildirOutbox:
    """An outlet into a folder that any mail client can open. Also its own session: there is no connection to keep."""

    def __init__(self, settings: MaildirRelay) -> None:
        self._path = settings.path

    def session(self) -> MaildirOutbox:
        """Itself."""
        return self

    async def send(self, mail: ClaimedOutgoing, *, before_data: BeforeData) -> tuple[Attempt, ...]:
        """Puts the mail's bytes, unchanged, into one file of `new/`, durable before SENT is said.

        The name follows from the mail alone, in order of time: a mail that is sent twice is still one file.
        """
        try:
            await before_data([delivery.id for delivery in mail.deliveries])
        except AppError as error:
            return _all(mail, DeliveryState.QUEUED, f"not written, journal failed: {error}")
        name = file_name(mail)
        try:
            await asyncio.to_thread(_write, self._path, name, mail.raw)
        except OSError as error:
            return _all(mail, DeliveryState.DEFERRED, f"cannot write to {self._path}: {error.strerror}")
        return _all(mail, DeliveryState.SENT, f"written to {self._path / 'new' / name}")

    async def close(self) -> None:
        """Nothing is kept open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


def file_name(mail: ClaimedOutgoing) -> str:
    """`SECONDS.MmicrosecondsQid.mailcase`: names sort like the times at which the mails were made, then by id."""
    made_at = mail.created_at.astimezone(UTC)
    return f"{int(made_at.timestamp()):010d}.M{made_at.microsecond:06d}Q{mail.id:08d}.mailcase"


def _all(mail: ClaimedOutgoing, state: DeliveryState, reply: str) -> tuple[Attempt, ...]:
    return tuple(Attempt(id=delivery.id, state=state, reply=reply) for delivery in mail.deliveries)


def _write(folder: Path, name: str, raw: bytes) -> None:
    """As Maildir readers expect: complete in `tmp/`, then renamed, so that `new/` never shows half a mail."""
    for part in ("tmp", "new", "cur"):
        (folder / part).mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = folder / "tmp" / name
    with unfinished.open("wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(folder / "new" / name)
    # The rename itself is durable only once the folder is.
    folder_handle = os.open(folder / "new", os.O_RDONLY)
    try:
        os.fsync(folder_handle)
    finally:
        os.close(folder_handle)
