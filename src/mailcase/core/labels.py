"""The words for people, in English and French: labels of the spec (1.2, 1.3) and dates. Used by mail and by the shell.

A language without words of its own here reads English ones. The French ones have the spec's spelling, character by
character.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from zoneinfo import ZoneInfo

from mailcase.core import events, sla
from mailcase.core.case import (
    SYSTEM,
    AttentionCause,
    Case,
    Flag,
    LinkKind,
    Origin,
    ReopeningCause,
    Status,
    StatusReason,
    WaitType,
)
from mailcase.core.process import Notice


class CaseList(Enum):
    """The lists of the spec (1.3, AS-6)."""

    INBOX = "inbox"
    OWNED = "owned"


#: English, French.
_Words = tuple[str, str]

_STATUS: Mapping[Enum, _Words] = {
    Status.DRAFT: ("Draft", "Brouillon"),
    Status.TO_DO: ("To Do", "À faire"),
    Status.IN_PROGRESS: ("In Progress", "En cours"),
    Status.WAITING: ("Waiting", "En attente"),
    Status.RESOLVED: ("Resolved", "Résolu"),
    Status.CLOSED: ("Closed", "Fermé"),
}
_WAIT_TYPE: Mapping[Enum, _Words] = {
    WaitType.MORE_INFO: ("Wait for more information", "En attente de plus d'informations"),
    WaitType.UNTIL: ("Wait Until", "Attendre jusqu'à"),
    WaitType.ON_HOLD: ("Pause", "En pause"),
}
_FLAG: Mapping[Enum, _Words] = {
    Flag.NEW_INFORMATION: ("New information", "Nouvelles informations reçues"),
    Flag.NEEDS_ATTENTION: ("Needs attention", "Nécessite une attention particulière"),
    Flag.WAIT_ENDED: ("Wait over", "Attente terminée"),
}
_LIST: Mapping[Enum, _Words] = {
    CaseList.INBOX: ("Work Inbox", "Boîte de réception de travail"),
    CaseList.OWNED: ("Owned Work", "Mes responsabilités"),
}
_ORIGIN: Mapping[Enum, _Words] = {
    Origin.EMAIL: ("Email", "Par un e-mail entrant"),
    Origin.MANUAL: ("Manual", "Manuel"),
}
_STATUS_REASON: Mapping[Enum, _Words] = {
    StatusReason.NEWLY_CREATED: ("Newly Created", "Nouvellement créé"),
    StatusReason.UPDATED_BY_RESOURCE: ("Updated By Resource", "Mis à jour par une ressource"),
    StatusReason.NEW_INFORMATION_RECEIVED: ("New Information Received", "Nouvelles informations reçues"),
    StatusReason.SCHEDULE_DATE_AND_TIME_REACHED: ("Schedule Date and Time Reached", "Date et heure prévues atteintes"),
    StatusReason.COMPLETED: ("Completed", "Terminé"),
    StatusReason.FEEDBACK_WINDOW_PASSED: ("Feedback Window Passed", "Fenêtre de commentaires écoulée"),
    StatusReason.REOPENED_BY_RESOURCE: ("Reopened By Resource", "Rouvert par une ressource"),
    StatusReason.NEEDS_ATTENTION: ("Needs Attention", "Attention requise"),
    StatusReason.MAIL_UNDELIVERABLE: ("Mail Undeliverable", "E-mail non distribuable"),
    StatusReason.CANCELLED: ("Cancelled", "Abandonné"),
}
_ATTENTION_CAUSE: Mapping[Enum, _Words] = {
    AttentionCause.BY_HAND: ("Raised by a person", "Signalé par une personne"),
    AttentionCause.MAIL_UNDELIVERABLE: (
        "Our mail to the requester could not be delivered",
        "Notre e-mail au demandeur n’a pas pu être distribué",
    ),
    AttentionCause.MAIL_UNKNOWN: (
        "It is not known whether our mail to the requester arrived",
        "On ignore si notre e-mail au demandeur est arrivé",
    ),
}
_REOPENING_CAUSE: Mapping[Enum, _Words] = {
    ReopeningCause.MAIL: ("An answer arrived", "Une réponse est arrivée"),
    ReopeningCause.PERSON: ("Reopened by a person", "Rouvert par une personne"),
    ReopeningCause.MAIL_UNDELIVERABLE: ("Mail undeliverable", "E-mail non distribuable"),
}
_LINK_KIND: Mapping[Enum, _Words] = {
    LinkKind.CONTINUES: ("continues", "fait suite à"),
    LinkKind.SIBLING: ("came with the same mail as", "issu du même e-mail que"),
    LinkKind.STRANGER: ("names, from outside, the case", "mentionne, de l’extérieur, le cas"),
    LinkKind.SAME_THREAD: ("same thread as", "même échange que"),
}
_NOTICE: Mapping[Enum, _Words] = {
    Notice.ACKNOWLEDGEMENT: ("Acknowledgement", "Accusé de réception"),
    Notice.INFORMATION_WANTED: ("Information wanted", "Demande d’informations"),
    Notice.RESOLVED: ("Resolved", "Résolu"),
    Notice.REOPENED: ("Reopened", "Rouvert"),
    Notice.CLOSED: ("Closed", "Fermé"),
    Notice.CANCELLED: ("Cancelled", "Abandonné"),
    Notice.NEW_IN_QUEUE: ("New in the queue", "Nouveau dans la file d’attente"),
    Notice.ASSIGNED: ("Assigned to you", "Vous est affecté"),
    Notice.NEW_INFORMATION: ("New information", "Nouvelles informations reçues"),
    Notice.NEEDS_ATTENTION: ("Needs attention", "Attention requise"),
    Notice.WAIT_OVER: ("Wait over", "Attente terminée"),
    Notice.RETURNED: ("Work again", "De nouveau à traiter"),
    Notice.NO_LONGER_YOURS: ("No longer yours", "Ne vous est plus affecté"),
    Notice.DUE_AT_RISK: ("Due date at risk", "Échéance menacée"),
    Notice.OVERDUE: ("Overdue", "Échéance dépassée"),
}
_BY_ENUM: Mapping[type[Enum], Mapping[Enum, _Words]] = {
    Status: _STATUS,
    WaitType: _WAIT_TYPE,
    Flag: _FLAG,
    CaseList: _LIST,
    Origin: _ORIGIN,
    StatusReason: _STATUS_REASON,
    AttentionCause: _ATTENTION_CAUSE,
    ReopeningCause: _REOPENING_CAUSE,
    LinkKind: _LINK_KIND,
    Notice: _NOTICE,
}
_EVENT: Mapping[type[events.Event], _Words] = {
    events.CaseOpened: ("Case opened", "Cas créé"),
    events.StatusChanged: ("Status changed", "Statut modifié"),
    events.HolderChanged: ("Assignment changed", "Affectation modifiée"),
    events.FlagRaised: ("Highlighted", "Mis en évidence"),
    events.AttentionRaised: ("Needs attention", "Attention requise"),
    events.FlagCleared: ("Highlight cleared", "Mise en évidence retirée"),
    events.ClockStarted: ("Due date set", "Date d'échéance fixée"),
    events.ClockPaused: ("SLA clock paused", "Durée de l'accord de niveau de service mise en pause"),
    events.ClockResumed: ("SLA clock resumed", "Durée de l'accord de niveau de service reprise"),
    events.DueOverridden: ("Due date overridden", "Date d'échéance remplacée"),
    events.DueAtRisk: ("Due date at risk", "Échéance menacée"),
    events.DueMissed: ("Due date missed", "Échéance dépassée"),
    events.CaseResolved: ("Resolved", "Résolu"),
    events.CaseReopened: ("Reopened", "Rouvert"),
    events.MailAppended: ("Mail received", "E-mail reçu"),
    events.MailFiled: ("Mail filed", "E-mail classé"),
    events.AnswerSent: ("Answer written", "Réponse écrite"),
    events.DeliveryFailed: ("Mail not delivered", "E-mail non distribué"),
    events.NoteAdded: ("Note", "Note"),
    events.CaseLinked: ("Case linked", "Activité liée"),
}

_CANCELLED: _Words = ("Cancelled", "Abandonné")
_SYSTEM: _Words = ("System", "Système")

_WEEKDAYS = (
    ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
)
_MONTHS = (
    (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
    (
        *("janvier", "février", "mars", "avril", "mai", "juin"),
        *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
    ),
)


def _column(language: str) -> int:
    return 1 if language == "fr" else 0


def label(value: Enum, language: str) -> str:
    """The word for a member of an enum of the core. Raises KeyError for any other enum."""
    return _BY_ENUM[type(value)][value][_column(language)]


def status_label(status: Status, reason: StatusReason, language: str) -> str:
    """The status as people see it: a closed case that was cancelled is shown as cancelled (spec 1.2, T29)."""
    if status is Status.CLOSED and reason is StatusReason.CANCELLED:
        return _CANCELLED[_column(language)]
    return label(status, language)


def event_label(event: type[events.Event], language: str) -> str:
    """The word for a kind of event on the timeline."""
    return _EVENT[event][_column(language)]


def actor_label(actor: str, name: str, language: str) -> str:
    """Who did it: the daemon's own word for `SYSTEM`, else the person's name, else the id."""
    return _SYSTEM[_column(language)] if actor == SYSTEM else name or actor


def moment(at: datetime, zone: ZoneInfo, language: str) -> str:
    """A point in time as a sentence has it, in local time with the zone's short name: `Friday 27 November 2026 at
    14:05 (CET)`, `vendredi 27 novembre 2026 à 14 h 05 (CET)` (no-break spaces around the h).
    """
    local = at.astimezone(zone)
    column = _column(language)
    weekday, month = _WEEKDAYS[column][local.weekday()], _MONTHS[column][local.month - 1]
    abbreviation = local.tzname() or zone.key
    # Zones without letters of their own have a number: +03.
    zone_name = f"UTC{abbreviation}" if abbreviation[:1] in "+-" else abbreviation
    if language == "fr":
        day = "1er" if local.day == 1 else str(local.day)
        return (
            f"{weekday} {day} {month} {local.year} à {local.hour}\N{NO-BREAK SPACE}h\N{NO-BREAK SPACE}"
            f"{local.minute:02} ({zone_name})"
        )
    return f"{weekday} {local.day} {month} {local.year} at {local.hour:02}:{local.minute:02} ({zone_name})"


def due_line(case: Case, zone: ZoneInfo, language: str) -> str:
    """The due message of a case: paused (SL-8), else the due date (SL-9); "" where there is none."""
    paused = sla.due_text(case, language)
    if paused or case.due_at is None:
        return paused
    at = moment(case.due_at, zone, language)
    return f"Échéance\N{NO-BREAK SPACE}: {at}" if language == "fr" else f"Due: {at}"
