"""What the outbox worker asks of whatever takes our mail: a relay, or a local Maildir."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from mailcase.store.rows.outbox import ClaimedOutgoing, DeliveryId, DeliveryState

#: Awaited once per mail, just before its first byte goes out, with the deliveries that the relay has agreed to: the
#: journal commit (L32). When it raises an AppError, those deliveries come back QUEUED and nothing was sent.
BeforeData = Callable[[Sequence[DeliveryId]], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What became of one delivery."""

    id: DeliveryId
    #: SENT, DEFERRED, FAILED or UNKNOWN; QUEUED gives it back untried.
    state: DeliveryState
    #: The server's words or ours: one line, safe to store and to show.
    reply: str


class OutletSession(Protocol):
    """A way out that one worker uses for one mail at a time; keeps its connection from mail to mail."""

    async def send(self, mail: ClaimedOutgoing, *, before_data: BeforeData) -> tuple[Attempt, ...]:
        """Tries the mail once; answers one attempt per delivery, in the mail's order.

        Never raises for what a network or server does. Cancelled, it closes its connection; what was journaled by then
        is unknown.
        """
        ...

    async def close(self) -> None:
        """Ends the connection, politely where that is quick. The session can be used again and connects anew."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class Outlet(Protocol):
    """Gives sessions; `workers` opens as many as `Relay.connections`."""

    def session(self) -> OutletSession:
        """A session that is not connected yet; it connects when it first has mail."""
        ...
