"""What a mail says about which case it belongs to, in the order of evidence (DESIGN 5)."""

from __future__ import annotations

from dataclasses import dataclass

from mailcase.core.case import CaseId
from mailcase.mail.signing import BadSignature, SignedName


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
    #: `[1042-C]` in the subject.
    subject_tags: tuple[CaseId, ...]
