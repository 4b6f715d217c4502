"""Mail of ours, one delivery per recipient."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from mailcase.core.case import CaseId, OutgoingId
from mailcase.core.process import OutgoingKind

#: One recipient of one mail of ours.
DeliveryId = NewType("DeliveryId", int)


class DeliveryState(StrEnum):
    """Where a delivery stands (docs/mail.md, "Sending")."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    DEFERRED = "deferred"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"


class DeliveryChoice(StrEnum):
    """What a list of deliveries is narrowed down to: a state, or what is held."""

    QUEUED = DeliveryState.QUEUED.value
    CLAIMED = DeliveryState.CLAIMED.value
    DEFERRED = DeliveryState.DEFERRED.value
    SENT = DeliveryState.SENT.value
    FAILED = DeliveryState.FAILED.value
    UNKNOWN = DeliveryState.UNKNOWN.value
    CANCELLED = DeliveryState.CANCELLED.value
    #: Queued or deferred, until an operator releases it.
    HELD = "held"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDelivery:
    """One recipient of an outgoing mail."""

    id: DeliveryId
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMail:
    """A finished mail; the bytes and the Message-ID never change."""

    id: OutgoingId
    case_id: CaseId
    kind: OutgoingKind
    #: Without brackets.
    message_id: str
    envelope_from: str
    raw: bytes
    created_at: datetime
    deliveries: tuple[NewDelivery, ...]
    #: HELD when `outgoing: hold`: queued but not claimed until released.
    is_held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedDelivery:
    """A recipient to be served now."""

    id: DeliveryId
    address: str
    #: Attempts journaled so far, without this one.
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedOutgoing:
    """A mail with those of its recipients that were claimed together."""

    id: OutgoingId
    case_id: CaseId
    kind: OutgoingKind
    message_id: str
    envelope_from: str
    raw: bytes
    created_at: datetime
    deliveries: tuple[ClaimedDelivery, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryResult:
    """What became of one attempt, or of a delivery found interrupted."""

    id: DeliveryId
    #: SENT, DEFERRED, FAILED or UNKNOWN; QUEUED gives it back untried.
    state: DeliveryState
    #: The server's words or ours, one line.
    reply: str
    #: When to try again; set exactly for DEFERRED.
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """One delivery as an operator sees it."""

    id: DeliveryId
    outgoing_id: OutgoingId
    case_id: CaseId
    kind: OutgoingKind
    message_id: str
    address: str
    state: DeliveryState
    is_held: bool
    attempts: int
    next_at: datetime | None
    last_reply: str | None
    created_at: datetime
