"""Reads mail in the process of the test, in place of a process of its own: many tests, one interpreter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from mailcase.config.settings import Limits
from mailcase.handlers.read import Reader, ReadMail
from mailcase.store.rows.inbox import ClaimedMail


class ReadsOne(Protocol):
    """A reader, or something in its place that fails."""

    def read(self, claimed: ClaimedMail, *, now: datetime) -> ReadMail: ...


class ReadingHere:
    """`workers.inbox.Reads` without a process."""

    def __init__(self, reader: ReadsOne) -> None:
        self._reader = reader

    async def read(self, mails: Sequence[ClaimedMail], *, now: datetime) -> tuple[ReadMail | Exception, ...]:
        return tuple([self._read_one(mail, now) for mail in mails])

    def _read_one(self, mail: ClaimedMail, now: datetime) -> ReadMail | Exception:
        try:
            return self._reader.read(mail, now=now)
        except Exception as error:  # noqa: BLE001 - as the port says
            return error

    async def make_ready(self) -> None: ...

    async def close(self) -> None: ...


def reads_here(around: Callable[[Reader], ReadsOne] = lambda reader: reader) -> Callable[[Reader, Limits], ReadingHere]:
    """For `World.reads`; `around` puts something between."""
    return lambda reader, _limits: ReadingHere(around(reader))
