"""Cases, their people and what ties mail to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailcase.core.case import Case, CaseId, LinkKind, MailId, PartyId, TextId
from mailcase.core.events import Event


class Role(StrEnum):
    """How an address came onto a case. Only REQUESTER and THIRD_PARTY receive mail of ours."""

    REQUESTER = "requester"
    #: Was in From, To or Cc of a mail of the case: may join, gets nothing (docs/mail.md, "Who may join").
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
    #: False for mail to and from third parties: the requester's thread must not name it.
    is_shared: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A unit of intake: this mail content was taken for this routed address (EM-7, EM-30). Unique."""

    fingerprint: str
    address: str
    mail_id: MailId
    case_id: CaseId | None
    #: Arrival of that mail.
    arrived_at: datetime
    #: The mail whose unit this one takes the place of, being so much later that it is another mail.
    replaces: MailId | None = None


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
    #: Earliest deadline that no unread mail can answer, and earliest that one could (docs/decisions/0002).
    wake_at: datetime | None
    window_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEvent:
    """One line of the timeline."""

    seq: int
    recorded_at: datetime
    event: Event


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
    #: Only what stands after this case in the list.
    after: CaseId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseBundle:
    """A case with everything that showing or answering it needs."""

    case: Case
    timeline: tuple[RecordedEvent, ...]
    texts: Mapping[TextId, str]
    parties: Mapping[PartyId, Party]
    participants: tuple[tuple[Party, Role], ...]
    mail_ids: tuple[MailId, ...]
    #: Seen and shared anchors of the case, oldest first, at most the first and the last ten: for References.
    message_ids: tuple[str, ...]
    #: Cases that link to this one, with the kind of their link.
    linked_from: tuple[tuple[CaseId, LinkKind], ...] = ()
