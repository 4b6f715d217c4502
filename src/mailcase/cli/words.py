"""The shell's own words in English and French; those of the spec come from `core/labels.py`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import get_args

from mailcase.config.settings import Language
from mailcase.core import labels
from mailcase.core.case import LinkKind, Status, StatusReason
from mailcase.core.events import Event
from mailcase.core.labels import CaseList
from mailcase.core.process import Notice, Personal

#: Every heading of the shell that is not a label of the spec.
FRENCH: Mapping[str, str] = {
    "Account": "Compte",
    "Answer": "Réponse",
    "Assignee": "Affecté à",
    "Attempts": "Essais",
    "Backlog": "En attente",
    "Case": "Cas",
    "Cases": "Cas",
    "Checked": "Contrôlée",
    "Created": "Créé",
    "Daemon": "Démon",
    "Done": "Fait",
    "Due": "Échéance",
    "Error": "Erreur",
    "Flags": "Signalements",
    "From": "De",
    "Id": "N°",
    "Kind": "Genre",
    "Last reply": "Dernière réponse",
    "Left": "Laissés",
    "Links": "Liens",
    "Lists": "Listes",
    "Login": "Connexion",
    "Mail": "E-mail",
    "Mailbox": "Boîte",
    "Mails": "E-mails",
    "Message-ID": "Message-ID",
    "Name": "Nom",
    "Next": "Prochain essai",
    "Not Set": "Non définie",
    "Nothing to show.": "Rien à afficher.",
    "Notice": "Avis",
    "Outbox": "Envois",
    "Outcome": "Issue",
    "Owner": "Responsable",
    "Participants": "Participants",
    "Process": "Processus",
    "Queue": "File d'attente",
    "Read through": "Lue jusqu'au",
    "Reason": "Motif",
    "Received": "Reçu",
    "Reopened": "Rouvert",
    "Requester": "Demandeur",
    "Resolved": "Résolu",
    "SLA": "SLA",
    "Size": "Taille",
    "State": "État",
    "Status": "Statut",
    "Subject": "Objet",
    "Taken over": "Pris en compte",
    "The file is as it was; secrets and templates count as they are now.": (
        "Le fichier n’a pas changé ; les secrets et les modèles comptent tels qu’ils sont."
    ),
    "Timeline": "Chronologie",
    "To": "À",
    "Unconfirmed": "Non confirmés",
    "Why": "Pourquoi",
    "Window ends": "Fin de la fenêtre de commentaires",
    "Windows": "Fenêtres",
    "all handled": "tout est traité",
    "continued by": "suivi par",
    "disabled": "désactivée",
    "does not run": "ne tourne pas",
    "due later": "à échéance plus tard",
    "due today": "à échéance aujourd’hui",
    "empty": "vide",
    "failed": "échec",
    "fine": "correct",
    "held": "retenu",
    "listening": "à l’écoute",
    "named, from outside, by": "mentionné, de l’extérieur, par",
    "no due date": "aucune",
    "none": "aucun",
    "none is held": "aucune n’est retenue",
    "not listening": "pas à l’écoute",
    "not read yet": "pas encore lue",
    "past due": "échéance dépassée",
    "read": "lue le",
    "since": "depuis le",
    "the oldest": "le plus ancien",
    "until": "jusqu'au",
}

_REVERSED_LINKS = {
    f"{LinkKind.CONTINUES}-by": "continued by",
    f"{LinkKind.STRANGER}-by": "named, from outside, by",
}
_EVENTS = {re.sub(r"(?<=[a-z])(?=[A-Z])", "-", event.__name__).lower(): event for event in get_args(Event)}


def word(english: str, language: Language) -> str:
    """The heading in that language; what has no translation stays English."""
    return FRENCH.get(english, english) if language is Language.FRENCH else english


def colon(language: Language) -> str:
    """What stands between a name and its value in running text."""
    return "\N{NO-BREAK SPACE}: " if language is Language.FRENCH else ": "


def notice_label(value: str, language: Language) -> str:
    """The word for a kind of outgoing mail: a notice, or what a person wrote."""
    return word("Answer", language) if value == Personal.ANSWER else label(Notice, value, language)


def label(vocabulary: type[StrEnum], value: str, language: Language) -> str:
    """The spec's word for a value of the JSON; the value itself where the vocabulary does not have it."""
    return labels.label(vocabulary(value), language) if value in tuple(vocabulary) else value


def status_label(status: str, reason: str, language: Language) -> str:
    """The status, with cancelled cases called so."""
    if status in tuple(Status) and reason in tuple(StatusReason):
        return labels.status_label(Status(status), StatusReason(reason), language)
    return label(Status, status, language)


def list_label(value: str, language: Language) -> str:
    """The work inbox or the owned work."""
    known = next((case_list for case_list in CaseList if case_list.value == value), None)
    return labels.label(known, language) if known else value


def link_label(kind: str, language: Language) -> str:
    """How another case belongs to this one; links that read differently from their other end are there too."""
    if kind in _REVERSED_LINKS:
        return word(_REVERSED_LINKS[kind], language)
    return label(LinkKind, kind, language)


def event_label(kind: str, language: Language) -> str:
    """A line of the timeline, by the `type` of the JSON (`status-changed`)."""
    event = _EVENTS.get(kind)
    return labels.event_label(event, language) if event else kind


def actor_label(actor: str, name: str, language: Language) -> str:
    """Who did it."""
    return labels.actor_label(actor, name, language)
