"""A mail makes a case: routes, one case per routed address, and the case that continues a closed one."""

from __future__ import annotations

from mailcase.core.case import SYSTEM, Case, CaseId, Link, LinkKind, Origin
from mailcase.core.commands import OpenCase
from mailcase.core.refusal import describe
from mailcase.core.routing import Routed, RoutingFacts, choose_route, choose_wildcard
from mailcase.errors import PermanentError
from mailcase.handlers.arrival import Arrival
from mailcase.handlers.read import ReadMail
from mailcase.store.port import Role, Taken

NO_SUBJECT = "(no subject)"
#: What a closed case hands on to the case that continues it (EM-25).
_COPIED_ROLES = frozenset({Role.SEEN, Role.THIRD_PARTY, Role.REQUESTER})


def open_cases(arrival: Arrival, *, links: tuple[Link, ...]) -> tuple[CaseId, ...]:
    """One case per address of ours that a route takes (EM-30); none when no route does."""
    made: list[CaseId] = []
    taken = {unit.address for unit in _taken_by_others(arrival)}
    for address, routed in _routes(arrival):
        if address in taken:
            arrival.trace.add("route", address, "this mail was taken for that address before")
            continue
        siblings = tuple(Link(kind=LinkKind.SIBLING, other=case_id) for case_id in made)
        made.append(_open(arrival, address, routed, links=(*links, *siblings), is_first=not made))
    return tuple(made)


def continue_case(arrival: Arrival, closed: Case) -> tuple[CaseId, ...]:
    """T30, EM-24, EM-25: new cases with the people and mails of the old one, which stays as it is."""
    made = open_cases(arrival, links=(Link(kind=LinkKind.CONTINUES, other=closed.id),))
    workspace = arrival.workspace
    for case_id in made:
        for address, role in workspace.roles(closed.id).items():
            party = workspace.party(address) or workspace.party_at(closed.id, address)
            if party is not None and role in _COPIED_ROLES:
                workspace.add_participant(case_id, party, Role.SEEN if role is Role.REQUESTER else role)
        workspace.copy_mails(closed.id, case_id)
    return made


def _routes(arrival: Arrival) -> list[tuple[str, Routed]]:
    """Each of our addresses in the mail with the process it leads to."""
    mailbox = arrival.mailbox
    if mailbox is None:
        arrival.trace.add("route", arrival.read.claimed.mailbox, "the mailbox is no longer configured")
        return []
    facts = _routing_facts(arrival.read)
    primary = mailbox.addresses[0].address
    found: list[tuple[str, Routed]] = []
    for address in arrival.read.our_addresses:
        routed = choose_route(
            mailbox.routes, address=address, is_primary=address == primary, fallback=mailbox.fallback, facts=facts
        )
        arrival.trace.add("route", address, f"{routed.by}: {routed.process}" if routed else "no route takes it")
        if routed:
            found.append((address, routed))
    if not arrival.read.our_addresses:
        wildcard = choose_wildcard(mailbox.routes, facts=facts)
        result = f"{wildcard.by}: {wildcard.process}" if wildcard else "none of our addresses is named in it"
        arrival.trace.add("route", "To, Cc, envelope", result)
        if wildcard:
            found.append((primary, wildcard))
    return found


def _routing_facts(read: ReadMail) -> RoutingFacts:
    author = read.author
    recipients = (*read.message.to, *read.message.cc)
    return RoutingFacts(
        sender=author.key if author else "",
        recipients=(*(recipient.key for recipient in recipients), *read.our_addresses),
        subject=read.message.subject.lower(),
        importance=read.message.importance,
        attachments=tuple(attachment.name.lower() for attachment in read.message.attachments),
    )


def _open(arrival: Arrival, address: str, routed: Routed, *, links: tuple[Link, ...], is_first: bool) -> CaseId:
    workspace, read = arrival.workspace, arrival.read
    case_id = workspace.new_case_id()
    requester = arrival.author_party() if read.author is not None and not arrival.is_from_us else None
    # Before the case itself, so that the acknowledgement can already name the mail it answers.
    arrival.remember(case_id, address=address, role_of_author=Role.REQUESTER)
    refused = workspace.open_case(
        routed.process,
        OpenCase(
            at=min(read.claimed.arrived_at, workspace.now),
            by=SYSTEM,
            case_id=case_id,
            origin=Origin.EMAIL,
            subject=workspace.add_text(case_id, read.message.subject or NO_SUBJECT),
            requester=requester.id if requester else None,
            mail=read.id,
            mailbox=read.claimed.mailbox,
            address=address,
            acknowledge=is_first and _may_acknowledge(arrival, routed),
            links=links,
        ),
    )
    if refused is not None:
        raise PermanentError(f"route to {routed.process}: {describe(refused, 'en')}")
    return case_id


def _may_acknowledge(arrival: Arrival, routed: Routed) -> bool:
    """EM-71, EM-29, L14: nothing to machines, and one acknowledgement per mail, whatever addresses it came to."""
    was_acknowledged = any(unit.case_id for unit in _taken_by_others(arrival))
    return routed.acknowledge and arrival.read.classification.may_answer and not was_acknowledged


def _taken_by_others(arrival: Arrival) -> list[Taken]:
    """Units that another row took; those of this row are its own earlier try."""
    return [
        unit for unit in arrival.workspace.taken(arrival.read.message.fingerprint) if unit.mail_id != arrival.read.id
    ]
