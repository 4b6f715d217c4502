"""A mail comes in: known already, or belongs to a case, or makes one, or is kept unhandled (docs/mail.md).

`MailHandler.handle` takes a batch of read mails through one look-up and one commit. `_settle` asks its questions in
order; the first that settles a mail wins, and each leaves its line in the trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mailcase.config.settings import Settings
from mailcase.core.case import SYSTEM, Case, CaseId, Link, LinkKind, Status, reference
from mailcase.core.commands import AddNote, LinkCase, MarkNew, ReceiveMail
from mailcase.core.refusal import Refused
from mailcase.handlers.address_book import AddressBook
from mailcase.handlers.arrival import Arrival
from mailcase.handlers.chronicle import log_mail
from mailcase.handlers.filing import Ending, file_agents_answer, file_machine_mail, named_by_machine, open_target
from mailcase.handlers.matching import Match, NoMatch, Seat, match
from mailcase.handlers.opening import continue_case, open_cases
from mailcase.handlers.read import ReadMail
from mailcase.handlers.reports import REPORT_REASONS, report_delivery
from mailcase.handlers.transaction import Transactions, again_on_conflict
from mailcase.mail.kind import Kind
from mailcase.store.port import Point
from mailcase.store.rows.cases import Role
from mailcase.store.rows.inbox import MailOutcome, Outcome, Reason
from mailcase.store.rows.lookup import Wanted

#: An agent who stands so on a case writes on it as any customer or supplier does.
_OUTSIDE_ROLES = frozenset({Role.REQUESTER, Role.THIRD_PARTY})
#: Of the ends on several cases, these are told only where there is no other, least of all a duplicate.
_LAST_TOLD = {Outcome.UNHANDLED: 1, Outcome.DUPLICATE: 2}

_SPLIT = (
    "One conversation, two open cases: mail that arrived inside the feedback window has reopened {reopened}, after "
    "later mail had already made {continuing}, which continues it."
)


class MailHandler:
    """Takes read mails to their outcome."""

    def __init__(self, transactions: Transactions, *, settings: Settings, book: AddressBook) -> None:
        self._transactions = transactions
        self._settings = settings
        self._book = book

    async def handle(self, batch: Sequence[ReadMail]) -> tuple[MailOutcome, ...]:
        """Settles every mail of the batch in one commit, in the order given.

        Raises:
            Conflict: other writers kept saving one of the cases; handle the batch again.
            PermanentError: a mail cannot be handled as things stand; handle the others singly and park it.
        """
        return await again_on_conflict(lambda: self._handle_once(batch))

    async def _handle_once(self, batch: Sequence[ReadMail]) -> tuple[MailOutcome, ...]:
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
    reported_cases: set[CaseId] = set()
    for read in batch:
        message_ids.update((read.message_id, *read.thread_ids))
        if read.bounce and read.bounce.original_message_id:
            message_ids.add(read.bounce.original_message_id)
        if read.returned_case is not None:
            reported_cases.add(read.returned_case)
        names = (*read.clues.reply_addresses, *read.clues.thread_names)
        case_ids.update((*(name.case_id for name in names), *read.clues.subject_tags))
        addresses.update(read.people_named)
        addresses.add((read.claimed.envelope_from or "").lower())
    return Wanted(
        message_ids=frozenset(message_ids),
        case_ids=frozenset(case_ids),
        addresses=frozenset(addresses),
        reported_cases=frozenset(reported_cases),
        fingerprints=frozenset(read.message.fingerprint for read in batch),
    )


def _settle(arrival: Arrival) -> MailOutcome:
    settled = _sent_by_us(arrival) or _taken_before(arrival) or report_delivery(arrival)
    if settled:
        return settled
    found = match(arrival)
    return _belongs(arrival, found) if isinstance(found, Match) else _starts_new(arrival, found)


def _sent_by_us(arrival: Arrival) -> MailOutcome | None:
    """EM-6. A Message-ID can be copied, so the sender must be one of our addresses too: nobody's mail is swallowed."""
    read = arrival.read
    sent = arrival.workspace.known.sent.get(read.message_id)
    has_our_mark = sent is not None or read.classification.kind is Kind.LOOP
    if not (has_our_mark and arrival.is_from_us):
        arrival.trace.add("own-mail", f"<{read.message_id}>", "not sent by us")
        return None
    arrival.trace.decide("own-mail", f"<{read.message_id}>", "sent by us")
    return arrival.end(Outcome.OWN, Reason.SENT_BY_US, (sent.case_id,) if sent else ())


def _taken_before(arrival: Arrival) -> MailOutcome | None:
    """EM-7 with L13 in place of its third rule: the same Message-ID with other content is another mail."""
    read, fingerprint = arrival.read, arrival.read.message.fingerprint
    taken = {unit.address: unit for unit in arrival.units_of_copies}
    if taken and all(address in taken for address in arrival.unit_addresses):
        first = next(iter(taken.values()))
        arrival.trace.decide("duplicate", f"fingerprint {fingerprint[:16]}", f"taken before as mail {first.mail_id}")
        return arrival.end(Outcome.DUPLICATE, Reason.SAME_CONTENT, arrival.cases_of_copies)
    is_reused = bool(arrival.workspace.known.seen.get(read.message_id, frozenset()) - {fingerprint})
    result = "another mail had this Message-ID; taken all the same" if is_reused else "not seen before"
    arrival.trace.add("duplicate", f"fingerprint {fingerprint[:16]}", result)
    return None


def _belongs(arrival: Arrival, found: Match) -> MailOutcome:
    """EM-9, EM-16: each case that the mail belongs to gets it, once."""
    by_match = arrival.trace.deciding
    endings: list[tuple[Ending, int | None]] = []
    for seat in found.seats:
        arrival.trace.deciding = by_match
        endings.append((_join(arrival, seat, found.reason), arrival.trace.deciding))
    case_ids = tuple(dict.fromkeys(case_id for (*_, ids), _ in endings for case_id in ids))
    if case_ids:
        _link_thread(arrival, case_ids[0], found.same_thread)
    # A copy that one case has already may be new to another, and what one closed case refuses another may take.
    (outcome, reason, _), arrival.trace.deciding = min(endings, key=lambda ended: _LAST_TOLD.get(ended[0][0], 0))
    return arrival.end(outcome, reason, case_ids)


def _join(arrival: Arrival, seat: Seat, reason: Reason) -> Ending:
    case = seat.case
    target = open_target(arrival, case)
    if target is not None and target.id in arrival.cases_of_copies:
        arrival.trace.decide("duplicate", reference(target.id), "has this mail already, by another copy of it")
        return Outcome.DUPLICATE, Reason.SAME_CONTENT, (target.id,)
    if arrival.read.classification.machine_written:
        return file_machine_mail(arrival, target)
    if arrival.is_from_agent and seat.role not in _OUTSIDE_ROLES:
        return file_agents_answer(arrival, target)
    if target is None:
        return _continue(arrival, seat, Reason.CLOSED_CASE)
    if _receive(arrival, target, seat.role) is not None:
        arrival.trace.add("window", reference(target.id), "arrived after the end of the feedback window")
        return _after_window(arrival, seat, target, reason)
    _take(arrival, target, seat)
    if target.status is Status.RESOLVED:
        _tell_of_split(arrival, target)
    return Outcome.APPENDED, reason, (target.id,)


def _after_window(arrival: Arrival, seat: Seat, resolved: Case, reason: Reason) -> Ending:
    """T28 is still to come, because older mail may be unread; for this mail the case is closed already (8.37)."""
    continuing = arrival.workspace.continued_by(resolved.id)
    if continuing is None:
        return _continue(arrival, replace(seat, case=resolved), Reason.WINDOW_OVER)
    arrival.trace.add("window", reference(resolved.id), f"continued by {reference(continuing.id)}")
    return _join(arrival, replace(seat, case=continuing), reason)


def _receive(arrival: Arrival, case: Case, role: Role) -> Refused | None:
    if role is Role.UNCONFIRMED:
        arrival.workspace.unconfirmed.add((case.id, arrival.read.id))
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


def _take(arrival: Arrival, case: Case, seat: Seat) -> None:
    address = case.address or ""
    arrival.cases.setdefault(address, case.id)
    arrival.remember(case.id, address=address, role_of_author=seat.role, brings_others=seat.brings_others)


def _tell_of_split(arrival: Arrival, reopened: Case) -> None:
    """Later mail of the thread was handled first and made a case of its own: both say so (docs/decisions/0009)."""
    workspace = arrival.workspace
    continuing = workspace.continued_by(reopened.id)
    if continuing is None:
        return
    words = _SPLIT.format(reopened=reference(reopened.id), continuing=reference(continuing.id))
    for case in (reopened, continuing):
        note = workspace.add_text(case.id, words)
        workspace.decide(case.id, AddNote(at=arrival.moment(case), by=SYSTEM, text=note))
    # The reopening shows itself; the other case is to be looked at again, unless it is new anyway or has been resolved.
    workspace.decide(continuing.id, MarkNew(at=arrival.moment(continuing), by=SYSTEM))
    arrival.trace.add("window", reference(reopened.id), f"reopened beside {reference(continuing.id)}")


def _continue(arrival: Arrival, seat: Seat, reason: Reason) -> Ending:
    closed = seat.case
    if seat.role is Role.UNCONFIRMED:
        # Somebody else's reply address proves too little for the people and mails of the old case (S2).
        strangers = open_cases(arrival, links=(Link(kind=LinkKind.STRANGER, other=closed.id),))
        return (Outcome.NEW_CASE, Reason.STRANGER, strangers) if strangers else (Outcome.UNHANDLED, Reason.NO_ROUTE, ())
    made = continue_case(arrival, seat)
    if made is None:
        return Outcome.UNHANDLED, Reason.NO_ROUTE, ()
    rule = "window" if reason is Reason.WINDOW_OVER else "closed-case"
    arrival.trace.decide(rule, reference(closed.id), f"continued by the new {reference(made)}")
    return Outcome.NEW_CASE, reason, (made,)


def _link_thread(arrival: Arrival, case_id: CaseId, others: Sequence[CaseId]) -> None:
    """Two cases turned out to be one thread; those that are linked already are known to be."""
    workspace = arrival.workspace
    for other_id in others:
        case, other = workspace.case(case_id), workspace.case(other_id)
        if case is None or other is None or _are_linked(case, other) or _is_continued_by(arrival, other, case):
            continue
        link = Link(kind=LinkKind.SAME_THREAD, other=other_id)
        workspace.decide(case_id, LinkCase(at=arrival.moment(case), by=SYSTEM, link=link))
        arrival.trace.add("same-thread", reference(other_id), f"linked to {reference(case_id)}")


def _are_linked(one: Case, other: Case) -> bool:
    return any(link.other == other.id for link in one.links) or any(link.other == one.id for link in other.links)


def _is_continued_by(arrival: Arrival, closed: Case, case: Case) -> bool:
    continuing = arrival.workspace.continued_by(closed.id)
    return continuing is not None and continuing.id == case.id


def _starts_new(arrival: Arrival, found: NoMatch) -> MailOutcome:
    """EM-29, EM-30, L16: no case that the sender may join."""
    if arrival.read.classification.kind in REPORT_REASONS or arrival.read.bounce is not None:
        arrival.trace.decide("bounce", "delivery report", "names no mail that we sent")
        return arrival.end(Outcome.UNHANDLED, Reason.BOUNCE_UNMATCHED)
    answered = named_by_machine(arrival, found)
    if answered is not None:
        return arrival.end(*file_machine_mail(arrival, open_target(arrival, answered), is_from_outside=True))
    links = (Link(kind=LinkKind.STRANGER, other=found.named),) if found.named is not None else ()
    made = open_cases(arrival, links=links)
    if made:
        return arrival.end(Outcome.NEW_CASE, Reason.STRANGER if links else Reason.ROUTED, made)
    reason = Reason.NO_ROUTE if arrival.read.our_addresses else Reason.NOT_ADDRESSED
    return arrival.end(Outcome.UNHANDLED, reason)
