"""Signed names of a case: the reply address and the case id in References. The one verifier (FACTS 3.1, rule 4).

Reply address: `local+c1042.<kid><mac>@domain`, bound to a person or party: `local+c1042-ann.<kid><mac>@domain`.
Case id in References: `c1042.<kid><mac>@mailcase.domain`. Letters are lower case, since mail servers fold case.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailcase.core.case import CaseId


class Purpose(StrEnum):
    """What a signed name may be used for; one can never stand for another (each has its own MAC label)."""

    #: An answer on the case.
    ANSWER = "answer"
    #: The signed case id in References: evidence like any Message-ID.
    THREAD = "thread"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One signing key of the ring."""

    #: Two lower-case base32 characters.
    id: str
    secret: bytes
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
