"""The rows that the store and the rest exchange, as frozen data: mail, cases, outgoing mail, one transaction.

Times are aware UTC datetimes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from mailcase.core.case import Case, CaseId, LinkKind, MailboxName, MailId, OutgoingId, PartyId, TextId
from mailcase.core.events import Event

DeliveryId = int


# ---- inbox -------------------------------------------------------------------------------------------------------


class Outcome(StrEnum):
    """How a mail ended; closed vocabulary (interfaces.md)."""

    NEW_CASE = "new-case"
    APPENDED = "appended"
    FILED = "filed"
    DUPLICATE = "duplicate"
    OWN = "own"
    COMMAND = "command"
    UNHANDLED = "unhandled"
    PARKED = "parked"
    BEFORE_START = "before-start"
    PENDING = "pending"


class Reason(StrEnum):
    """Why a mail ended as it did (docs/mail.md explains each). That of a parked mail has its detail after a colon."""

    # new-case
    ROUTED = "routed"
    CLOSED_CASE = "closed-case"
    WINDOW_OVER = "window-over"
    STRANGER = "stranger"
    # appended
    REPLY_ADDRESS = "reply-address"
    IN_REPLY_TO = "in-reply-to"
    REFERENCES = "references"
    NAMED_BEFORE = "named-before"
    SUBJECT_TAG = "subject-tag"
    # filed
    MACHINE_MAIL = "machine-mail"
    BOUNCE_OF_OURS = "bounce-of-ours"
    DELAY_OF_OURS = "delay-of-ours"
    AGENT_NOTE = "agent-note"
    # duplicate, own
    SAME_CONTENT = "same-content"
    SENT_BY_US = "sent-by-us"
    # unhandled
    NO_ROUTE = "no-route"
    NOT_ADDRESSED = "not-addressed"
    BOUNCE_UNMATCHED = "bounce-unmatched"
    # parked
    TOO_LARGE = "too-large"
    ATTEMPTS_USED_UP = "attempts-used-up"
    CANNOT_BE_HANDLED = "cannot-be-handled"
    # before-start
    OLDER_THAN_START = "older-than-start"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMail:
    """A mail as received, before it is ours."""

    mailbox: MailboxName
    #: Identity at its source: `imap:FOLDER:UIDVALIDITY:UID`, or `smtp:SHA256-of-envelope-recipients-and-bytes`.
    #: The pair (mailbox, source) is taken once.
    source: str
    raw: bytes
    envelope_from: str | None
    #: Recipients of the SMTP or LMTP dialogue; empty when unknown (IMAP).
    envelope_to: tuple[str, ...]
    #: INTERNALDATE or receipt: the time by which the mail is judged (DESIGN 1.4).
    arrived_at: datetime
    received_at: datetime
    #: BEFORE_START for mail that is recorded but not taken; PENDING otherwise.
    outcome: Outcome = Outcome.PENDING
    #: Why it is recorded and not taken, with detail after a colon; None for PENDING.
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What became of one NewMail: its row, and whether it was made now."""

    mail_id: MailId
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderState:
    """How far one IMAP folder has been read; saved in the same commit as the mails."""

    mailbox: MailboxName
    folder: str
    uidvalidity: int
    #: Greatest UID that is committed or was there before the start.
    last_uid: int
    #: First contact; mail that arrived earlier is before-start (L10).
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxState:
    """What is known about one mailbox as a whole."""

    mailbox: MailboxName
    #: `user@host` at first contact; a change is refused (L10). None for listeners.
    account: str | None
    #: All mail that arrived before this has been taken in; None before the first complete look.
    read_through_at: datetime | None
    checked_at: datetime | None
    #: Newest failure, None when the last look succeeded.
    last_error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedMail:
    """A mail to be handled. `attempts` counts this one."""

    id: MailId
    mailbox: MailboxName
    raw: bytes
    envelope_from: str | None
    envelope_to: tuple[str, ...]
    arrived_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceStep:
    """One rule that was tried on a mail (interfaces.md: `trace`)."""

    rule: str
    evidence: str
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailOutcome:
    """The end of one mail, with what the operator wants to see of it later."""

    mail_id: MailId
    outcome: Outcome
    reason: str
    kind: str | None
    message_id: str | None
    from_address: str | None
    subject: str | None
    trace: tuple[TraceStep, ...]
    case_ids: tuple[CaseId, ...]
    handled_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRow:
    """One row of the inbox as an operator sees it."""

    id: MailId
    mailbox: MailboxName
    source: str
    envelope_from: str | None
    envelope_to: tuple[str, ...]
    arrived_at: datetime
    received_at: datetime
    size_bytes: int
    attempts: int
    outcome: Outcome
    reason: str | None
    kind: str | None
    message_id: str | None
    from_address: str | None
    subject: str | None
    trace: tuple[TraceStep, ...]
    case_ids: tuple[CaseId, ...]


# ---- cases -------------------------------------------------------------------------------------------------------


class Role(StrEnum):
    """How an address came onto a case. Only REQUESTER and THIRD_PARTY receive mail of ours."""

    REQUESTER = "requester"
    #: Was in From, To or Cc of a mail of the case: may join, gets nothing (DESIGN 8, Who may join).
    SEEN = "seen"
    #: An agent wrote to it on the case (8.39).
    THIRD_PARTY = "third-party"
    #: Joined by a signed address made for somebody else.
    UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """An outside address; `address` in lower case, `name` as last seen."""

    id: PartyId
    address: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """A party on a case."""

    case_id: CaseId
    party_id: PartyId
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A Message-ID that stands for a case: of a mail we saw, sent, or only saw named.

    `address` is our routed address by which the mail was tied to the case, "" when any will do (EM-10).
    The pair (message_id, address) is unique, so that two mails of one thread never make two cases.
    """

    message_id: str
    address: str
    case_id: CaseId
    #: True for a mail that came in or went out, False for an id that was only seen named in another mail.
    is_seen: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A unit of intake: this mail content was taken for this routed address (EM-7, EM-30). Unique."""

    fingerprint: str
    address: str
    mail_id: MailId
    case_id: CaseId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A stored free text of a case."""

    id: TextId
    case_id: CaseId
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedCase:
    """A case with what happened to it in this transaction."""

    case: Case
    #: Version that was loaded, 0 for a new case; another one in the database raises `Conflict`.
    loaded_version: int
    events: tuple[Event, ...]
    #: Earliest deadline that no unread mail can answer, and earliest that one could (DESIGN 8, Windows).
    wake_at: datetime | None
    window_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEvent:
    """One line of the timeline."""

    seq: int
    recorded_at: datetime
    event: Event


# ---- outbox ------------------------------------------------------------------------------------------------------


class DeliveryState(StrEnum):
    """Where a delivery stands (interfaces.md)."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    DEFERRED = "deferred"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDelivery:
    """One recipient of an outgoing mail."""

    id: DeliveryId
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMail:
    """A finished mail; the bytes and the Message-ID never change (DESIGN 1.6)."""

    id: OutgoingId
    case_id: CaseId
    #: Value of `core.process.Notice`, or "answer" for what a person wrote.
    notice: str
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
    notice: str
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
    mail_id: OutgoingId
    case_id: CaseId
    notice: str
    message_id: str
    address: str
    state: DeliveryState
    is_held: bool
    attempts: int
    next_at: datetime | None
    last_reply: str | None
    created_at: datetime


# ---- one transaction ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """All that one stimulus, or one batch, changes; saved in one commit or not at all."""

    cases: tuple[SavedCase, ...] = ()
    texts: tuple[Text, ...] = ()
    #: New parties, and known ones whose name changed.
    parties: tuple[Party, ...] = ()
    participants: tuple[Participant, ...] = ()
    anchors: tuple[Anchor, ...] = ()
    taken: tuple[Taken, ...] = ()
    outgoing: tuple[OutgoingMail, ...] = ()
    results: tuple[DeliveryResult, ...] = ()
    outcomes: tuple[MailOutcome, ...] = ()
    #: (closed case, case that continues it): the mails of the first are shown on the second too (EM-25).
    copies: tuple[tuple[CaseId, CaseId], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a batch of mails needs to know; one look-up for all of it."""

    message_ids: frozenset[str] = frozenset()
    case_ids: frozenset[CaseId] = frozenset()
    addresses: frozenset[str] = frozenset()
    fingerprints: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class SentMail:
    """A mail of ours, found by its Message-ID."""

    id: OutgoingId
    case_id: CaseId
    notice: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The answer to `Wanted`. `cases` holds those asked for, those behind the anchors and sent mails, and those linked
    to them from the other side as `continues`.
    """

    anchors: Mapping[str, tuple[Anchor, ...]] = field(default_factory=dict)
    sent: Mapping[str, SentMail] = field(default_factory=dict)
    cases: Mapping[CaseId, Case] = field(default_factory=dict)
    #: The subject of each of `cases`, as stored under `Case.subject`.
    subjects: Mapping[CaseId, str] = field(default_factory=dict)
    #: Message-IDs of the mails of each of `cases`, in and out, that were really seen or sent (not those only named),
    #: oldest first, at most the first and the last ten: for References of what we send.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFilter:
    """What `case list` asks for; None means any."""

    status: str | None = None
    queue: str | None = None
    assignee: str | None = None
    owner: str | None = None
    requester: str | None = None
    #: inbox or owned; of `list_of` and of the queues he works for, of anybody when that is None.
    list_name: str | None = None
    list_of: str | None = None
    list_queues: tuple[str, ...] = ()
    limit: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseBundle:
    """A case with everything that showing or answering it needs."""

    case: Case
    timeline: tuple[RecordedEvent, ...]
    texts: Mapping[TextId, str]
    parties: Mapping[PartyId, Party]
    participants: tuple[tuple[Party, Role], ...]
    mail_ids: tuple[MailId, ...]
    #: Seen anchors of the case, oldest first, at most the first and the last ten: for References.
    message_ids: tuple[str, ...]
    #: Cases that link to this one, with the kind of their link.
    linked_from: tuple[tuple[CaseId, LinkKind], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What a start found unfinished."""

    inbox_released: int
    outbox_released: int
    #: Deliveries whose attempt was journaled and never settled; now UNKNOWN.
    unknown: tuple[DeliveryRow, ...]
