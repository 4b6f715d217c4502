"""Whose address is it: ours, an agent's, or a stranger's? Made from the settings, without I/O."""

from __future__ import annotations

from collections.abc import Collection

from mailcase.config.settings import MailboxSettings, OwnAddress, PersonSettings, Settings
from mailcase.core.case import MailboxName, PersonId, ProcessName, QueueName
from mailcase.mail.clues import own_address


class AddressBook:
    """Answers by lower-case address."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._own: dict[str, tuple[MailboxSettings, OwnAddress]] = {
            own.address: (mailbox, own) for mailbox in settings.mailboxes.values() for own in mailbox.addresses
        }
        self._agents = {p.address.lower(): p for p in settings.people.values() if not p.is_retired}

    @property
    def own_addresses(self) -> frozenset[str]:
        """Every address of ours, in every mailbox."""
        return frozenset(self._own)

    def own(self, address: str | None) -> OwnAddress | None:
        """Our address of that form, None when it is not ours."""
        found = self._own.get(address) if address else None
        return found[1] if found else None

    def is_own(self, address: str) -> bool:
        """True for our addresses in lower case, with a tag behind a plus too: `support+c1042...@`."""
        return own_address(address, self.own_addresses) is not None

    def mailbox_of(self, address: str | None) -> MailboxSettings | None:
        """The mailbox that an address of ours belongs to."""
        found = self._own.get(address) if address else None
        return found[0] if found else None

    def home_of(self, process: ProcessName) -> OwnAddress | None:
        """The address that serves a process: the primary one of the first mailbox that it is the fallback of, else
        that of its first route, else the primary one of the first mailbox.
        """
        mailboxes = [mailbox for mailbox in self._settings.mailboxes.values() if mailbox.addresses]
        routed = [
            mailbox.address(route.to)
            for mailbox in mailboxes
            for route in mailbox.routes
            if route.process == process and not route.is_wildcard
        ]
        primary = [mailbox.addresses[0] for mailbox in mailboxes if mailbox.fallback == process]
        first = [mailbox.addresses[0] for mailbox in mailboxes[:1]]
        return next((address for address in (*primary, *routed, *first) if address is not None), None)

    def addresses_of(self, mailbox: MailboxName) -> frozenset[str]:
        """The addresses of one mailbox; empty when it is no longer configured."""
        found = self._settings.mailboxes.get(mailbox)
        return frozenset(own.address for own in found.addresses) if found else frozenset()

    def agent(self, address: str) -> PersonSettings | None:
        """The agent with that address; somebody who has left is none any more."""
        return self._agents.get(address)

    def person(self, person: str) -> PersonSettings | None:
        """The agent of that id."""
        return self._settings.people.get(PersonId(person))

    def name_of(self, person: PersonId) -> str:
        """How a person is called; the id of one who is not configured."""
        found = self.person(person)
        return found.name if found else person

    def told_of(self, queue: QueueName, *, but: Collection[PersonId] = ()) -> tuple[PersonSettings, ...]:
        """Who hears of news in a queue: its leaders, or all its people where it has no leader beside `but` (NT-2):
        work that the only leader gives back must not be told to nobody.
        """
        members = [
            person
            for person in self._settings.people.values()
            if queue in person.queues and not person.is_retired and person.id not in but
        ]
        leaders = [person for person in members if person.is_leader]
        return tuple(leaders or members)
