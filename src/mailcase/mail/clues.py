"""What a mail says about which case it belongs to, in the order of evidence (docs/mail.md)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailcase.core.case import CaseId, parse_reference
from mailcase.mail import limits
from mailcase.mail.message import Message
from mailcase.mail.signing import (
    BadSignature,
    KeyRing,
    SignedName,
    plain_address,
    verify_reply_address,
    verify_thread_name,
)

_SUBJECT_TAG = re.compile(r"\[([1-9][0-9]{0,17}-[Cc])\]", re.ASCII)
#: Where a server writes the envelope down; the topmost of each is its own, the others come from outside (L41).
_ENVELOPE_HEADERS = ("delivered-to", "x-original-to", "envelope-to")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clues:
    """All evidence of one mail; nothing is decided here."""

    #: From the recipients (To, Cc, envelope) that carry a signed tag on one of our addresses.
    reply_addresses: tuple[SignedName, ...]
    bad_signatures: tuple[BadSignature, ...]
    #: Message-IDs of In-Reply-To, then of References nearest first, without repeats and without our signed case ids.
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    #: Our signed case ids found in In-Reply-To and References, nearest first.
    thread_names: tuple[SignedName, ...]
    #: `[1042-C]` in the subject: the first few, and how many more are not looked at.
    subject_tags: tuple[CaseId, ...]
    more_subject_tags: int = 0


def find_clues(
    message: Message,
    *,
    envelope_to: Sequence[str],
    own_addresses: Collection[str],
    ring: KeyRing,
    now: datetime,
    key_lifetime: timedelta,
) -> Clues:
    """Reads all evidence; `own_addresses` are in lower case, a signed tag counts on them only."""
    own = frozenset(own_addresses)
    addresses = (a for a in _recipients(message, envelope_to) if own_address(a, own) is not None)
    answered = [verify_reply_address(ring, address, now=now, lifetime=key_lifetime) for address in addresses]
    named = {
        identity: verify_thread_name(ring, identity, now=now, lifetime=key_lifetime)
        for identity in (*message.in_reply_to, *reversed(message.references))
    }
    proofs = _without_repeats(answered)
    thread_proofs = _without_repeats(named.values())
    tags = _subject_tags(message.subject)
    ids = [identity for identity, proof in named.items() if proof is None]
    return Clues(
        reply_addresses=tuple(proof for proof in proofs if isinstance(proof, SignedName)),
        bad_signatures=tuple(proof for proof in (*proofs, *thread_proofs) if isinstance(proof, BadSignature)),
        in_reply_to=tuple(identity for identity in ids if identity in message.in_reply_to),
        references=tuple(identity for identity in ids if identity not in message.in_reply_to),
        thread_names=tuple(proof for proof in thread_proofs if isinstance(proof, SignedName)),
        subject_tags=tags[: limits.SUBJECT_TAGS],
        more_subject_tags=len(tags[limits.SUBJECT_TAGS :]),
    )


def our_addresses(message: Message, *, envelope_to: Sequence[str], own_addresses: Collection[str]) -> tuple[str, ...]:
    """Which of our addresses the mail was written to: To, then Cc, then the envelope; plain, lower case, no repeats.

    Where the transport gave no envelope (IMAP), the topmost Delivered-To, X-Original-To and Envelope-To tell it.
    """
    own = frozenset(own_addresses)
    found = (own_address(address, own) for address in _recipients(message, envelope_to))
    return tuple(dict.fromkeys(address for address in found if address is not None))


def _recipients(message: Message, envelope_to: Sequence[str]) -> tuple[str, ...]:
    headers = tuple(address.address for address in (*message.to, *message.cc))
    if envelope_to:
        return (*headers, *envelope_to)
    noted = (message.header(name) for name in _ENVELOPE_HEADERS)
    return (*headers, *(value.strip(" <>") for value in noted if value))


def own_address(address: str, own: frozenset[str]) -> str | None:
    """The address of ours that this one is delivered to: itself, without our tag, or without any tag."""
    plain = plain_address(address)
    if plain in own:
        return plain
    local, _, domain = plain.rpartition("@")
    untagged = f"{local.partition('+')[0]}@{domain}"
    return untagged if untagged in own else None


def _without_repeats(
    proofs: Iterable[SignedName | BadSignature | None],
) -> tuple[SignedName | BadSignature, ...]:
    return tuple(dict.fromkeys(proof for proof in proofs if proof is not None))


def _subject_tags(subject: str) -> tuple[CaseId, ...]:
    tags = (parse_reference(found.group(1)) for found in _SUBJECT_TAG.finditer(subject))
    return tuple(dict.fromkeys(tag for tag in tags if tag is not None))
