"""The case: what is known about one piece of work, as plain frozen data (spec 2.1).

Ids of parties, mails and texts stand here, never addresses or text, so that erasing a person keeps replay true.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

CaseId = NewType("CaseId", int)
#: Key of a person in the configuration's `people`.
PersonId = NewType("PersonId", str)
#: Who did it: a PersonId, or SYSTEM.
ActorId = NewType("ActorId", str)
QueueName = NewType("QueueName", str)
ProcessName = NewType("ProcessName", str)
MailboxName = NewType("MailboxName", str)
#: An outside address we have met.
PartyId = NewType("PartyId", int)
#: A mail that came in (row of the inbox).
MailId = NewType("MailId", int)
#: A mail of ours (row of the outgoing mails).
OutgoingId = NewType("OutgoingId", int)
#: A stored free text: subject, note, reason, method.
TextId = NewType("TextId", int)

#: The daemon itself; no person may have this name.
SYSTEM = ActorId("system")

_REFERENCE = re.compile(r"([1-9][0-9]{0,17})-C", re.ASCII | re.IGNORECASE)


def reference(case_id: CaseId) -> str:
    """The name people use for a case: `1042-C`."""
    return f"{case_id}-C"


def parse_reference(text: str) -> CaseId | None:
    """Reads `1042-C` in either letter case; None when it is anything else."""
    found = _REFERENCE.fullmatch(text.strip())
    return CaseId(int(found.group(1))) if found else None


class Status(StrEnum):
    """Where a case stands (spec 1.2)."""

    DRAFT = "draft"
    TO_DO = "to-do"
    IN_PROGRESS = "in-progress"
    WAITING = "waiting"
    RESOLVED = "resolved"
    CLOSED = "closed"


class WaitType(StrEnum):
    """What a waiting case waits for; exists only while the status is waiting."""

    MORE_INFO = "more-info"
    UNTIL = "until"
    ON_HOLD = "on-hold"


class Flag(StrEnum):
    """Marks beside the status; a case with any of them is highlighted."""

    NEW_INFORMATION = "new-information"
    NEEDS_ATTENTION = "needs-attention"
    WAIT_ENDED = "wait-ended"


class Origin(StrEnum):
    """How a case was started (spec 4, those channels that exist)."""

    EMAIL = "email"
    MANUAL = "manual"


class StatusReason(StrEnum):
    """Why a status was set; the part of the product's list that can occur (spec 2.1)."""

    NEWLY_CREATED = "Newly Created"
    UPDATED_BY_RESOURCE = "Updated By Resource"
    NEW_INFORMATION_RECEIVED = "New Information Received"
    SCHEDULE_DATE_AND_TIME_REACHED = "Schedule Date and Time Reached"
    COMPLETED = "Completed"
    FEEDBACK_WINDOW_PASSED = "Feedback Window Passed"
    REOPENED_BY_RESOURCE = "Reopened By Resource"
    NEEDS_ATTENTION = "Needs Attention"
    MAIL_UNDELIVERABLE = "Mail Undeliverable"
    CANCELLED = "Cancelled"


class AttentionCause(StrEnum):
    """What raised needs-attention."""

    BY_HAND = "by-hand"
    MAIL_UNDELIVERABLE = "mail-undeliverable"
    #: A mail of ours may or may not have arrived (the connection broke after its DATA).
    MAIL_UNKNOWN = "mail-unknown"


class ReopeningCause(StrEnum):
    """What reopened a resolved case."""

    MAIL = "mail"
    PERSON = "person"
    MAIL_UNDELIVERABLE = "mail-undeliverable"


class LinkKind(StrEnum):
    """How two cases belong together; no link changes the state of either."""

    #: This case took up the mail that came for a closed one (T30, 8.37).
    CONTINUES = "continues"
    #: One mail to two routed addresses made both (EM-30).
    SIBLING = "sibling"
    #: The sender named a case that he may not join (L16).
    STRANGER = "stranger"
    #: Two cases turned out to be one thread.
    SAME_THREAD = "same-thread"

    @property
    def is_directed(self) -> bool:
        """The link reads differently from its other end."""
        return self in (LinkKind.CONTINUES, LinkKind.STRANGER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Why a case waits and since when."""

    type: WaitType
    #: A name of the process's wait reasons; set exactly for more-info.
    reason: str | None = None
    #: The follow-up date; set exactly for until.
    until: datetime | None = None
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """A problem that stopped the case, and who may settle it (8.36)."""

    cause: AttentionCause
    text: TextId | None
    since: datetime
    #: Whoever owned the case or had it when the problem arose keeps the owner's rights; None: nobody did.
    settler: PersonId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who has the case: see assignment.py for the rules."""

    assignee: PersonId | None = None
    owner: PersonId | None = None
    queue: QueueName | None = None
    #: True when the assignee took it or was given it by a person; kept until unassign, wait, resolve, close (AS-2).
    by_hand: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """One entry of the append-only list of resolutions (ST-6)."""

    by: ActorId
    at: datetime
    method: TextId | None
    reason: StatusReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopening:
    """One entry of the append-only list of reopenings."""

    by: ActorId
    at: datetime
    cause: ReopeningCause


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A loose link to another case."""

    kind: LinkKind
    other: CaseId


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The state of one case, the fold of its events."""

    id: CaseId
    process: ProcessName
    origin: Origin
    created_at: datetime
    #: Number of events so far; the version for optimistic saving.
    version: int
    #: Time of the newest event; no later event is earlier.
    last_event_at: datetime

    subject: TextId
    requester: PartyId | None
    #: The first requester, never changed once set (EM-43).
    original_requester: PartyId | None
    #: The own address that the first mail was written to, and the mailbox it came through.
    address: str | None
    #: Every mailbox that the case's mail came through or is sent from, in order of first use.
    mailboxes: tuple[MailboxName, ...]
    started_by: ActorId

    status: Status
    status_reason: StatusReason
    status_set_by: ActorId
    status_set_at: datetime
    wait: Wait | None = None
    new_information: bool = False
    attention: Attention | None = None
    wait_ended: bool = False

    holder: Holder = Holder()
    #: People who updated the case, newest first, each once (AS-4, 4).
    updaters: tuple[PersonId, ...] = ()

    #: None in Draft, without a due rule, and while the clock is paused (SL-4).
    due_at: datetime | None = None
    #: Signed working time left when the clock was paused, negative when overdue; set exactly while paused.
    paused_remaining: timedelta | None = None
    #: The due date that the pause hid (SL-4); says on which side of free time the next one lies.
    hidden_due_at: datetime | None = None
    #: The due date for which the notice has gone out; another due date makes another notice.
    at_risk_noticed_for: datetime | None = None
    overdue_noticed_for: datetime | None = None

    #: End of the feedback window; set exactly while resolved.
    feedback_until: datetime | None = None
    resolutions: tuple[Resolution, ...] = ()
    reopenings: tuple[Reopening, ...] = ()
    links: tuple[Link, ...] = ()

    @property
    def flags(self) -> tuple[Flag, ...]:
        """The flags that are set, in the order of `Flag`."""
        held = {
            Flag.NEW_INFORMATION: self.new_information,
            Flag.NEEDS_ATTENTION: self.attention is not None,
            Flag.WAIT_ENDED: self.wait_ended,
        }
        return tuple(flag for flag in Flag if held[flag])

    @property
    def is_highlighted(self) -> bool:
        """True when any flag is set."""
        return bool(self.flags)
