"""Many cases in a store, in bulk through the store port: one mail, one case, one sent acknowledgement each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from benchmarks.corpus import DESK
from mailcase import log
from mailcase.clock import SystemClock
from mailcase.config.reader import load
from mailcase.config.settings import Settings
from mailcase.core.case import MailboxName
from mailcase.entropy import SystemEntropy
from mailcase.handlers.address_book import AddressBook
from mailcase.handlers.mail import MailHandler
from mailcase.handlers.notices import NoticeWriter
from mailcase.handlers.read import Reader
from mailcase.handlers.transaction import Transactions
from mailcase.keyring import load_or_create
from mailcase.mail.signing import KeyRing
from mailcase.store.lock import StoreLock
from mailcase.store.port import Point, Store
from mailcase.store.rows.changes import Changes
from mailcase.store.rows.inbox import NewMail
from mailcase.store.rows.outbox import DeliveryResult, DeliveryState
from mailcase.store.sqlite import SqliteStore
from mailcase.wakes import Wakes

#: Mails in one transaction.
BATCH = 500


def seed(configuration: Path, count: int) -> None:
    """Fills the store of a configuration with so many open cases."""
    log.set_up(level="error")
    asyncio.run(_seed(load(configuration), count))


async def _seed(settings: Settings, count: int) -> None:
    with StoreLock.acquire(settings.store):
        store = await SqliteStore.open(settings.store, clock=SystemClock())
        try:
            planter = _Planter(settings, store)
            for start in range(0, count, BATCH):
                await planter.plant(range(start, min(start + BATCH, count)))
        finally:
            await store.close()


class _Planter:
    """The stations of the daemon, one after the other and without its loops."""

    def __init__(self, settings: Settings, store: Store) -> None:
        clock, entropy, book = SystemClock(), SystemEntropy(), AddressBook(settings)
        limits = settings.limits
        ring: KeyRing = load_or_create(
            settings.state_folder,
            clock=clock,
            entropy=entropy,
            lifetime=limits.key_lifetime,
            renewal=limits.key_renewal,
        )
        writer = NoticeWriter(settings=settings, book=book, ring=ring, entropy=entropy)
        transactions = Transactions(store=store, settings=settings, writer=writer, clock=clock, wakes=Wakes())
        self._store = store
        self._clock = clock
        self._reader = Reader(book, ring, key_lifetime=limits.key_lifetime)
        self._handler = MailHandler(transactions, settings=settings, book=book)

    async def plant(self, numbers: Sequence[int]) -> None:
        """Takes, reads and settles these mails, and calls their acknowledgements sent."""
        now = self._clock.now()
        lease_until = now + timedelta(minutes=5)
        await self._store.accept([_mail(number, self._clock) for number in numbers])
        claimed = await self._store.claim_inbox(
            now=now, limit_count=len(numbers), limit_bytes=1 << 30, lease_until=lease_until
        )
        await self._handler.handle([self._reader.read(mail, now=now) for mail in claimed])
        queued = await self._store.claim_outbox(now=self._clock.now(), limit_count=BATCH, lease_until=lease_until)
        sent = [
            DeliveryResult(id=delivery.id, state=DeliveryState.SENT, reply="250 2.0.0 taken")
            for mail in queued
            for delivery in mail.deliveries
        ]
        await self._store.save(Point.SETTLE, Changes(results=tuple(sent)), now=now)


def _mail(number: int, clock: SystemClock) -> NewMail:
    now = clock.now()
    sender = f"old{number}@customer{number % 97}.example"
    raw = (
        f"From: Person {number} <{sender}>\r\nTo: {DESK}\r\nSubject: Question {number}\r\n"
        f"Message-ID: <{number}.old@customer.example>\r\nDate: Mon, 2 Mar 2026 09:00:00 +0100\r\n\r\n"
        f"This is question {number}.\r\n"
    )
    return NewMail(
        mailbox=MailboxName("desk"),
        source=f"seed:{number}",
        raw=raw.encode(),
        envelope_from=None,
        envelope_to=(),
        arrived_at=now,
        received_at=now,
    )
