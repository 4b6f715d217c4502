"""Composition root: settings -> wired services. No logic: what is decided here is only who gets to know whom.

Everything that touches the world comes through `World`, so that a test, the demo or a simulation can put another in its
place.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from mailcase.clock import Clock, SystemClock
from mailcase.config.settings import ImapSource, ListenerSource, MaildirRelay, Settings
from mailcase.core.case import MailboxName
from mailcase.daemon import Daemon, ListenerPart
from mailcase.desk.desk import Desk
from mailcase.entropy import Entropy, SystemEntropy
from mailcase.handlers.address_book import AddressBook
from mailcase.handlers.command import CommandHandler
from mailcase.handlers.delivery import DeliveryHandler
from mailcase.handlers.mail import MailHandler
from mailcase.handlers.notices import NoticeWriter
from mailcase.handlers.read import Reader
from mailcase.handlers.refresh import refresh_deadlines
from mailcase.handlers.tick import TickHandler
from mailcase.handlers.transaction import Transactions
from mailcase.inbound.accept import Door
from mailcase.inbound.check import check_mailbox
from mailcase.inbound.control import ControlServer
from mailcase.inbound.imap import ImapSession
from mailcase.inbound.progress import ListenerPresence, Progress
from mailcase.inbound.smtp import Listener
from mailcase.inbound.smtp_data import Room
from mailcase.inbound.watcher import ImapWatcher, SessionFactory
from mailcase.keyring import load_or_create
from mailcase.login.logins import Credentials, Logins
from mailcase.mail.clues import own_address
from mailcase.mail.signing import KeyRing
from mailcase.offload import Offload, OwnedThread
from mailcase.outbound.maildir import MaildirOutbox
from mailcase.outbound.port import Outlet
from mailcase.outbound.relay import SmtpRelay
from mailcase.store.lock import StoreBusy, StoreLock
from mailcase.store.port import Hook, Store
from mailcase.store.sqlite import SqliteStore
from mailcase.wakes import Wakes
from mailcase.workers.due import DueWorker
from mailcase.workers.inbox import InboxWorker, Reads
from mailcase.workers.logins import LoginWorker
from mailcase.workers.outbox import OutboxWorker

__all__ = ["App", "StoreBusy", "World", "open_app", "open_desk", "run"]


def _outlet(settings: Settings, clock: Clock, credentials: Credentials | None) -> Outlet:
    relay = settings.relay
    if isinstance(relay, MaildirRelay):
        return MaildirOutbox(relay)
    return SmtpRelay(relay, clock=clock, credentials=credentials)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything that is not decided by the settings: time, chance, and the ways to the network."""

    clock: Clock = field(default_factory=SystemClock)
    entropy: Entropy = field(default_factory=SystemEntropy)
    offload: Offload = OwnedThread
    imap_connect: SessionFactory = ImapSession
    #: Its last argument is what the relay is shown; None where there is no login.
    outlet: Callable[[Settings, Clock, Credentials | None], Outlet] = _outlet
    #: What reads mail, around the reader of the settings; tests of poison put theirs in between.
    reads: Callable[[Reader], Reads] = lambda reader: reader
    #: Called around every commit; crash tests die there.
    hook: Hook | None = None


class App:
    """The wired services over one open store."""

    def __init__(self, settings: Settings, world: World, *, store: Store, ring: KeyRing) -> None:
        self.settings = settings
        self.world = world
        self.store = store
        self.wakes = Wakes()
        self.logins = Logins(settings, clock=world.clock, entropy=world.entropy, offload=world.offload)
        self.book = AddressBook(settings)
        self.instance = _instance(settings)
        self._reader = Reader(self.book, ring, key_lifetime=settings.limits.key_lifetime)
        writer = NoticeWriter(settings=settings, book=self.book, ring=ring, entropy=world.entropy)
        self._transactions = Transactions(
            store=store, settings=settings, writer=writer, clock=world.clock, wakes=self.wakes
        )
        self._door = Door(store, self.wakes.inbox)
        self.progress = Progress(
            settings.mailboxes, store=store, clock=world.clock, under_way_since=self._door.under_way_since
        )
        self.desk = Desk(
            settings=settings,
            store=store,
            commands=CommandHandler(self._transactions),
            writer=writer,
            book=self.book,
            progress=self.progress,
            check_mailbox=lambda name: check_mailbox(settings.mailboxes[name], world.offload, self.logins.mailboxes),
            clock=world.clock,
            wakes=self.wakes,
        )

    def daemon(self) -> Daemon:
        """The daemon over these services; made once."""
        delivery_handler = DeliveryHandler(self._transactions, limits=self.settings.limits)
        return Daemon(
            store=self.store,
            clock=self.world.clock,
            wakes=self.wakes,
            limits=self.settings.limits,
            delivery_handler=delivery_handler,
            listeners=self._listeners(),
            watchers=self._watchers(),
            loops=(
                self._inbox_worker(),
                self._due_worker(),
                *self._outbox_workers(delivery_handler),
                LoginWorker(self.logins, clock=self.world.clock, wakes=self.wakes),
            ),
            control=ControlServer(self.settings.socket, self.desk.answer),
            refresh=lambda: refresh_deadlines(self.store, self.settings),
        )

    def _listeners(self) -> dict[MailboxName, ListenerPart]:
        limits = self.settings.limits
        # A mail of the greatest size is always taken when it comes alone.
        room = Room(max(limits.sessions_bytes, limits.message_bytes))
        parts: dict[MailboxName, ListenerPart] = {}
        for name, mailbox in self.settings.mailboxes.items():
            if not mailbox.is_enabled or not isinstance(mailbox.source, ListenerSource):
                continue
            own = self.book.addresses_of(name)
            presence = ListenerPresence(name, mailbox.source, store=self.store, clock=self.world.clock)
            self.progress.add_listener(name, presence)
            parts[name] = ListenerPart(
                listener=Listener(
                    name,
                    mailbox.source,
                    door=self._door,
                    clock=self.world.clock,
                    knows_recipient=partial(_is_among, own),
                    limits=limits,
                    room=room,
                    instance=self.instance,
                ),
                presence=presence,
            )
        return parts

    def _watchers(self) -> dict[MailboxName, ImapWatcher]:
        return {
            name: ImapWatcher(
                mailbox,
                door=self._door,
                store=self.store,
                clock=self.world.clock,
                entropy=self.world.entropy,
                offload=self.world.offload,
                connect=self.world.imap_connect,
                credentials=self.logins.mailboxes[name],
                limits=self.settings.limits,
                on_read=self.wakes.due.set,
            )
            for name, mailbox in self.settings.mailboxes.items()
            if mailbox.is_enabled and isinstance(mailbox.source, ImapSource)
        }

    def _inbox_worker(self) -> InboxWorker:
        return InboxWorker(
            store=self.store,
            reader=self.world.reads(self._reader),
            handler=MailHandler(self._transactions, settings=self.settings, book=self.book),
            clock=self.world.clock,
            offload=self.world.offload,
            wakes=self.wakes,
            limits=self.settings.limits,
        )

    def _due_worker(self) -> DueWorker:
        return DueWorker(
            store=self.store,
            handler=TickHandler(self._transactions),
            progress=self.progress,
            clock=self.world.clock,
            wakes=self.wakes,
            limits=self.settings.limits,
        )

    def _outbox_workers(self, handler: DeliveryHandler) -> list[OutboxWorker]:
        relay = self.settings.relay
        outlet = self.world.outlet(self.settings, self.world.clock, self.logins.relay)
        connections = 1 if isinstance(relay, MaildirRelay) else relay.connections
        return [
            OutboxWorker(
                store=self.store,
                outlet=outlet,
                handler=handler,
                clock=self.world.clock,
                entropy=self.world.entropy,
                wakes=self.wakes,
                limits=self.settings.limits,
                outgoing=self.settings.outgoing,
            )
            for _ in range(connections)
        ]


def _is_among(own: frozenset[str], address: str) -> bool:
    return own_address(address, own) is not None


def _instance(settings: Settings) -> str:
    """The name of this installation in the greeting of its listeners: the domain of its first address."""
    addresses = [own.address for mailbox in settings.mailboxes.values() for own in mailbox.addresses]
    return addresses[0].rpartition("@")[2] if addresses else "mailcase.invalid"


@asynccontextmanager
async def open_app(settings: Settings, world: World | None = None) -> AsyncIterator[App]:
    """The services over the store, which nobody else may have open at the same time.

    Raises:
        StoreBusy: another process has the store.
        ConfigError: the key ring is damaged.
    """
    world = world or World()
    with StoreLock.acquire(settings.store):
        ring = load_or_create(
            settings.state_folder,
            clock=world.clock,
            entropy=world.entropy,
            lifetime=settings.limits.key_lifetime,
            renewal=settings.limits.key_renewal,
        )
        store = await SqliteStore.open(settings.store, clock=world.clock, hook=world.hook)
        try:
            yield App(settings, world, store=store, ring=ring)
        finally:
            await store.close()


@asynccontextmanager
async def open_desk(settings: Settings) -> AsyncIterator[Desk]:
    """The desk of a shell that works without a daemon."""
    async with open_app(settings) as app:
        yield app.desk


async def run(settings: Settings, stop: asyncio.Event, world: World | None = None) -> None:
    """The daemon until `stop` is set. Raises what it died of."""
    async with open_app(settings, world) as app:
        await app.daemon().run(stop)
