"""What happened to a case. Past tense; the events of a case are its timeline and give the case when replayed.

`evolve` never sees the process: due dates, ends of windows and chosen people stand in the events. Every event names the
rule that produced it (`T14`, `AS-7`), so that the timeline explains itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from mailcase.core.case import (
    ActorId,
    Attention,
    CaseId,
    Flag,
    Holder,
    Link,
    MailboxName,
    MailId,
    Origin,
    OutgoingId,
    PartyId,
    ProcessName,
    ReopeningCause,
    Status,
    StatusReason,
    TextId,
    Wait,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Happened:
    at: datetime
    by: ActorId
    #: Id of the rule of docs/rules.md that led to it.
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseOpened(_Happened):
    """Always the first event."""

    case_id: CaseId
    process: ProcessName
    origin: Origin
    status: Status
    subject: TextId
    requester: PartyId | None
    mail: MailId | None
    mailbox: MailboxName | None
    address: str | None
    #: Whether the requester may be told that the case exists.
    acknowledge: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChanged(_Happened):
    """Status or wait changed (ST-7); `before` and `after` are equal when only the wait did (T17)."""

    before: Status
    after: Status
    reason: StatusReason
    wait: Wait | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderChanged(_Happened):
    """Assignee, owner or queue changed (ST-9, AS-1...)."""

    holder: Holder
    note: TextId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagRaised(_Happened):
    """New information or the end of a wait; needs-attention has its own event."""

    flag: Flag


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionRaised(_Happened):
    """A problem stopped the case (T9, T9p, T31)."""

    attention: Attention


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagCleared(_Happened):
    """A flag was taken away (AS-7, T10, T12 ...)."""

    flag: Flag


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStarted(_Happened):
    """The due date was set for the first time (T2, T3)."""

    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockPaused(_Happened):
    """The SLA clock stopped; `remaining` is signed working time (SL-4)."""

    remaining: timedelta
    #: The due date that is hidden from now on; older timelines lack it.
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockResumed(_Happened):
    """The SLA clock runs again towards a new due date (SL-5)."""

    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DueOverridden(_Happened):
    """A person set another due date (SL-15)."""

    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DueAtRisk(_Happened):
    """The reminder before this due date (SL-17); once per due date."""

    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DueMissed(_Happened):
    """This due date passed (SL-15, SL-17); once per due date."""

    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResolved(_Happened):
    """A resolution was added (ST-6); `feedback_until` is None when there is no window (T25)."""

    method: TextId | None
    reason: StatusReason
    feedback_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseReopened(_Happened):
    """A reopening was added (T26, T27, T31)."""

    cause: ReopeningCause


@dataclass(frozen=True, slots=True, kw_only=True)
class MailAppended(_Happened):
    """A mail joined the case (EM-20...22)."""

    mail: MailId
    party: PartyId
    mailbox: MailboxName


@dataclass(frozen=True, slots=True, kw_only=True)
class MailFiled(_Happened):
    """A mail was put on the record without effect."""

    mail: MailId
    mailbox: MailboxName


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSent(_Happened):
    """A person's mail on the case was queued."""

    mail: OutgoingId


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFailed(_Happened):
    """A mail of ours did not reach the requester, or may not have."""

    mail: OutgoingId


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteAdded(_Happened):
    """An internal remark."""

    text: TextId
    #: It came by mail in an agent's name, without proof that he wrote it.
    is_unproved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseLinked(_Happened):
    """A loose link to another case."""

    link: Link


Event = (
    CaseOpened
    | StatusChanged
    | HolderChanged
    | FlagRaised
    | AttentionRaised
    | FlagCleared
    | ClockStarted
    | ClockPaused
    | ClockResumed
    | DueOverridden
    | DueAtRisk
    | DueMissed
    | CaseResolved
    | CaseReopened
    | MailAppended
    | MailFiled
    | AnswerSent
    | DeliveryFailed
    | NoteAdded
    | CaseLinked
)
