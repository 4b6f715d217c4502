"""Composition root: settings -> wired services. No logic: what is decided here is only who gets to know whom.

Everything that touches the world comes through `World`, so that a test, the demo or a simulation can put another in its
place.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Self

from mailcase.clock import Clock, SystemClock
from mailcase.config.reader import load
from mailcase.config.settings import ImapSource, Limits, ListenerSource, MailboxSettings, MaildirRelay, Settings
from mailcase.core.case import MailboxName
from mailcase.daemon.daemon import Daemon, ListenerPart
from mailcase.daemon.service_manager import Nobody, ServiceManager
from mailcase.daemon.shift import Crew
from mailcase.daemon.surroundings import Renewal, Surroundings
from mailcase.daemon.watching import WatcherPlan
from mailcase.desk.desk import Desk
from mailcase.entropy import Entropy, SystemEntropy
from mailcase.errors import ConfigError
from mailcase.handlers.address_book import AddressBook
from mailcase.handlers.command import CommandHandler
from mailcase.handlers.delivery import DeliveryHandler
from mailcase.handlers.mail import MailHandler
from mailcase.handlers.notices import NoticeWriter
from mailcase.handlers.read import Reader
from mailcase.handlers.reading_process import ReadingProcess
from mailcase.handlers.tick import TickHandler
from mailcase.handlers.transaction import Transactions
from mailcase.inbound.accept import Door
from mailcase.inbound.check import check_mailbox
from mailcase.inbound.free_space import FreeSpace, Usage
from mailcase.inbound.imap import ImapSession
from mailcase.inbound.progress import ListenerPresence, Progress
from mailcase.inbound.protocol import Json
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
from mailcase.outbound.template_check import template_problems
from mailcase.store.lock import StoreBusy, StoreLock
from mailcase.store.port import Hook, Store
from mailcase.store.sqlite import SqliteStore
from mailcase.vitals import Vitals
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


def _in_a_process(reader: Reader, limits: Limits) -> Reads:
    return ReadingProcess(reader, limit=limits.read_timeout, memory_bytes=limits.read_memory_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything that is not decided by the settings: time, chance, and the ways to the network."""

    clock: Clock = field(default_factory=SystemClock)
    entropy: Entropy = field(default_factory=SystemEntropy)
    offload: Offload = OwnedThread
    imap_connect: SessionFactory = ImapSession
    #: Its last argument is what the relay is shown; None where there is no login.
    outlet: Callable[[Settings, Clock, Credentials | None], Outlet] = _outlet
    #: What reads mail, from the reader of the settings.
    reads: Callable[[Reader, Limits], Reads] = _in_a_process
    #: How full the disk of a folder is.
    measure: Callable[[Path], Usage] = shutil.disk_usage
    #: Called around every commit; crash tests die there.
    hook: Hook | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What stays as it is when the configuration changes."""

    store: Store
    ring: KeyRing
    wakes: Wakes
    door: Door
    space: FreeSpace
    vitals: Vitals
    #: Since when each listener listens.
    presences: dict[MailboxName, ListenerPresence] = field(default_factory=dict)
    #: The addresses that each listener takes mail for.
    own_addresses: dict[MailboxName, frozenset[str]] = field(default_factory=dict)
    #: By what they depend on: a token has one keeper, whatever else of the configuration changes.
    logins: dict[object, Logins] = field(default_factory=dict)
    #: What watches each IMAP mailbox.
    watchers: dict[MailboxName, ImapWatcher] = field(default_factory=dict)

    @classmethod
    def over(cls, store: Store, ring: KeyRing, folder: Path, world: World) -> Self:
        """The ground of a first configuration; `folder` is that of the store."""
        wakes, space = Wakes(), FreeSpace(folder, world.measure)
        return cls(
            store=store,
            ring=ring,
            wakes=wakes,
            door=Door(store, wakes.inbox, world.clock, space),
            space=space,
            vitals=Vitals(shortage=space.shortage),
        )

    def look_now(self, mailbox: MailboxName) -> None:
        """Has a mailbox looked at without delay, where one is watched."""
        if mailbox in self.watchers:
            self.watchers[mailbox].look_now()

    def logins_for(self, settings: Settings, world: World) -> Logins:
        """The logins of these settings: those that there are already, where the settings ask for the same."""
        sources = {name: mailbox.source for name, mailbox in settings.mailboxes.items()}
        relay = settings.relay
        key = (
            tuple(
                (name, source.user, source.login) for name, source in sources.items() if isinstance(source, ImapSource)
            ),
            None if isinstance(relay, MaildirRelay) else (relay.user, relay.login),
            settings.limits.token_timeout,
        )
        if key not in self.logins:
            self.logins[key] = Logins(settings, clock=world.clock, entropy=world.entropy, offload=world.offload)
        return self.logins[key]


class App:
    """The wired services under one configuration."""

    def __init__(self, settings: Settings, world: World, ground: Ground) -> None:
        self.settings = settings
        self.world = world
        self.store = store = ground.store
        self.wakes = ground.wakes
        self.logins = ground.logins_for(settings, world)
        self.book = AddressBook(settings)
        self.instance = _instance(settings)
        self._ground = ground
        self._reader = Reader(self.book, ground.ring, key_lifetime=settings.limits.key_lifetime)
        writer = NoticeWriter(settings=settings, book=self.book, ring=ground.ring, entropy=world.entropy)
        self._transactions = Transactions(
            store=store, settings=settings, writer=writer, clock=world.clock, wakes=self.wakes
        )
        self._door = ground.door
        self.progress = Progress(
            settings.mailboxes,
            store=store,
            clock=world.clock,
            under_way_since=self._door.under_way_since,
            listeners=ground.presences,
        )
        self.desk = Desk(
            settings=settings,
            store=store,
            commands=CommandHandler(self._transactions),
            writer=writer,
            book=self.book,
            progress=self.progress,
            check_mailbox=self._check_mailbox,
            clock=world.clock,
            wakes=self.wakes,
            vitals=ground.vitals,
            logins=self.logins,
        )

    def daemon(
        self,
        *,
        manager: ServiceManager | None = None,
        reread: Callable[[], Settings] | None = None,
        on_settings: Callable[[Settings], None] = lambda _settings: None,
    ) -> Daemon:
        """The daemon over these services; made once. `reread` reads the configuration again, on a thread; by default
        the file of these settings.
        """
        listeners = self._listeners()
        return Daemon(
            Surroundings(
                store=self.store,
                clock=self.world.clock,
                manager=manager or Nobody(),
                offload=self.world.offload,
                vitals=self._ground.vitals,
            ),
            listeners=listeners,
            crew=self.crew(),
            renewal=Renewal(
                reread=reread or partial(_reread, self.settings.file),
                next_crew=self._next_crew,
                on_settings=on_settings,
            ),
        )

    def crew(self) -> Crew:
        """Everything that works under this configuration."""
        delivery_handler = DeliveryHandler(self._transactions, limits=self.settings.limits)
        return Crew(
            settings=self.settings,
            wakes=self.wakes,
            handlers=(
                self._inbox_worker(),
                self._due_worker(),
                LoginWorker(self.logins, clock=self.world.clock, wakes=self.wakes),
            ),
            senders=self._outbox_workers(delivery_handler),
            delivery_handler=delivery_handler,
            answer=self.desk.answer,
            progress=self.progress,
            mailboxes=self._watcher_plans(),
            take_over=self._take_over,
        )

    def _next_crew(self, settings: Settings) -> Crew:
        ground = replace(self._ground, wakes=self._ground.wakes.for_next())
        return App(settings, self.world, ground).crew()

    def _take_over(self) -> None:
        """From now on mail is taken for the addresses, and within the limits, of this configuration."""
        self._ground.space.reserve_bytes = self.settings.limits.reserve_bytes
        for name in self.settings.mailboxes:
            self._ground.own_addresses[name] = self.book.addresses_of(name)

    def _listeners(self) -> dict[MailboxName, ListenerPart]:
        limits = self.settings.limits
        # A mail of the greatest size is always taken when it comes alone.
        room = Room(max(limits.sessions_bytes, limits.message_bytes))
        parts: dict[MailboxName, ListenerPart] = {}
        for name, mailbox in self.settings.mailboxes.items():
            if not mailbox.is_enabled or not isinstance(mailbox.source, ListenerSource):
                continue
            presence = ListenerPresence(name, mailbox.source, store=self.store, clock=self.world.clock)
            self.progress.add_listener(name, presence)
            parts[name] = ListenerPart(
                listener=Listener(
                    name,
                    mailbox.source,
                    door=self._door,
                    clock=self.world.clock,
                    knows_recipient=partial(_is_among, self._ground.own_addresses, name),
                    limits=limits,
                    room=room,
                    instance=self.instance,
                ),
                presence=presence,
            )
        return parts

    def _watcher_plans(self) -> dict[MailboxName, WatcherPlan]:
        limits = self.settings.limits
        return {
            name: WatcherPlan(
                key=(mailbox.source, limits, self.logins.mailboxes[name]), make=partial(self._watcher, mailbox)
            )
            for name, mailbox in self.settings.mailboxes.items()
            if mailbox.is_enabled and isinstance(mailbox.source, ImapSource)
        }

    def _watcher(self, mailbox: MailboxSettings) -> ImapWatcher:
        watcher = ImapWatcher(
            mailbox,
            door=self._door,
            store=self.store,
            clock=self.world.clock,
            entropy=self.world.entropy,
            offload=self.world.offload,
            connect=self.world.imap_connect,
            credentials=self.logins.mailboxes[mailbox.name],
            limits=self.settings.limits,
            on_read=self.wakes.due.set,
        )
        self._ground.watchers[mailbox.name] = watcher
        return watcher

    async def _check_mailbox(self, name: MailboxName) -> list[Json]:
        return await check_mailbox(
            self.settings.mailboxes[name],
            self.world.offload,
            self.logins.mailboxes,
            when_fine=lambda: self._ground.look_now(name),
        )

    def _inbox_worker(self) -> InboxWorker:
        return InboxWorker(
            store=self.store,
            reader=self.world.reads(self._reader, self.settings.limits),
            handler=MailHandler(self._transactions, settings=self.settings, book=self.book),
            is_offered=self._door.is_offered,
            clock=self.world.clock,
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


def _is_among(own: Mapping[MailboxName, frozenset[str]], mailbox: MailboxName, address: str) -> bool:
    return own_address(address, own[mailbox]) is not None


def _reread(file: Path) -> Settings:
    """The settings as the file says now, templates looked at too. Raises ConfigError with every problem."""
    settings = load(file)
    if problems := template_problems(settings):
        raise ConfigError(problems)
    return settings


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
            yield App(settings, world, Ground.over(store, ring, settings.state_folder, world))
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
