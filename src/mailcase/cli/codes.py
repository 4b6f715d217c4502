"""The French words for the codes of the JSON: outcomes, reasons, states, kinds of mail and rules of a trace. In English
the codes are words themselves, those that filters take.
"""

from __future__ import annotations

from collections.abc import Mapping

from mailcase.config.settings import Language

FRENCH: Mapping[str, str] = {
    # outcomes
    "new-case": "nouveau cas",
    "appended": "ajouté au cas",
    "filed": "classé",
    "duplicate": "doublon",
    "own": "le nôtre",
    "command": "commande",
    "unhandled": "sans suite",
    "parked": "mis de côté",
    "before-start": "antérieur au démarrage",
    "pending": "en cours",
    # reasons
    "routed": "route",
    "closed-case": "cas fermé",
    "window-over": "fenêtre écoulée",
    "stranger": "expéditeur étranger au cas",
    "reply-address": "adresse de réponse",
    "in-reply-to": "In-Reply-To",
    "references": "References",
    "named-before": "nommé auparavant",
    "subject-tag": "marque dans l’objet",
    "machine-mail": "courrier automatique",
    "bounce-of-ours": "rejet d’un de nos e-mails",
    "delay-of-ours": "retard d’un de nos e-mails",
    "agent-note": "note d’un agent",
    "agent-on-closed": "note d’un agent sur un cas fermé",
    "same-content": "même contenu",
    "sent-by-us": "envoyé par nous",
    "no-route": "aucune route",
    "not-addressed": "pas adressé à nous",
    "bounce-unmatched": "rejet sans e-mail connu",
    "too-large": "trop volumineux",
    "attempts-used-up": "essais épuisés",
    "cannot-be-handled": "impossible à traiter",
    "older-than-start": "antérieur au démarrage",
    # states of a delivery
    "queued": "en attente",
    "claimed": "en cours d’envoi",
    "deferred": "différé",
    "sent": "envoyé",
    "failed": "échoué",
    "unknown": "incertain",
    "cancelled": "annulé",
    # kinds of mail
    "human": "personne",
    "auto-reply": "réponse automatique",
    "list": "liste de diffusion",
    "bounce": "rejet",
    "delay": "avis de retard",
    "receipt": "accusé de lecture",
    "feedback-report": "signalement d’abus",
    "calendar": "calendrier",
    "loop": "boucle",
    "notification": "notification",
    # rules of a trace that are not reasons
    "own-mail": "e-mail de nous",
    "window": "fenêtre",
    "same-thread": "même échange",
    "signature": "signature",
    "route": "route",
}


def code(value: str, language: Language) -> str:
    """The word for a code; the detail that may follow it after a colon stays as it is."""
    if language is not Language.FRENCH:
        return value
    name, colon, detail = value.partition(":")
    word = FRENCH.get(name, name)
    return f"{word}\N{NO-BREAK SPACE}:{detail}" if colon else word
