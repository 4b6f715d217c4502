"""Reads one claimed mail: raw bytes to message, kind, clues. Pure and outside the transaction."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailcase.core.case import CaseId, MailId
from mailcase.handlers.address_book import AddressBook
from mailcase.mail import bounce, classify, clues, reading, signing
from mailcase.mail.clues import Clues
from mailcase.mail.kind import Bounce, Classification
from mailcase.mail.message import Address, Message
from mailcase.mail.signing import KeyRing, SignedName
from mailcase.store.rows.inbox import ClaimedMail


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadMail:
    """A mail with everything that is known about it before any case is looked at."""

    claimed: ClaimedMail
    message: Message
    classification: Classification
    bounce: Bounce | None
    clues: Clues
    #: Of a delivery report: the case that the returned mail is signed for; it tells where a provider has replaced its
    #: Message-ID.
    returned_case: CaseId | None
    #: Our addresses of this mailbox that it was written to: To, Cc, known envelope (EM-30, L41).
    our_addresses: tuple[str, ...]

    @property
    def id(self) -> MailId:
        """Row of the inbox."""
        return self.claimed.id

    @property
    def message_id(self) -> str:
        """The sender's Message-ID, or one derived from the bytes where there is none (L15)."""
        return self.message.message_id or f"{hashlib.sha256(self.claimed.raw).hexdigest()}@without-message-id.invalid"

    @property
    def author(self) -> Address | None:
        """The one sender; None when nobody can be named."""
        return self.message.author

    @property
    def thread_ids(self) -> tuple[str, ...]:
        """Every id it names as an ancestor, nearest first."""
        return tuple(dict.fromkeys((*self.clues.in_reply_to, *self.clues.references)))

    @property
    def people_named(self) -> tuple[str, ...]:
        """Addresses in From, To and Cc, lower case, in order."""
        named = (*self.message.from_, *self.message.to, *self.message.cc)
        return tuple(dict.fromkeys(address.key for address in named))


class Reader:
    """Turns claimed rows into `ReadMail`; knows the address book and the keys, nothing that changes."""

    def __init__(self, book: AddressBook, ring: KeyRing, *, key_lifetime: timedelta) -> None:
        self._book = book
        self._ring = ring
        self._key_lifetime = key_lifetime

    def read(self, claimed: ClaimedMail, *, now: datetime) -> ReadMail:
        """Reads one mail. A strange mail is not an exception: defects stand in the message."""
        message = reading.read(claimed.raw)
        report = bounce.read_bounce(message, claimed.raw, envelope_from=claimed.envelope_from)
        mailbox_addresses = self._book.addresses_of(claimed.mailbox)
        return ReadMail(
            claimed=claimed,
            message=message,
            classification=classify.classify(
                message,
                own_addresses=self._book.own_addresses,
                ring=self._ring,
                envelope_from=claimed.envelope_from,
                bounce=report,
            ),
            bounce=report,
            returned_case=self._returned_case(report, now) if report else None,
            clues=clues.find_clues(
                message,
                envelope_to=claimed.envelope_to,
                own_addresses=self._book.own_addresses,
                ring=self._ring,
                now=now,
                key_lifetime=self._key_lifetime,
            ),
            our_addresses=clues.our_addresses(
                message, envelope_to=claimed.envelope_to, own_addresses=mailbox_addresses
            ),
        )

    def _returned_case(self, report: Bounce, now: datetime) -> CaseId | None:
        for identity in report.returned_references:
            name = signing.verify_thread_name(self._ring, identity, now=now, lifetime=self._key_lifetime)
            if isinstance(name, SignedName):
                return name.case_id
        return None
