"""One transaction: all that one stimulus changes; and what a start found unfinished."""

from __future__ import annotations

from dataclasses import dataclass

from mailcase.core.case import CaseId
from mailcase.store.rows.cases import Anchor, Participant, Party, SavedCase, Taken, Text
from mailcase.store.rows.inbox import MailOutcome
from mailcase.store.rows.outbox import DeliveryResult, DeliveryRow, OutgoingMail


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
class Recovered:
    """What a start found unfinished."""

    inbox_released: int
    outbox_released: int
    #: Deliveries whose attempt was journaled and never settled; now UNKNOWN.
    unknown: tuple[DeliveryRow, ...]
