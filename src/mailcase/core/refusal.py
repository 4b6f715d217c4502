"""Why a command was refused, and what is allowed instead, as data and in words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mailcase.core.case import PersonId


class Reason(StrEnum):
    """Every reason for which the core refuses a command."""

    CLOSED_IS_FINAL = "closed-is-final"
    IS_DRAFT = "is-draft"
    IS_SUBMITTED = "is-submitted"
    IS_RESOLVED = "is-resolved"
    IS_WAITING = "is-waiting"
    NOT_RESOLVED = "not-resolved"
    RESOLVED_CLOSES_BY_ITSELF = "resolved-closes-by-itself"
    WINDOW_OVER = "window-over"
    NOT_CONFIRMED = "not-confirmed"
    WAIT_REASON_MISSING = "wait-reason-missing"
    WAIT_REASON_UNKNOWN = "wait-reason-unknown"
    WAIT_DATE_MISSING = "wait-date-missing"
    WAIT_DETAIL_UNWANTED = "wait-detail-unwanted"
    DATE_IN_PAST = "date-in-past"
    DATE_TOO_FAR = "date-too-far"
    NOTHING_WOULD_CHANGE = "nothing-would-change"
    NOBODY_HAS_IT = "nobody-has-it"
    SOMEBODY_ELSE_HAS_IT = "somebody-else-has-it"
    NOT_YOURS_TO_SETTLE = "not-yours-to-settle"
    PERSON_UNKNOWN = "person-unknown"
    PERSON_RETIRED = "person-retired"
    DUE_DATE_FIXED = "due-date-fixed"
    CLOCK_PAUSED = "clock-paused"
    CLOCK_STOPPED = "clock-stopped"
    PROCESS_RETIRED = "process-retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The command changed nothing."""

    #: The rule of docs/rules.md that forbids it.
    rule: str
    reason: Reason
    #: Those who have the case, or who alone may do this.
    people: tuple[PersonId, ...] = ()
    #: What could have been named instead: wait reasons or people.
    choices: tuple[str, ...] = ()
    #: The commands that this person could give now, as the shell names them.
    allowed: tuple[str, ...] = ()


_ENGLISH = {
    Reason.CLOSED_IS_FINAL: "Closed is final.",
    Reason.IS_DRAFT: "The case is a draft; submit it first.",
    Reason.IS_SUBMITTED: "The case was submitted already.",
    Reason.IS_RESOLVED: "The case is resolved; reopen it first.",
    Reason.IS_WAITING: "The case is waiting; set it to do or in progress first.",
    Reason.NOT_RESOLVED: "Only a resolved case can be reopened.",
    Reason.RESOLVED_CLOSES_BY_ITSELF: "A resolved case closes by itself when its feedback window ends.",
    Reason.WINDOW_OVER: "The feedback window is over; the case cannot be reopened.",
    Reason.NOT_CONFIRMED: "Cancelling is final; it must be confirmed.",
    Reason.WAIT_REASON_MISSING: "A wait for information needs a reason: {choices}.",
    Reason.WAIT_REASON_UNKNOWN: "There is no such reason to wait. Reasons: {choices}.",
    Reason.WAIT_DATE_MISSING: "A wait until a moment needs its date and time.",
    Reason.WAIT_DETAIL_UNWANTED: "Only a wait for information has a reason, only a wait until a moment has a date.",
    Reason.DATE_IN_PAST: "The date and time must be in the future.",
    Reason.DATE_TOO_FAR: "The date is too far away.",
    Reason.NOTHING_WOULD_CHANGE: "Nothing would change.",
    Reason.NOBODY_HAS_IT: "Nobody has the case.",
    Reason.SOMEBODY_ELSE_HAS_IT: "{people} has the case; taking it over must be asked for.",
    Reason.NOT_YOURS_TO_SETTLE: "The case needs attention; it is for {people} to settle that.",
    Reason.PERSON_UNKNOWN: "Nobody of that name works on such cases. People: {choices}.",
    Reason.PERSON_RETIRED: "That person works on no cases any more. People: {choices}.",
    Reason.DUE_DATE_FIXED: "The due date of such cases cannot be changed.",
    Reason.CLOCK_PAUSED: "The clock is paused; there is a due date again when the wait is over.",
    Reason.CLOCK_STOPPED: "The clock does not run; there is no due date to change.",
    Reason.PROCESS_RETIRED: "No new cases of this kind are started.",
}
_FRENCH = {
    Reason.CLOSED_IS_FINAL: "Un cas fermé l’est définitivement.",
    Reason.IS_DRAFT: "Le cas est un brouillon\u00a0; il faut d’abord le soumettre.",
    Reason.IS_SUBMITTED: "Le cas a déjà été soumis.",
    Reason.IS_RESOLVED: "Le cas est résolu\u00a0; il faut d’abord le rouvrir.",
    Reason.IS_WAITING: "Le cas est en attente\u00a0; il faut d’abord le remettre à faire ou en cours.",
    Reason.NOT_RESOLVED: "Seul un cas résolu peut être rouvert.",
    Reason.RESOLVED_CLOSES_BY_ITSELF: "Un cas résolu se ferme de lui-même à la fin de sa fenêtre de commentaires.",
    Reason.WINDOW_OVER: "La fenêtre de commentaires est passée\u00a0; le cas ne peut plus être rouvert.",
    Reason.NOT_CONFIRMED: "L’annulation est définitive\u00a0; elle doit être confirmée.",
    Reason.WAIT_REASON_MISSING: "Attendre plus d’informations demande un motif\u00a0: {choices}.",
    Reason.WAIT_REASON_UNKNOWN: "Ce motif d’attente n’existe pas. Motifs\u00a0: {choices}.",
    Reason.WAIT_DATE_MISSING: "Attendre jusqu’à un moment demande sa date et son heure.",
    Reason.WAIT_DETAIL_UNWANTED: "Seule l’attente d’informations a un motif, seule l’attente jusqu’à a une date.",
    Reason.DATE_IN_PAST: "La date et l’heure doivent être à venir.",
    Reason.DATE_TOO_FAR: "La date est trop lointaine.",
    Reason.NOTHING_WOULD_CHANGE: "Rien ne changerait.",
    Reason.NOBODY_HAS_IT: "Le cas n’est affecté à personne.",
    Reason.SOMEBODY_ELSE_HAS_IT: "Le cas est affecté à {people}\u00a0; il faut demander expressément à le reprendre.",
    Reason.NOT_YOURS_TO_SETTLE: "Le cas nécessite une attention particulière\u00a0; c’est à {people} de le régler.",
    Reason.PERSON_UNKNOWN: "Personne de ce nom ne traite ces cas. Personnes\u00a0: {choices}.",
    Reason.PERSON_RETIRED: "Cette personne ne traite plus de cas. Personnes\u00a0: {choices}.",
    Reason.DUE_DATE_FIXED: "La date d’échéance de ces cas ne peut pas être remplacée.",
    Reason.CLOCK_PAUSED: "La durée est mise en pause\u00a0; il y aura de nouveau une échéance après l’attente.",
    Reason.CLOCK_STOPPED: "La durée ne court pas\u00a0; il n’y a pas d’échéance à remplacer.",
    Reason.PROCESS_RETIRED: "Aucun nouveau cas de ce type n’est ouvert.",
}


def describe(refused: Refused, language: str) -> str:
    """One or two sentences: why, and which commands are allowed now. `language` is "fr"; anything else is English."""
    is_french = language == "fr"
    nothing = "—"
    why = (_FRENCH if is_french else _ENGLISH)[refused.reason].format(
        people=", ".join(refused.people) or nothing, choices=", ".join(refused.choices) or nothing
    )
    allowed = ", ".join(refused.allowed)
    if not allowed:
        return why
    return f"{why} Permis maintenant\u00a0: {allowed}." if is_french else f"{why} Allowed now: {allowed}."
