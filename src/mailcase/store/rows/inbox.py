"""Mail that came in, from receipt to outcome."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailcase.core.case import CaseId, MailboxName, MailId


class Outcome(StrEnum):
    """How a mail ended; closed vocabulary (docs/mail.md)."""

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
    AGENT_ON_CLOSED = "agent-on-closed"
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
    #: Identity at its source: `imap:FOLDER:UIDVALIDITY:UID`, or `smtp:DAY:SHA256-of-envelope-recipients-and-bytes`.
    #: The pair (mailbox, source) is taken once.
    source: str
    raw: bytes
    envelope_from: str | None
    #: Recipients of the SMTP or LMTP dialogue; empty when unknown (IMAP).
    envelope_to: tuple[str, ...]
    #: INTERNALDATE or receipt: the time by which the mail is judged (docs/decisions/0002).
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
    """One rule that was tried on a mail, as `why` shows it."""

    rule: str
    evidence: str
    result: str
    #: It settled how the mail ended; true of one step at most.
    is_decisive: bool = False


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
class MailFilter:
    """What `mail list` asks for; None means any."""

    outcome: str | None = None
    mailbox: str | None = None
    #: Received then or later.
    since: datetime | None = None
    #: Only what stands after this mail in the list.
    after: MailId | None = None


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
