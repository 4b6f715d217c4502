"""Which cases does a mail belong to, and may its sender join them? (docs/mail.md, "Who may join")

Order of evidence: signed reply addresses, In-Reply-To, References nearest first (our signed case id among them), an
earlier mail that named this one as its ancestor, a subject tag. Each piece of evidence is tried until one leads to a
case that the sender may join; a case that was named but may not be joined is remembered, because the new case will be
linked to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mailcase.core.case import Case, CaseId, reference
from mailcase.handlers.arrival import Arrival
from mailcase.mail.clues import Clues
from mailcase.store.rows.cases import Anchor, Role
from mailcase.store.rows.inbox import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A case that the mail belongs to, and how its sender stands on it from now on."""

    case: Case
    role: Role
    #: False where the evidence can be guessed: then the people in To and Cc get no seat by it.
    brings_others: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The cases that a mail belongs to, and by what evidence."""

    #: Mostly one; several where it names several (EM-16), or answers siblings (EM-30).
    seats: tuple[Seat, ...]
    reason: Reason
    #: Other cases, open to the sender too, that the mail's ancestors belong to: they are one thread with this.
    same_thread: tuple[CaseId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoMatch:
    """No case that the sender may join; `named` is the first that the mail named all the same, and `by` what."""

    named: CaseId | None
    by: Reason | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A case that some evidence leads to."""

    case_id: CaseId
    #: A valid signature for that case: anyone may join.
    is_signed: bool = False
    #: The person or party that a signed address was made for.
    bound_to: str | None = None
    #: A number that anybody may write.
    is_guessable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evidence:
    reason: Reason
    #: What was found, for the trace.
    found: str
    candidates: tuple[_Candidate, ...]


def match(arrival: Arrival) -> Match | NoMatch:
    """Tries each piece of evidence in order; every step goes into the trace."""
    trace = arrival.trace
    for bad in arrival.read.clues.bad_signatures:
        trace.add("signature", f"signed name for {reference(bad.case_id)}", f"not valid: {bad.reason}")
    named: CaseId | None = None
    by: Reason | None = None
    for evidence in _evidence(arrival):
        cases = [case for each in evidence.candidates if (case := arrival.workspace.case(each.case_id)) is not None]
        if not cases:
            trace.add(evidence.reason, evidence.found, "no such case")
            continue
        seats = tuple(seat for each in evidence.candidates if (seat := _seat(arrival, each)) is not None)
        if not seats:
            trace.add(evidence.reason, evidence.found, f"names {_names(cases)}, but the sender may not join it")
            if named is None:
                named, by = cases[0].id, evidence.reason
            continue
        seats = (*seats, *_at_other_addresses(arrival, seats))
        trace.decide(evidence.reason, evidence.found, f"belongs to {_names([seat.case for seat in seats])}")
        return Match(seats=seats, reason=evidence.reason, same_thread=_same_thread(arrival, seats))
    if more := arrival.read.clues.more_subject_tags:
        trace.add(Reason.SUBJECT_TAG, "", f"{more} more tags in the subject, not looked at")
    return NoMatch(named=named, by=by)


def _names(cases: list[Case]) -> str:
    return ", ".join(reference(case.id) for case in cases)


# ---- what the mail says ----------------------------------------------------------------------------------------------


def _evidence(arrival: Arrival) -> Iterator[_Evidence]:
    clues = arrival.read.clues
    yield from _signed_addresses(clues)
    for message_id in clues.in_reply_to:
        yield _ancestor(arrival, Reason.IN_REPLY_TO, message_id)
    for name in clues.thread_names:
        found = f"our signed case id for {reference(name.case_id)}"
        yield _Evidence(reason=Reason.REFERENCES, found=found, candidates=(_Candidate(case_id=name.case_id),))
    for message_id in clues.references:
        yield _ancestor(arrival, Reason.REFERENCES, message_id)
    yield from _named_before(arrival)
    for case_id in clues.subject_tags:
        candidates = (_Candidate(case_id=case_id, is_guessable=True),)
        yield _Evidence(reason=Reason.SUBJECT_TAG, found=f"[{reference(case_id)}]", candidates=candidates)


def _signed_addresses(clues: Clues) -> Iterator[_Evidence]:
    """EM-16: a mail to several signed addresses belongs to each of their cases."""
    names = clues.reply_addresses
    if names:
        yield _Evidence(
            reason=Reason.REPLY_ADDRESS,
            found="signed address for " + ", ".join(reference(name.case_id) for name in names),
            candidates=tuple(
                _Candidate(case_id=name.case_id, is_signed=True, bound_to=name.bound_to) for name in names
            ),
        )


def _ancestor(arrival: Arrival, reason: Reason, message_id: str) -> _Evidence:
    return _Evidence(
        reason=reason, found=f"<{message_id}>", candidates=_tied_by_address(arrival, arrival.anchors(message_id))
    )


def _named_before(arrival: Arrival) -> Iterator[_Evidence]:
    """L18 the other way round: the mail comes after one that named it as its ancestor."""
    promised = _promised(arrival)
    if promised:
        found = f"an earlier mail names <{arrival.read.message_id}>"
        yield _Evidence(reason=Reason.NAMED_BEFORE, found=found, candidates=_tied_by_address(arrival, promised))


def _promised(arrival: Arrival) -> tuple[Anchor, ...]:
    """Anchors of the mail's own id that wait for it. One that is seen belongs to another mail of the same id (L13)."""
    return tuple(anchor for anchor in arrival.anchors(arrival.read.message_id) if not anchor.is_seen)


def _tied_by_address(arrival: Arrival, anchors: tuple[Anchor, ...]) -> tuple[_Candidate, ...]:
    """Of the cases behind one Message-ID those whose address is among the mail's (EM-10); when the conversation has
    moved to another address of ours, the first (L20)."""
    by_address = tuple(anchor for anchor in anchors if anchor.address in arrival.read.our_addresses)
    case_ids = dict.fromkeys(anchor.case_id for anchor in by_address or anchors[:1])
    return tuple(_Candidate(case_id=case_id) for case_id in case_ids)


# ---- who may join ----------------------------------------------------------------------------------------------------


def _seat(arrival: Arrival, candidate: _Candidate) -> Seat | None:
    """None when there is no such case, or the sender may not join it."""
    case = arrival.workspace.case(candidate.case_id)
    role = _role_of_sender(arrival, case, candidate) if case is not None else None
    if case is None or role is None:
        return None
    return Seat(case=case, role=role, brings_others=not candidate.is_guessable)


def _role_of_sender(arrival: Arrival, case: Case, candidate: _Candidate) -> Role | None:
    author = arrival.read.author
    if author is None:
        return Role.UNCONFIRMED if candidate.is_signed else None
    present = arrival.workspace.role(case.id, author.key)
    if arrival.book.agent(author.key) is not None:
        return present or Role.SEEN
    if not candidate.is_signed:
        # Whoever came by somebody else's address comes by it again, or not at all.
        return None if present is Role.UNCONFIRMED else present
    if candidate.bound_to is not None:
        # An agent's own reply address in somebody else's hands proves less.
        return present or Role.UNCONFIRMED
    # The case's own address proves as much for him who came by an agent's before.
    return Role.SEEN if present in (None, Role.UNCONFIRMED) else present


# ---- what else the thread leads to -----------------------------------------------------------------------------------


def _at_other_addresses(arrival: Arrival, seats: tuple[Seat, ...]) -> Iterator[Seat]:
    """EM-10, L14: one seat for each further address of ours in the mail at which the thread has a case of its own, so
    that an answer to siblings reaches each of them, whichever evidence named the first."""
    served = {seat.case.address for seat in seats}
    for message_id in arrival.read.thread_ids:
        for anchor in arrival.anchors(message_id):
            if anchor.address in arrival.read.our_addresses and anchor.address not in served:
                seat = _seat(arrival, _Candidate(case_id=anchor.case_id))
                if seat is not None:
                    served.add(anchor.address)
                    yield seat


def _same_thread(arrival: Arrival, seats: tuple[Seat, ...]) -> tuple[CaseId, ...]:
    joined = {seat.case.id for seat in seats}
    ancestors = (anchor for message_id in arrival.read.thread_ids for anchor in arrival.anchors(message_id))
    others = dict.fromkeys(anchor.case_id for anchor in (*_promised(arrival), *ancestors))
    return tuple(
        case_id
        for case_id in others
        if case_id not in joined and _seat(arrival, _Candidate(case_id=case_id)) is not None
    )
