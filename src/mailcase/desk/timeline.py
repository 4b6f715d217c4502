"""One line of words for each event of a case, in English or French."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from mailcase.core import events, labels, sla
from mailcase.core.case import Holder, PartyId, TextId, Wait, reference
from mailcase.core.events import Event
from mailcase.store.rows.cases import Party


class Storyteller:
    """Tells the events of one case."""

    def __init__(
        self,
        *,
        texts: Mapping[TextId, str],
        parties: Mapping[PartyId, Party],
        unconfirmed: Collection[PartyId],
        zone: ZoneInfo,
        language: str,
    ) -> None:
        """`unconfirmed`: the parties that came onto the case by an address made for somebody else."""
        self._unconfirmed = unconfirmed
        self._texts = texts
        self._parties = parties
        self._zone = zone
        self._language = language

    def tell(self, event: Event) -> str:
        """The facts of the event; its kind, time and author stand beside it."""
        return self._of_status(event) or self._of_people(event) or self._of_time(event) or self._of_mail(event) or ""

    def _of_status(self, event: Event) -> str | None:
        label, language = labels.label, self._language
        match event:
            case events.CaseOpened():
                words = [label(event.origin, language), event.process, label(event.status, language)]
                return ", ".join([*words, self._mail(event.mail)] if event.mail else words)
            case events.StatusChanged():
                after = labels.status_label(event.after, event.reason, language)
                change = f"{label(event.before, language)} → {after}" if event.before is not event.after else after
                waits = f", {self._wait(event.wait)}" if event.wait else ""
                reason = label(event.reason, language)
                return f"{change}{waits}" + (f" ({reason})" if reason != after else "")
            case events.CaseResolved():
                window = self._window(event.feedback_until) if event.feedback_until else None
                return "; ".join(part for part in (self._text(event.method), window) if part)
            case events.CaseReopened():
                return label(event.cause, language)
            case events.FlagRaised() | events.FlagCleared():
                return label(event.flag, language)
            case events.AttentionRaised():
                return self._text(event.attention.text) or label(event.attention.cause, language)
            case events.CaseLinked():
                return f"{label(event.link.kind, language)} {reference(event.link.other)}"
            case _:
                return None

    def _of_people(self, event: Event) -> str | None:
        match event:
            case events.HolderChanged():
                note = self._text(event.note)
                return self._holder(event.holder) + (f"; {note}" if note else "")
            case events.NoteAdded():
                return (self._unproved() if event.is_unproved else "") + self._text(event.text)
            case _:
                return None

    def _of_time(self, event: Event) -> str | None:
        match event:
            case (
                events.ClockStarted()
                | events.ClockResumed()
                | events.DueOverridden()
                | events.DueAtRisk()
                | events.DueMissed()
            ):
                return labels.moment(event.due_at, self._zone, self._language)
            case events.ClockPaused():
                return sla.remaining_text(event.remaining, self._language)
            case _:
                return None

    def _of_mail(self, event: Event) -> str | None:
        match event:
            case events.MailAppended():
                party = self._parties.get(event.party)
                return f"{self._mail(event.mail)}, {self._sender(party)}" if party else self._mail(event.mail)
            case events.MailFiled():
                return self._mail(event.mail)
            case events.AnswerSent() | events.DeliveryFailed():
                return f"outbox mail {event.mail}" if self._language != "fr" else f"e-mail sortant {event.mail}"
            case _:
                return None

    def _mail(self, mail_id: int) -> str:
        return f"e-mail {mail_id}" if self._language == "fr" else f"mail {mail_id}"

    def _unproved(self) -> str:
        """Before a note that came by mail in an agent's name, and could be anybody's."""
        return "(expéditeur non prouvé) " if self._language == "fr" else "(From unproved) "

    def _sender(self, party: Party) -> str:
        if party.id not in self._unconfirmed:
            return party.address
        return f"{party.address} ({'non confirmé' if self._language == 'fr' else 'unconfirmed'})"

    def _text(self, text_id: TextId | None) -> str:
        return self._texts.get(text_id, "") if text_id is not None else ""

    def _window(self, until: datetime) -> str:
        at = labels.moment(until, self._zone, self._language)
        return f"une réponse le rouvre jusqu’au {at}" if self._language == "fr" else f"an answer reopens it until {at}"

    def _wait(self, wait: Wait) -> str:
        until = labels.moment(wait.until, self._zone, self._language) if wait.until else None
        detail = wait.reason or until
        colon = "\N{NO-BREAK SPACE}: " if self._language == "fr" else ": "
        return labels.label(wait.type, self._language) + (f"{colon}{detail}" if detail else "")

    def _holder(self, holder: Holder) -> str:
        names = ("assignee", "owner", "queue") if self._language != "fr" else ("affecté à", "responsable", "file")
        values = (holder.assignee, holder.owner, holder.queue)
        return ", ".join(f"{name} {value}" for name, value in zip(names, values, strict=True) if value) or "–"
