"""Which case does a mail belong to, and may its sender join it? (DESIGN 5 and 8, "Who may join")

Order of evidence: a signed reply address, In-Reply-To, References nearest first (our signed case id among them), a
subject tag. Each piece of evidence is tried until one leads to a case that the sender may join; a case that was named
but may not be joined is remembered, because the new case will be linked to it.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailcase.core.case import Case, CaseId, reference
from mailcase.handlers.address_book import AddressBook
from mailcase.handlers.outcome import Reason, Trace
from mailcase.handlers.read import ReadMail
from mailcase.handlers.workspace import Workspace
from mailcase.store.port import Anchor, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The cases that a mail belongs to, and by what evidence."""

    #: One case, or the siblings that one mail made (EM-30).
    cases: tuple[Case, ...]
    reason: Reason
    #: How the sender stands on the case from now on.
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class NoMatch:
    """No case that the sender may join; `named` is the first that the mail named all the same."""

    named: CaseId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evidence:
    reason: Reason
    #: What was found, for the trace.
    found: str
    case_ids: tuple[CaseId, ...]
    #: A valid signature for that case: anyone may join.
    is_signed: bool = False
    #: The person or party that a signed address was made for.
    bound_to: str | None = None


def match(read: ReadMail, workspace: Workspace, book: AddressBook, trace: Trace) -> Match | NoMatch:
    """Tries each piece of evidence in order; every step goes into the trace."""
    for bad in read.clues.bad_signatures:
        trace.add("reply-address", f"signed name for {reference(bad.case_id)}", f"not valid: {bad.reason}")
    named: CaseId | None = None
    for evidence in _evidence(read, workspace):
        cases = tuple(case for case_id in evidence.case_ids if (case := workspace.case(case_id)) is not None)
        if not cases:
            trace.add(evidence.reason, evidence.found, "no such case")
            continue
        role = _role_of_sender(read, workspace, book, cases[0], evidence)
        references = ", ".join(reference(case.id) for case in cases)
        if role is None:
            trace.add(evidence.reason, evidence.found, f"names {references}, but the sender may not join it")
            named = named or cases[0].id
            continue
        trace.add(evidence.reason, evidence.found, f"belongs to {references}")
        return Match(cases=cases, reason=evidence.reason, role=role)
    return NoMatch(named=named)


def _evidence(read: ReadMail, workspace: Workspace) -> list[_Evidence]:
    clues = read.clues
    found = [
        _Evidence(
            reason=Reason.REPLY_ADDRESS,
            found=f"signed address for {reference(name.case_id)}",
            case_ids=(name.case_id,),
            is_signed=True,
            bound_to=name.bound_to,
        )
        for name in clues.reply_addresses
    ]
    found += [_by_message_id(Reason.IN_REPLY_TO, named, read, workspace) for named in clues.in_reply_to]
    found += [
        _Evidence(
            reason=Reason.REFERENCES,
            found=f"our signed case id for {reference(name.case_id)}",
            case_ids=(name.case_id,),
        )
        for name in clues.thread_names
    ]
    found += [_by_message_id(Reason.REFERENCES, named, read, workspace) for named in clues.references]
    found += [
        _Evidence(reason=Reason.SUBJECT_TAG, found=f"[{reference(case_id)}]", case_ids=(case_id,))
        for case_id in clues.subject_tags
    ]
    return found


def _by_message_id(reason: Reason, named: str, read: ReadMail, workspace: Workspace) -> _Evidence:
    anchors = workspace.anchors(named)
    return _Evidence(reason=reason, found=f"<{named}>", case_ids=_tied_by_address(anchors, read))


def _tied_by_address(anchors: tuple[Anchor, ...], read: ReadMail) -> tuple[CaseId, ...]:
    """Of the cases behind one Message-ID those whose address is among the mail's (EM-10); when the conversation has
    moved to another address of ours, the first (L20)."""
    by_address = tuple(anchor.case_id for anchor in anchors if anchor.address in read.our_addresses)
    chosen = by_address or tuple(anchor.case_id for anchor in anchors[:1])
    return tuple(dict.fromkeys(chosen))


def _role_of_sender(
    read: ReadMail, workspace: Workspace, book: AddressBook, case: Case, evidence: _Evidence
) -> Role | None:
    """How the sender would be on the case; None when he may not join it."""
    author = read.author
    if author is None:
        return Role.UNCONFIRMED if evidence.is_signed else None
    present = workspace.role(case.id, author.key)
    if book.agent(author.key) is not None:
        return present or Role.SEEN
    if not evidence.is_signed:
        return present
    # An agent's own reply address in somebody else's hands proves less.
    return present or (Role.UNCONFIRMED if evidence.bound_to is not None else Role.SEEN)
