"""What may want an operator, in words, with what to do: English and French."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mailcase.desk.views import time_json
from mailcase.inbound.protocol import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One line of the screen that is an alarm."""

    #: A key of `WORDS`.
    what: str
    #: A mailbox, or a folder.
    about: str | None = None
    count: int | None = None
    since: datetime | None = None
    #: Words from elsewhere: of a server, of the configuration.
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class _Words:
    english: str
    english_advice: str
    french: str
    french_advice: str


WORDS: Mapping[str, _Words] = {
    "no-daemon": _Words(
        "No daemon runs: no mail comes in, none goes out",
        "systemctl start mailcase, or mailcase run; journalctl -u mailcase says why it ended",
        "Aucun démon ne tourne : aucun e-mail n’entre ni ne sort",
        "systemctl start mailcase, ou mailcase run ; journalctl -u mailcase dit pourquoi il s’est arrêté",
    ),
    "reload-refused": _Words(
        "The last reload was refused, the configuration in force is an older one: {detail}",
        "mend the file, mailcase check, mailcase reload",
        "Le dernier rechargement a été refusé, une configuration plus ancienne est en vigueur : {detail}",
        "corrigez le fichier, mailcase check, mailcase reload",
    ),
    "no-room": _Words(
        "The disk is nearly full, no mail is taken: free in {about} are {detail}",
        "make room there, and it goes on by itself; limits.reserve_bytes is what must be free",
        "Le disque est presque plein, aucun e-mail n’est accepté : libre dans {about} : {detail}",
        "libérez de l’espace, tout reprend ensuite de soi-même ; limits.reserve_bytes est ce qui doit rester libre",
    ),
    "mailbox-failing": _Words(
        "Mailbox {about} cannot be read: {detail}",
        "mailcase mailbox check {about} says what works and what does not",
        "La boîte {about} ne peut pas être lue : {detail}",
        "mailcase mailbox check {about} dit ce qui marche et ce qui ne marche pas",
    ),
    "mailbox-silent": _Words(
        "Mailbox {about} has not been read for long, without an error",
        "mailcase mailbox check {about}; if it is well, restart the daemon and report it",
        "La boîte {about} n’a pas été lue depuis longtemps, sans erreur",
        "mailcase mailbox check {about} ; si tout va bien, redémarrez le démon et signalez-le",
    ),
    "not-listening": _Words(
        "Mailbox {about} does not listen",
        "restart the daemon; its log says what has taken the port",
        "La boîte {about} n’écoute pas",
        "redémarrez le démon ; son journal dit ce qui occupe le port",
    ),
    "login-ending": _Words(
        "The login of {about} ends on {detail}",
        "make a new secret or consent anew, in time: docs/operating.md, Logins",
        "La connexion de {about} prend fin le {detail}",
        "créez à temps un nouveau secret ou consentez de nouveau : docs/operating.md, Logins",
    ),
    "relay-login": _Words(
        "The relay cannot be logged in to: {detail}",
        "docs/operating.md, Logins, says what each failure means",
        "La connexion au relais est impossible : {detail}",
        "docs/operating.md, Logins, dit ce que signifie chaque échec",
    ),
    "backlog": _Words(
        "{count} mails of mailbox {about} wait to be handled for long",
        "the log says why: inbox_paused, mail_failed; look at disk and load",
        "{count} e-mails de la boîte {about} attendent depuis longtemps d’être traités",
        "le journal dit pourquoi : inbox_paused, mail_failed ; regardez le disque et la charge",
    ),
    "outbox-waits": _Words(
        "{count} deliveries wait, the oldest for more than an hour",
        "mailcase outbox list --state deferred has the words of the server; the log: relay_unavailable",
        "{count} envois attendent, le plus ancien depuis plus d’une heure",
        "mailcase outbox list --state deferred donne les mots du serveur ; le journal : relay_unavailable",
    ),
    "unhandled": _Words(
        "{count} mails of the last 7 days belong to no case",
        "mailcase mail list --outcome unhandled, mailcase why ID; add a route, then mailcase mail retry ID",
        "{count} e-mails des 7 derniers jours n’appartiennent à aucun cas",
        "mailcase mail list --outcome unhandled, mailcase why ID ; ajoutez une route, puis mailcase mail retry ID",
    ),
    "parked": _Words(
        "{count} mails of the last 7 days are set aside, because they could not be handled",
        "mailcase mail list --outcome parked; mailcase mail show ID --raw, answer by hand, report the fault",
        "{count} e-mails des 7 derniers jours ont été mis de côté, faute d’avoir pu être traités",
        "mailcase mail list --outcome parked ; mailcase mail show ID --raw, répondez à la main, signalez l’erreur",
    ),
    "failed": _Words(
        "{count} deliveries of the last 7 days failed",
        "mailcase outbox list --state failed; mend address or relay, then mailcase outbox retry ID",
        "{count} envois des 7 derniers jours ont échoué",
        "mailcase outbox list --state failed ; corrigez l’adresse ou le relais, puis mailcase outbox retry ID",
    ),
    "unknown": _Words(
        "{count} deliveries of the last 7 days may have arrived or not",
        "mailcase outbox list --state unknown; look for them in the log of the relay, retry those that are not there",
        "{count} envois des 7 derniers jours sont peut-être arrivés, peut-être non",
        "mailcase outbox list --state unknown ; cherchez le Message-ID dans le journal du relais, "
        "relancez ce qui n’y est pas",
    ),
    "windows-held": _Words(
        "{count} feedback windows are over and wait for a mailbox that is not read past their end",
        "mailcase mailbox list, column Read through; mend that mailbox, or enabled: false if it is gone for good",
        "{count} fenêtres de commentaires sont écoulées et attendent une boîte qui n’est pas lue au-delà de leur fin",
        "mailcase mailbox list, colonne Lue jusqu’au ; réparez cette boîte, ou enabled: false si elle n’existe plus",
    ),
}


def problem_json(problem: Problem, language: str) -> Json:
    """The problem as the screen has it."""
    words = WORDS[problem.what]
    text, advice = (words.french, words.french_advice) if language == "fr" else (words.english, words.english_advice)
    values = {"about": problem.about, "count": problem.count, "detail": problem.detail}
    return {
        "what": problem.what,
        "about": problem.about,
        "count": problem.count,
        "since": time_json(problem.since),
        "text": text.format_map(values),
        "advice": advice.format_map(values),
    }
