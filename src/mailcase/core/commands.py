"""What may be asked of a case. Imperative; each says when (`at`) and by whom.

`at` is the arrival of a mail, the deadline itself for a tick, now for a person; the caller moves it forward to the
case's `last_event_at` where it is earlier, and never past now.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from mailcase.core.case import (
    ActorId,
    AttentionCause,
    CaseId,
    Link,
    MailboxName,
    MailId,
    Origin,
    OutgoingId,
    PartyId,
    PersonId,
    TextId,
    WaitType,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    at: datetime
    by: ActorId


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCase(_Asked):
    """Makes a case: T1 by hand (Draft), T3 from mail (To Do)."""

    case_id: CaseId
    origin: Origin
    subject: TextId
    requester: PartyId | None = None
    mail: MailId | None = None
    mailbox: MailboxName | None = None
    address: str | None = None
    #: False where the mail may not be answered automatically, or was answered already (EM-71, L14).
    acknowledge: bool = True
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit(_Asked):
    """T2: the draft becomes work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Take(_Asked):
    """T4: the person starts working on it and has it from then on."""

    #: True takes it from whoever has it (AS-10).
    take_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SetInProgress(_Asked):
    """T5, T10, T21."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetToDo(_Asked):
    """T7, T21."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assign(_Asked):
    """T6; in every status but closed."""

    person: PersonId
    note: TextId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Release(_Asked):
    """T6, AS-11: nobody has it any longer; back to its queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartWait(_Asked):
    """T12, T14-T17: begin a wait or change the present one."""

    type: WaitType
    #: Needed exactly for more-info; a name of the process's list.
    reason: str | None = None
    #: Needed exactly for until; in the future.
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolve(_Asked):
    """T24, T25 by a person (« Terminer la résolution »)."""

    method: TextId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopen(_Asked):
    """T27."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel(_Asked):
    """T29; final, so it must be confirmed."""

    is_confirmed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseAttention(_Asked):
    """T9, T9p by hand: a problem stops the case."""

    text: TextId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetDue(_Asked):
    """SL-15: a person sets another due date."""

    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkRead(_Asked):
    """AS-7: the new information has been read; also takes note of an ended wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkNew(_Asked):
    """AS-7: sets the new-information flag again by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddNote(_Asked):
    """An internal remark; never sent, never reopens (8.15)."""

    text: TextId
    #: It came by mail in an agent's name, without proof that he wrote it.
    is_unproved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SendAnswer(_Asked):
    """A person writes on the case (AS-9, EM-81); the mail itself is made by the handler. May take the case (8.35)."""

    mail: OutgoingId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveMail(_Asked):
    """A mail that a human may have written and that belongs to this case: T18, T22, T23, T26."""

    mail: MailId
    party: PartyId
    mailbox: MailboxName
    #: The true arrival, for the guard of T26: `at` may have been moved forward past the end of the window.
    arrived_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMail(_Asked):
    """Machine mail, or an agent's mailed answer: on the record, nothing changes (8.12)."""

    mail: MailId
    mailbox: MailboxName


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportUndelivered(_Asked):
    """Our mail to the requester failed for good or its fate is unknown, and no other requester can be reached:
    T31, T9, T9p.
    """

    mail: OutgoingId
    cause: AttentionCause = field(default=AttentionCause.MAIL_UNDELIVERABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkCase(_Asked):
    """Records a link to another case; changes nothing else, allowed in every status."""

    link: Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick(_Asked):
    """The time `at` has come; the core decides what that means (T20, T28, SL-17)."""

    #: The wall clock, after `at` where the tick comes late: what is past by now need not be warned of any more.
    now: datetime
    #: All mail of the case's mailboxes that arrived before this has been taken in: windows that end later stay open.
    read_through_at: datetime


Command = (
    OpenCase
    | Submit
    | Take
    | SetInProgress
    | SetToDo
    | Assign
    | Release
    | StartWait
    | Resolve
    | Reopen
    | Cancel
    | RaiseAttention
    | SetDue
    | MarkRead
    | MarkNew
    | AddNote
    | SendAnswer
    | ReceiveMail
    | FileMail
    | ReportUndelivered
    | LinkCase
    | Tick
)
