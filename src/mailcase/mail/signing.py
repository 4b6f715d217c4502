"""Signed names of a case: the reply address and the case id in References. The one verifier.

Reply address: `local+c1042.<kid><mac>@domain`, bound to a person or party: `local+c1042-ann.<kid><mac>@domain`.
Case id in References: `c1042.<kid><mac>@mailcase.domain`. Letters are lower case, since mail servers fold case.
Mark of a mail of ours: the Message-ID that we gave it, a blank, `<kid><mac>`.
"""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from mailcase.core.case import CaseId


class Purpose(StrEnum):
    """What a signed name may be used for; one can never stand for another (each has its own MAC label)."""

    #: An answer on the case.
    ANSWER = "answer"
    #: The signed case id in References: evidence like any Message-ID.
    THREAD = "thread"
    #: We wrote the mail.
    MARK = "mark"


_MAC_BYTES = 10
#: RFC 5321 4.5.3.1.1.
LOCAL_PART_LIMIT = 64
_BOUND = re.compile(r"[a-z0-9_]{1,20}")
_TAG = re.compile(r"c([1-9][0-9]{0,17})(?:-([a-z0-9_]{1,20}))?\.([a-z2-7]{2})([a-z2-7]{16})")
#: First label of the domain of a signed case id, so that it cannot be taken for a mail's own id.
_THREAD_HOST = "mailcase."
_MARK = re.compile(r"(\S{1,998}) ([a-z2-7]{2})([a-z2-7]{16})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One signing key of the ring."""

    #: Two lower-case base32 characters.
    id: str
    secret: bytes = field(repr=False)
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRing:
    """The keys, newest first; the newest signs, those not older than their lifetime verify."""

    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedName:
    """A signed name that verified."""

    case_id: CaseId
    purpose: Purpose
    #: The person or party it was made for; None when it is for anyone on the case.
    bound_to: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BadSignature:
    """A name of the right shape that did not verify; it proves nothing and loses no mail (L17)."""

    case_id: CaseId
    #: unknown-key, retired-key or wrong-mac
    reason: str


def reply_address(ring: KeyRing, own_address: str, case_id: CaseId, bound_to: str | None = None) -> str:
    """The address to which answers on a case go, made from the address they are read at.

    Raises ValueError when `bound_to` is not a short word of `[a-z0-9_]`, or the local part would get too long.
    """
    if bound_to is not None and not _BOUND.fullmatch(bound_to):
        raise ValueError(f"not a word to bind an address to: {bound_to!r}")
    local, _, domain = own_address.rpartition("@")
    signed = f"{local}+{_tag(ring.keys[0], Purpose.ANSWER, case_id, bound_to)}"
    if len(signed.encode("utf-8")) > LOCAL_PART_LIMIT:
        raise ValueError(f"too long for a signed reply address: {own_address!r}")
    return f"{signed}@{domain}"


def verify_reply_address(
    ring: KeyRing, address: str, *, now: datetime, lifetime: timedelta
) -> SignedName | BadSignature | None:
    """What the tag of an address proves; None when it has no tag of our shape."""
    _, tag, _ = _split(address)
    return _verified(ring, tag, Purpose.ANSWER, now, lifetime) if tag else None


def plain_address(address: str) -> str:
    """The address in lower case without a tag of our shape, be it signed well or not."""
    local, _, domain = _split(address)
    return f"{local}@{domain}" if domain else local


def thread_name(ring: KeyRing, case_id: CaseId, domain: str) -> str:
    """The signed case id that each of our mails carries in References; a Message-ID without its brackets."""
    return f"{_tag(ring.keys[0], Purpose.THREAD, case_id, None)}@{_THREAD_HOST}{domain}"


def verify_thread_name(
    ring: KeyRing, message_id: str, *, now: datetime, lifetime: timedelta
) -> SignedName | BadSignature | None:
    """What an id from In-Reply-To or References proves; None when it has not our shape."""
    tag, _, host = message_id.lower().partition("@")
    return _verified(ring, tag, Purpose.THREAD, now, lifetime) if host.startswith(_THREAD_HOST) else None


def own_mark(ring: KeyRing, message_id: str) -> str:
    """The mark of a mail that we give this Message-ID. It holds the id, which some providers replace in its header."""
    key = ring.keys[0]
    return f"{message_id} {key.id}{_mac(key, Purpose.MARK, message_id)}"


def is_own_mark(ring: KeyRing, text: str) -> bool:
    """Whether this installation made the mark, with whatever key it still has; another one of the same name did not."""
    parts = _MARK.fullmatch(text)
    if parts is None:
        return False
    message_id, key_id, mac = parts.groups()
    made = (_mac(key, Purpose.MARK, message_id) for key in ring.keys if key.id == key_id)
    return any(hmac.compare_digest(mac, ours) for ours in made)


def _split(address: str) -> tuple[str, str, str]:
    """Local part without our tag, the tag or "", and the domain; all in lower case."""
    local, _, domain = address.lower().rpartition("@")
    if not local:
        return domain, "", ""
    plain, plus, tag = local.rpartition("+")
    if plus and plain and _TAG.fullmatch(tag):
        return plain, tag, domain
    return local, "", domain


def _tag(key: Key, purpose: Purpose, case_id: CaseId, bound_to: str | None) -> str:
    binding = f"-{bound_to}" if bound_to is not None else ""
    return f"c{case_id}{binding}.{key.id}{_mac(key, purpose, str(case_id), bound_to or '')}"


def _mac(key: Key, purpose: Purpose, *words: str) -> str:
    """Over words that hold no NUL."""
    text = "\0".join(("mailcase", purpose.value, key.id, *words))
    digest = hmac.digest(key.secret, text.encode("utf-8"), "sha256")
    return base64.b32encode(digest[:_MAC_BYTES]).decode("ascii").lower()


def _verified(
    ring: KeyRing, tag: str, purpose: Purpose, now: datetime, lifetime: timedelta
) -> SignedName | BadSignature | None:
    parts = _TAG.fullmatch(tag)
    if parts is None:
        return None
    case_id, bound_to = CaseId(int(parts.group(1))), parts.group(2)
    key = next((key for key in ring.keys if key.id == parts.group(3)), None)
    if key is None:
        return BadSignature(case_id=case_id, reason="unknown-key")
    if not hmac.compare_digest(_mac(key, purpose, parts.group(1), bound_to or ""), parts.group(4)):
        return BadSignature(case_id=case_id, reason="wrong-mac")
    if now - key.created_at > lifetime:
        return BadSignature(case_id=case_id, reason="retired-key")
    return SignedName(case_id=case_id, purpose=purpose, bound_to=bound_to)
