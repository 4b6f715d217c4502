"""Everything that works under one configuration. A new configuration is a new shift: the old one ends what it has in
hand under the configuration that it began it with, and the new one takes over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mailcase.config.settings import Settings
from mailcase.core.case import MailboxName
from mailcase.daemon.tasks import OwnTasks
from mailcase.daemon.watching import WatcherPlan
from mailcase.handlers.delivery import DeliveryHandler
from mailcase.inbound.control import Request, Response
from mailcase.inbound.progress import Progress
from mailcase.inbound.protocol import Answer
from mailcase.wakes import Wakes, set_within


class Loop(Protocol):
    """A worker's loop; ends when its wakes say stop."""

    async def run(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """The parts of a shift, wired by app.py."""

    settings: Settings
    #: Its `stopping` is this shift's alone.
    wakes: Wakes
    #: What opens and moves cases: ends within a batch.
    handlers: Sequence[Loop]
    #: What sends: ends with the mail that is on the wire.
    senders: Sequence[Loop]
    delivery_handler: DeliveryHandler
    #: The desk.
    answer: Answer
    progress: Progress
    mailboxes: Mapping[MailboxName, WatcherPlan]
    #: Called when this crew begins to work.
    take_over: Callable[[], None]


class Shift:
    """A crew at work."""

    def __init__(self, crew: Crew, tasks: OwnTasks) -> None:
        self.crew = crew
        self._tasks = tasks
        self._handling: list[asyncio.Task[None]] = []
        self._sending: list[asyncio.Task[None]] = []
        self._answering_count = 0
        self._is_quiet = asyncio.Event()
        self._is_quiet.set()

    def start(self) -> None:
        """Begins to work."""
        self.crew.take_over()
        self._handling = [self._run(loop) for loop in self.crew.handlers]
        self._sending = [self._run(loop) for loop in self.crew.senders]

    def _run(self, loop: Loop) -> asyncio.Task[None]:
        return self._tasks.start(loop.run(), type(loop).__name__, until=self.crew.wakes.stopping)

    async def answer(self, request: Request, *, uid: int | None, blobs: Sequence[bytes]) -> Response:
        """Carries a request of the shell out, under the configuration of this shift to its end."""
        self._answering_count += 1
        self._is_quiet.clear()
        try:
            return await self.crew.answer(request, uid=uid, blobs=blobs)
        finally:
            self._answering_count -= 1
            if not self._answering_count:
                self._is_quiet.set()

    async def hand_over(self) -> None:
        """Ends the work on cases; returns when it has ended. What is on the wire goes on, see `sent`.

        A command that talks to a mail server may take minutes and changes no case; it is waited for only so long.
        """
        self.crew.wakes.hand_over()
        if self._handling:
            await asyncio.wait(self._handling)
        await set_within(self._is_quiet, self.crew.settings.limits.stop_within)

    @property
    def is_sending(self) -> bool:
        """A mail is still on the wire, or its result not saved."""
        return any(not task.done() for task in self._sending)

    async def sent(self) -> None:
        """Returns when the last mail on the wire has been settled."""
        if self._sending:
            await asyncio.wait(self._sending)
