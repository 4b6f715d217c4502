"""One mail while it is being settled: what was read, the workspace it changes, and the trace it leaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mailcase.config.settings import MailboxSettings, Settings
from mailcase.core.case import SYSTEM, Case, CaseId
from mailcase.core.commands import FileMail
from mailcase.handlers.address_book import AddressBook
from mailcase.handlers.outcome import Trace, outcome_of
from mailcase.handlers.read import ReadMail
from mailcase.handlers.workspace import Workspace
from mailcase.store.rows.cases import Anchor, Party, Role, Taken
from mailcase.store.rows.inbox import MailOutcome, Outcome, Reason

#: Stands for the sender of a mail that names none.
NOBODY = "nobody@without-sender.invalid"
#: A mail without Message-ID and Date that comes again within this time is the same mail, offered again; later it is
#: another one in the same words, an alarm for example. So long do senders try (RFC 5321 s. 4.5.4.1).
REPEATED_WITHIN = timedelta(days=5)
#: Ancestors that nobody has seen are remembered up to this many of a mail, the nearest: its thread hangs together by
#: them, and a header of invented ids fills no table.
ANCESTORS_REMEMBERED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A read mail with everything that settling it needs."""

    settings: Settings
    book: AddressBook
    workspace: Workspace
    read: ReadMail
    trace: Trace = field(default_factory=Trace)
    #: Which case took it for which of our addresses, so far.
    cases: dict[str, CaseId] = field(default_factory=dict)

    @property
    def mailbox(self) -> MailboxSettings | None:
        """The mailbox it came through, None when that is no longer configured."""
        return self.settings.mailboxes.get(self.read.claimed.mailbox)

    @property
    def is_from_us(self) -> bool:
        """Its From is an address of ours (which anybody can write)."""
        author = self.read.author
        return author is not None and self.book.is_own(author.key)

    @property
    def is_from_agent(self) -> bool:
        """Its From is an agent's address or ours; no proof of anything (S3)."""
        author = self.read.author
        return self.is_from_us or (author is not None and self.book.agent(author.key) is not None)

    @property
    def unit_addresses(self) -> tuple[str, ...]:
        """Our addresses that it is taken for, once each: those it was written to, else its mailbox's primary one."""
        mailbox = self.mailbox
        return self.read.our_addresses or ((mailbox.addresses[0].address,) if mailbox else ("",))

    @property
    def units_of_copies(self) -> tuple[Taken, ...]:
        """What other copies of this mail were taken for; what this row took is its own earlier try."""
        units = self.workspace.taken(self.read.message.fingerprint)
        return tuple(unit for unit in units if unit.mail_id != self.read.id and not self._is_long_after(unit))

    def _is_long_after(self, unit: Taken) -> bool:
        """True where the same content, taken for that unit, was another mail: nothing in it but the time tells."""
        message = self.read.message
        is_nameless = message.message_id is None and message.date is None
        return is_nameless and abs(self.read.claimed.arrived_at - unit.arrived_at) > REPEATED_WITHIN

    @property
    def cases_of_copies(self) -> tuple[CaseId, ...]:
        """The cases that have this mail already, by another copy of it."""
        found = (unit.case_id for unit in self.units_of_copies if unit.case_id is not None)
        return tuple(dict.fromkeys(found))

    def anchors(self, message_id: str) -> tuple[Anchor, ...]:
        """The cases that a Message-ID stands for, but for what this very mail or a copy of it said: it must not be
        evidence for itself."""
        known = self.workspace.anchors(message_id)
        if not known:
            return ()
        own = {*self.cases.values(), *self.cases_of_copies}
        return tuple(anchor for anchor in known if anchor.is_seen or anchor.case_id not in own)

    def moment(self, case: Case) -> datetime:
        """When the case hears of it: its arrival, never before what the case knows already."""
        return self.workspace.moment(case, self.read.claimed.arrived_at)

    def author_party(self) -> Party:
        """The party that wrote it; the first of several, or the envelope's sender, where nobody else is named."""
        first = self.read.message.from_[0] if self.read.message.from_ else None
        address = first.key if first else (self.read.claimed.envelope_from or "").lower()
        return self.workspace.add_party(address or NOBODY, first.name if first else "")

    def remember(self, case_id: CaseId, *, address: str, role_of_author: Role, brings_others: bool = True) -> None:
        """What a case that takes the mail keeps of it: the people in it and its place in the thread.

        Several From addresses identify nobody (S3), so each of them stays unconfirmed. `brings_others` is False
        where the mail joined by evidence that can be guessed: it seats nobody in To and Cc.
        """
        of_author = role_of_author if self.read.author is not None else Role.UNCONFIRMED
        for named in self.read.message.from_:
            self._add_participant(case_id, named.key, named.name, of_author)
        for named in (*self.read.message.to, *self.read.message.cc) if brings_others else ():
            # Only a person's own mail changes how he is called; others name him as long as nobody else has.
            is_known = self.workspace.party(named.key) is not None
            self._add_participant(case_id, named.key, "" if is_known else named.name, Role.SEEN)
        self.anchor(case_id, address=address, is_shared=of_author is not Role.THIRD_PARTY)

    def _add_participant(self, case_id: CaseId, address: str, name: str, role: Role) -> None:
        if address and not self.book.is_own(address):
            self.workspace.add_participant(case_id, self.workspace.add_party(address, name), role)

    def anchor(self, case_id: CaseId, *, address: str, is_shared: bool = True) -> None:
        """Ties the mail's Message-ID to the case, and those of its nearest ancestors that nobody has seen (L18)."""
        self.workspace.add_anchor(
            Anchor(message_id=self.read.message_id, address=address, case_id=case_id, is_shared=is_shared)
        )
        for ancestor in self.read.thread_ids[:ANCESTORS_REMEMBERED]:
            if not self.anchors(ancestor):
                self.workspace.add_anchor(Anchor(message_id=ancestor, address=address, case_id=case_id, is_seen=False))

    def file(self, case: Case, *, is_of_thread: bool = True) -> None:
        """Puts the mail on the record of an open case, where it changes nothing."""
        self.workspace.decide(
            case.id, FileMail(at=self.moment(case), by=SYSTEM, mail=self.read.id, mailbox=self.read.claimed.mailbox)
        )
        address = case.address or ""
        self.cases.setdefault(address, case.id)
        if is_of_thread:
            self.anchor(case.id, address=address)

    def end(self, outcome: Outcome, reason: Reason, case_ids: tuple[CaseId, ...] = ()) -> MailOutcome:
        """Ends the mail; what it was taken for is remembered, so that a copy of it is recognised (EM-7)."""
        if outcome in (Outcome.NEW_CASE, Outcome.APPENDED, Outcome.FILED):
            first = case_ids[0] if case_ids else None
            earlier = {
                unit.address: unit.mail_id
                for unit in self.workspace.taken(self.read.message.fingerprint)
                if self._is_long_after(unit)
            }
            for address in dict.fromkeys((*self.unit_addresses, *self.cases)):
                self.workspace.add_taken(
                    Taken(
                        fingerprint=self.read.message.fingerprint,
                        address=address,
                        mail_id=self.read.id,
                        case_id=self.cases.get(address, first),
                        arrived_at=self.read.claimed.arrived_at,
                        replaces=earlier.get(address),
                    )
                )
        return outcome_of(self.read, outcome, reason, self.trace, case_ids=case_ids, handled_at=self.workspace.now)
