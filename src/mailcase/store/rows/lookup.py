"""What a batch of mails needs to know, asked and answered at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mailcase.core.case import Case, CaseId, OutgoingId, PartyId
from mailcase.core.process import OutgoingKind
from mailcase.store.rows.cases import Anchor, Party, Role, Taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a batch of mails needs to know; one look-up for all of it."""

    message_ids: frozenset[str] = frozenset()
    case_ids: frozenset[CaseId] = frozenset()
    addresses: frozenset[str] = frozenset()
    fingerprints: frozenset[str] = frozenset()
    #: Cases whose newest mail to each recipient is wanted.
    reported_cases: frozenset[CaseId] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class SentMail:
    """A mail of ours, found by its Message-ID or its recipient."""

    id: OutgoingId
    case_id: CaseId
    kind: OutgoingKind
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The answer to `Wanted`. `cases` holds those asked for, reported, behind the anchors and sent mails, and those
    linked to them from the other side as `continues`.
    """

    anchors: Mapping[str, tuple[Anchor, ...]] = field(default_factory=dict)
    sent: Mapping[str, SentMail] = field(default_factory=dict)
    #: Of each reported case the newest mail to each recipient that went out, or may have; newest first.
    sent_to: Mapping[CaseId, tuple[SentMail, ...]] = field(default_factory=dict)
    cases: Mapping[CaseId, Case] = field(default_factory=dict)
    #: The subject of each of `cases`, as stored under `Case.subject`.
    subjects: Mapping[CaseId, str] = field(default_factory=dict)
    #: Message-IDs of the mails of each of `cases`, in and out, that were really seen or sent (not those only named)
    #: and that the requester may know, oldest first, at most the first and the last ten: for References.
    message_ids: Mapping[CaseId, tuple[str, ...]] = field(default_factory=dict)
    #: Addresses per case, in lower case, with their roles.
    participants: Mapping[CaseId, Mapping[str, Role]] = field(default_factory=dict)
    #: The open or newest case that continues a closed one (8.37).
    continued_by: Mapping[CaseId, tuple[CaseId, ...]] = field(default_factory=dict)
    parties: Mapping[str, Party] = field(default_factory=dict)
    party_ids: Mapping[PartyId, Party] = field(default_factory=dict)
    taken: Mapping[str, tuple[Taken, ...]] = field(default_factory=dict)
    #: Message-IDs of mails seen before, with the fingerprints they had (L13).
    seen: Mapping[str, frozenset[str]] = field(default_factory=dict)
