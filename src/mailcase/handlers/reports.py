"""A delivery report about a mail of ours: filed on its case, which hears of it when its requester cannot be reached.

Our mail is known by its Message-ID; where a provider has put its own in its place, by our signed case id in the
References of what came back, and then by the recipient (L33).
"""

from __future__ import annotations

from mailcase.core.case import SYSTEM, Case, Status, reference
from mailcase.core.commands import ReportUndelivered
from mailcase.handlers.arrival import Arrival
from mailcase.mail.classify import may_be_from_a_mail_system
from mailcase.mail.kind import Bounce, Kind
from mailcase.store.rows.inbox import MailOutcome, Outcome, Reason
from mailcase.store.rows.lookup import SentMail

#: Kinds of delivery report, with the reason that they are filed by.
REPORT_REASONS = {Kind.BOUNCE: Reason.BOUNCE_OF_OURS, Kind.DELAY: Reason.DELAY_OF_OURS}


def report_delivery(arrival: Arrival) -> MailOutcome | None:
    """Settles a delivery report that names a mail of ours (T31). None for other mail, which goes the way of any."""
    bounce = arrival.read.bounce
    if bounce is None:
        return None
    case, sent, evidence = _by_message_id(arrival, bounce) or _by_case_id(arrival, bounce)
    if case is None:
        return None
    arrival.trace.decide("bounce", evidence, f"our mail on {reference(case.id)}")
    is_open = case.status is not Status.CLOSED
    if is_open:
        arrival.file(case)
    if sent is not None:
        _tell_case(arrival, case, sent, bounce)
    reason = REPORT_REASONS.get(arrival.read.classification.kind, Reason.MACHINE_MAIL)
    return arrival.end(Outcome.FILED, reason, (case.id,) if is_open else ())


#: The case, our mail where it is known, and by what.
_Found = tuple[Case | None, SentMail | None, str]


def _by_message_id(arrival: Arrival, bounce: Bounce) -> _Found | None:
    sent = arrival.workspace.known.sent.get(bounce.original_message_id or "")
    case = arrival.workspace.case(sent.case_id) if sent else None
    return (case, sent, f"<{bounce.original_message_id}>") if case is not None else None


def _by_case_id(arrival: Arrival, bounce: Bounce) -> _Found:
    case_id = arrival.read.returned_case
    case = arrival.workspace.case(case_id) if case_id is not None else None
    if case is None:
        return None, None, ""
    failed = {recipient.address.lower() for recipient in bounce.recipients}
    newest = arrival.workspace.known.sent_to.get(case.id, ())
    sent = next((mail for mail in newest if failed.intersection(mail.addresses)), None)
    return case, sent, f"our signed case id for {reference(case.id)} in what came back"


def _tell_case(arrival: Arrival, case: Case, sent: SentMail, bounce: Bounce) -> None:
    """Only the requester matters to the case, and only what a mail system says."""
    requester = arrival.workspace.party_of(case.requester)
    failed = {recipient.address.lower() for recipient in bounce.recipients if recipient.is_permanent}
    is_believed = may_be_from_a_mail_system(arrival.read.message, arrival.read.claimed.envelope_from)
    if requester and is_believed and requester.address in failed and requester.address in sent.addresses:
        arrival.trace.decide("bounce", requester.address, "the requester cannot be reached")
        arrival.workspace.decide(case.id, ReportUndelivered(at=arrival.moment(case), by=SYSTEM, mail=sent.id))
