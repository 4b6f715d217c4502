"""What must go out because of what happened. The handler turns each into outgoing mail in the same transaction."""

from __future__ import annotations

from dataclasses import dataclass

from mailcase.core.case import MailId, PersonId, QueueName, TextId
from mailcase.core.process import Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class ToRequester:
    """The case's requester."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToPerson:
    """One agent."""

    person: PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class ToQueue:
    """The queue's leaders, or all its people where it has no leader (NT-2)."""

    queue: QueueName
    #: Who caused it, and who is told in person.
    but: frozenset[PersonId] = frozenset()


Audience = ToRequester | ToPerson | ToQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """One notice to one audience. The process has it switched on, else it would not be here."""

    notice: Notice
    audience: Audience
    #: The inbound mail it tells about, if any.
    mail: MailId | None = None
    #: Note or reason that goes with it, if any.
    text: TextId | None = None


Effect = Notify
