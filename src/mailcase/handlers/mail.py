"""A mail comes in: known already, or belongs to a case, or makes one, or is kept unhandled (DESIGN 3, stations 5 to 7).

`MailHandler.handle` takes a batch of read mails through one look-up and one commit. `_settle` asks its questions in
order; the first that settles a mail wins, and each leaves its line in the trace.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailcase.config.settings import Settings
from mailcase.core.case import SYSTEM, Case, CaseId, Link, LinkKind, Status, reference
from mailcase.core.commands import AddNote, FileMail, ReceiveMail, ReportUndelivered
from mailcase.core.refusal import Refused
from mailcase.handlers.address_book import AddressBook
from mailcase.handlers.arrival import Arrival
from mailcase.handlers.chronicle import log_mail
from mailcase.handlers.matching import Match, NoMatch, match
from mailcase.handlers.opening import continue_case, open_cases
from mailcase.handlers.outcome import Reason
from mailcase.handlers.read import ReadMail
from mailcase.handlers.transaction import Transactions
from mailcase.mail.kind import Kind
from mailcase.store.port import MailOutcome, Outcome, Point, Wanted

#: How a mail ended on one case.
_Ending = tuple[Outcome, Reason, tuple[CaseId, ...]]
_REPORTS = frozenset({Kind.BOUNCE, Kind.DELAY})


class MailHandler:
    """Takes read mails to their outcome."""

    def __init__(self, transactions: Transactions, *, settings: Settings, book: AddressBook) -> None:
        self._transactions = transactions
        self._settings = settings
        self._book = book

    async def handle(self, batch: Sequence[ReadMail]) -> tuple[MailOutcome, ...]:
        """Settles every mail of the batch in one commit, in the order given.

        Raises:
            Conflict: another writer saved one of the cases; handle the batch again.
            PermanentError: a mail cannot be handled as things stand; handle the others singly and park it.
        """
        monotonic = self._transactions.clock.monotonic
        started = monotonic()
        workspace = await self._transactions.begin(_wanted(batch))
        for read in batch:
            workspace.add_mail(read)
            arrival = Arrival(settings=self._settings, book=self._book, workspace=workspace, read=read)
            workspace.add_outcome(_settle(arrival))
        await self._transactions.commit(Point.SAVE_MAIL, workspace)
        duration_ms = (monotonic() - started) * 1000 / len(batch)
        for outcome, read in zip(workspace.outcomes, batch, strict=True):
            log_mail(outcome, read, duration_ms=duration_ms)
        return workspace.outcomes


def _wanted(batch: Sequence[ReadMail]) -> Wanted:
    """Everything that settling the batch may ask for, in one look-up."""
    message_ids: set[str] = set()
    case_ids: set[CaseId] = set()
    addresses: set[str] = set()
    for read in batch:
        message_ids.update((read.message_id, *read.thread_ids))
        if read.bounce and read.bounce.original_message_id:
            message_ids.add(read.bounce.original_message_id)
        names = (*read.clues.reply_addresses, *read.clues.thread_names)
        case_ids.update((*(name.case_id for name in names), *read.clues.subject_tags))
        addresses.update(read.people_named)
        addresses.add((read.claimed.envelope_from or "").lower())
    return Wanted(
        message_ids=frozenset(message_ids),
        case_ids=frozenset(case_ids),
        addresses=frozenset(addresses),
        fingerprints=frozenset(read.message.fingerprint for read in batch),
    )


def _settle(arrival: Arrival) -> MailOutcome:
    settled = _sent_by_us(arrival) or _taken_before(arrival) or _reports_delivery(arrival)
    if settled:
        return settled
    found = match(arrival.read, arrival.workspace, arrival.book, arrival.trace)
    return _belongs(arrival, found) if isinstance(found, Match) else _starts_new(arrival, found)


def _sent_by_us(arrival: Arrival) -> MailOutcome | None:
    """EM-6. A Message-ID can be copied, so the sender must be one of our addresses too: nobody's mail is swallowed."""
    read = arrival.read
    sent = arrival.workspace.known.sent.get(read.message_id)
    has_our_mark = sent is not None or read.classification.kind is Kind.LOOP
    if not (has_our_mark and arrival.is_from_us):
        arrival.trace.add("own-mail", f"<{read.message_id}>", "not sent by us")
        return None
    arrival.trace.add("own-mail", f"<{read.message_id}>", "sent by us")
    return arrival.end(Outcome.OWN, Reason.SENT_BY_US, (sent.case_id,) if sent else ())


def _taken_before(arrival: Arrival) -> MailOutcome | None:
    """EM-7 with L13 in place of its third rule: the same Message-ID with other content is another mail."""
    read, fingerprint = arrival.read, arrival.read.message.fingerprint
    taken = {unit.address: unit for unit in arrival.workspace.taken(fingerprint) if unit.mail_id != read.id}
    if taken and all(address in taken for address in read.our_addresses or ("",)):
        first = next(iter(taken.values()))
        arrival.trace.add("duplicate", f"fingerprint {fingerprint[:16]}", f"taken before as mail {first.mail_id}")
        case_ids = tuple(dict.fromkeys(unit.case_id for unit in taken.values() if unit.case_id is not None))
        return arrival.end(Outcome.DUPLICATE, Reason.SAME_CONTENT, case_ids)
    is_reused = bool(arrival.workspace.known.seen.get(read.message_id, frozenset()) - {fingerprint})
    result = "another mail had this Message-ID; taken all the same" if is_reused else "not seen before"
    arrival.trace.add("duplicate", f"fingerprint {fingerprint[:16]}", result)
    return None


def _reports_delivery(arrival: Arrival) -> MailOutcome | None:
    """A bounce or delay notice that names a mail of ours (T31, L33). Others go the way of any mail."""
    kind, bounce = arrival.read.classification.kind, arrival.read.bounce
    if kind not in _REPORTS or bounce is None:
        return None
    workspace = arrival.workspace
    sent = workspace.known.sent.get(bounce.original_message_id or "")
    case = workspace.case(sent.case_id) if sent else None
    if sent is None or case is None:
        return None
    arrival.trace.add("bounce", f"<{bounce.original_message_id}>", f"our mail on {reference(case.id)}")
    is_open = case.status is not Status.CLOSED
    if is_open:
        _file(arrival, case)
    requester = workspace.party_of(case.requester)
    failed = {recipient.address.lower() for recipient in bounce.recipients if recipient.is_permanent}
    if requester and requester.address in failed and requester.address in sent.addresses:
        arrival.trace.add("bounce", requester.address, "the requester cannot be reached")
        workspace.decide(case.id, ReportUndelivered(at=arrival.moment(case), by=SYSTEM, mail=sent.id))
    reason = Reason.BOUNCE_OF_OURS if kind is Kind.BOUNCE else Reason.DELAY_OF_OURS
    return arrival.end(Outcome.FILED, reason, (case.id,) if is_open else ())


def _belongs(arrival: Arrival, found: Match) -> MailOutcome:
    """EM-9, EM-16: each case that the mail belongs to gets it."""
    endings = [_join(arrival, case, found) for case in found.cases]
    outcome, reason, _ = endings[0]
    return arrival.end(outcome, reason, tuple(dict.fromkeys(case_id for *_, ids in endings for case_id in ids)))


def _join(arrival: Arrival, case: Case, found: Match) -> _Ending:
    target = _open_target(arrival, case)
    if arrival.read.classification.machine_written:
        if target is None:
            arrival.trace.add("machine-mail", reference(case.id), "the case is closed: kept with the mail only")
            return Outcome.FILED, Reason.MACHINE_MAIL, ()
        _file(arrival, target)
        arrival.trace.add("machine-mail", ", ".join(arrival.read.classification.evidence), "filed, changes nothing")
        return Outcome.FILED, Reason.MACHINE_MAIL, (target.id,)
    if target is None:
        return _continue(arrival, case, Reason.CLOSED_CASE)
    if arrival.is_from_agent:
        _file_as_note(arrival, target)
        return Outcome.FILED, Reason.AGENT_NOTE, (target.id,)
    refused = _receive(arrival, target)
    if refused is not None:
        arrival.trace.add("window", reference(target.id), "arrived after the end of the feedback window")
        return _continue(arrival, target, Reason.WINDOW_OVER)
    arrival.remember(target.id, address=target.address or "", role_of_author=found.role)
    return Outcome.APPENDED, found.reason, (target.id,)


def _open_target(arrival: Arrival, case: Case) -> Case | None:
    """The case itself, or the one that continues it when it is closed (8.37); None when there is none."""
    target: Case | None = case
    while target is not None and target.status is Status.CLOSED:
        continuing = arrival.workspace.continued_by(target.id)
        result = f"continued by {reference(continuing.id)}" if continuing else "a mail to it makes a new case"
        arrival.trace.add("closed-case", reference(target.id), result)
        target = continuing
    return target


def _receive(arrival: Arrival, case: Case) -> Refused | None:
    return arrival.workspace.decide(
        case.id,
        ReceiveMail(
            at=arrival.moment(case),
            by=SYSTEM,
            mail=arrival.read.id,
            party=arrival.author_party().id,
            mailbox=arrival.read.claimed.mailbox,
            arrived_at=arrival.read.claimed.arrived_at,
        ),
    )


def _file(arrival: Arrival, case: Case) -> None:
    arrival.workspace.decide(
        case.id,
        FileMail(at=arrival.moment(case), by=SYSTEM, mail=arrival.read.id, mailbox=arrival.read.claimed.mailbox),
    )
    arrival.anchor(case.id, address=case.address or "")


def _file_as_note(arrival: Arrival, case: Case) -> None:
    """An agent's mailed answer: on the record, to nobody else; From proves nothing."""
    _file(arrival, case)
    text = arrival.workspace.add_text(case.id, arrival.read.message.text)
    arrival.workspace.decide(case.id, AddNote(at=arrival.moment(case), by=SYSTEM, text=text))
    arrival.trace.add("agent-note", reference(case.id), "an agent's mail is filed as a note and changes no status")


def _continue(arrival: Arrival, closed: Case, reason: Reason) -> _Ending:
    made = continue_case(arrival, closed)
    return (Outcome.NEW_CASE, reason, made) if made else (Outcome.UNHANDLED, Reason.NO_ROUTE, ())


def _starts_new(arrival: Arrival, found: NoMatch) -> MailOutcome:
    """EM-29, EM-30, L16: no case that the sender may join."""
    if arrival.read.classification.kind in _REPORTS:
        arrival.trace.add("bounce", "delivery report", "names no mail that we sent")
        return arrival.end(Outcome.UNHANDLED, Reason.BOUNCE_UNMATCHED)
    links = (Link(kind=LinkKind.STRANGER, other=found.named),) if found.named is not None else ()
    made = open_cases(arrival, links=links)
    if made:
        return arrival.end(Outcome.NEW_CASE, Reason.STRANGER if links else Reason.ROUTED, made)
    reason = Reason.NO_ROUTE if arrival.read.our_addresses else Reason.NOT_ADDRESSED
    return arrival.end(Outcome.UNHANDLED, reason)
