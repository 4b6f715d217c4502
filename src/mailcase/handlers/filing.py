"""Mail that goes on record and changes nothing: what machines write, and what agents answer by mail (8.12)."""

from __future__ import annotations

from mailcase.core.case import SYSTEM, Case, CaseId, Status, reference
from mailcase.core.commands import AddNote
from mailcase.handlers.arrival import Arrival
from mailcase.handlers.matching import NoMatch
from mailcase.mail.authentication import is_from_its_domain
from mailcase.mail.kind import Kind
from mailcase.store.rows.inbox import Outcome, Reason

#: How a mail ended on one case.
Ending = tuple[Outcome, Reason, tuple[CaseId, ...]]


def open_target(arrival: Arrival, case: Case) -> Case | None:
    """The case itself, or the one that continues it when it is closed (8.37); None when there is none."""
    if case.status is not Status.CLOSED:
        return case
    continuing = arrival.workspace.continued_by(case.id)
    result = f"continued by {reference(continuing.id)}" if continuing else "closed for good"
    arrival.trace.add("closed-case", reference(case.id), result)
    return continuing


def file_machine_mail(arrival: Arrival, target: Case | None, *, is_from_outside: bool = False) -> Ending:
    """On the case; on the mail row alone where that is closed (ST-5). Nobody gets a seat by it.

    `is_from_outside`: its sender may not join the case, so that its Message-ID leads nobody there either.
    """
    evidence = ", ".join(arrival.read.classification.evidence)
    if target is None:
        arrival.trace.decide(Reason.MACHINE_MAIL, evidence, "the case is closed; kept with the mail only")
        return Outcome.FILED, Reason.MACHINE_MAIL, ()
    arrival.file(target, is_of_thread=not is_from_outside)
    arrival.trace.decide(Reason.MACHINE_MAIL, evidence, f"filed on {reference(target.id)}, changes nothing")
    return Outcome.FILED, Reason.MACHINE_MAIL, (target.id,)


def named_by_machine(arrival: Arrival, found: NoMatch) -> Case | None:
    """The case that a machine's mail from outside answers; None when it is work of its own.

    Whatever In-Reply-To or References name, a machine at the other end has answered our mail: one mail address of many
    there is away, or another system has taken note. A number in the subject says that only in an auto-reply: any other
    machine may mean a number of its own.
    """
    classification = arrival.read.classification
    is_answer = found.by is not Reason.SUBJECT_TAG or classification.kind is Kind.AUTO_REPLY
    if found.named is None or not classification.machine_written or not is_answer:
        return None
    return arrival.workspace.case(found.named)


def file_agents_answer(arrival: Arrival, target: Case | None) -> Ending:
    """As a note, because From proves nothing; where the case is closed, it stays unhandled for somebody to look at."""
    author = arrival.read.author
    evidence = f"From: {author.key}" if author else "no From"
    if target is None:
        result = "the case is closed; kept unhandled, because an agent wanted something of it"
        arrival.trace.decide(Reason.AGENT_ON_CLOSED, evidence, result)
        return Outcome.UNHANDLED, Reason.AGENT_ON_CLOSED, ()
    is_proved = _is_proved(arrival)
    arrival.file(target)
    text = arrival.workspace.add_text(target.id, arrival.read.message.text)
    note = AddNote(at=arrival.moment(target), by=SYSTEM, text=text, is_unproved=not is_proved)
    arrival.workspace.decide(target.id, note)
    mark = "" if is_proved else ", marked: From unproved"
    arrival.trace.decide(Reason.AGENT_NOTE, evidence, f"filed as a note, changes no status{mark}")
    return Outcome.FILED, Reason.AGENT_NOTE, (target.id,)


def _is_proved(arrival: Arrival) -> bool:
    """True where our own server vouches for From, or the mail shows what only the agent has had from us: the reply
    address signed for him, or the Message-ID of a mail to him.
    """
    author = arrival.read.author
    person = arrival.book.agent(author.key) if author else None
    if author is None or person is None:
        return False
    authserv_id = arrival.mailbox.authserv_id if arrival.mailbox else None
    domain = author.key.rpartition("@")[2]
    if authserv_id and is_from_its_domain(arrival.read.claimed.raw, domain, authserv_id=authserv_id):
        return True
    if any(name.bound_to == person.id for name in arrival.read.clues.reply_addresses):
        return True
    sent = (arrival.workspace.known.sent.get(message_id) for message_id in arrival.read.thread_ids)
    return any(author.key in {address.lower() for address in mail.addresses} for mail in sent if mail is not None)
