"""Daemons that break a promise on purpose: what the judge says of them shows that it can find fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Self

from mailcase.app import World
from mailcase.clock import Clock
from mailcase.config.settings import ImapSource, Settings
from mailcase.inbound.imap import ImapSession
from mailcase.inbound.imap_answers import FetchedMail
from mailcase.login.logins import Credentials
from mailcase.outbound.port import Attempt, BeforeData, Outlet, OutletSession
from mailcase.store.rows.outbox import ClaimedOutgoing, DeliveryId


class Flaw(Enum):
    """The promise that is broken."""

    #: Mail is moved on the server before it is committed here (L11).
    ACKNOWLEDGES_FIRST = "acknowledges-first"
    #: Every mail goes out in two copies.
    SENDS_TWICE = "sends-twice"
    #: The attempt is journaled when it is over (L32).
    JOURNALS_LATE = "journals-late"


class AcknowledgingFirst(ImapSession):
    """Moves mail as soon as it has read it."""

    def __init__(self, source: ImapSource) -> None:
        super().__init__(source)
        self._folder = source.move_to

    def fetch(self, uids: Sequence[int], *, size_bytes: int) -> tuple[FetchedMail, ...]:
        mails = super().fetch(uids, size_bytes=size_bytes)
        self.move([mail.uid for mail in mails], self._folder)
        return mails


async def _without_journal(_delivery_ids: Sequence[DeliveryId]) -> None:
    return


@dataclass(frozen=True)
class FlawedSession:
    """A session of the real relay, used in a wrong way."""

    session: OutletSession
    flaw: Flaw

    async def send(self, mail: ClaimedOutgoing, *, before_data: BeforeData) -> tuple[Attempt, ...]:
        if self.flaw is Flaw.SENDS_TWICE:
            await self.session.send(mail, before_data=before_data)
            return await self.session.send(mail, before_data=_without_journal)
        attempts = await self.session.send(mail, before_data=_without_journal)
        await before_data([delivery.id for delivery in mail.deliveries])
        return attempts

    async def close(self) -> None:
        await self.session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


@dataclass(frozen=True)
class FlawedOutlet:
    """The real relay, used in a wrong way."""

    outlet: Outlet
    flaw: Flaw

    def session(self) -> FlawedSession:
        return FlawedSession(self.outlet.session(), self.flaw)


def flawed_outlet(settings: Settings, clock: Clock, credentials: Credentials | None, *, flaw: Flaw) -> Outlet:
    """The way out of a daemon with one of the flaws in sending."""
    return FlawedOutlet(World().outlet(settings, clock, credentials), flaw)
