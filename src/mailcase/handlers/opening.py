"""A mail makes a case: routes, one case per routed address, and the case that continues a closed one."""

from __future__ import annotations

from collections.abc import Iterator

from mailcase.core.case import SYSTEM, Case, CaseId, Link, LinkKind, Origin
from mailcase.core.commands import OpenCase
from mailcase.core.refusal import describe
from mailcase.core.routing import Routed, RoutingFacts, choose_route, choose_wildcard
from mailcase.errors import PermanentError
from mailcase.handlers.arrival import Arrival
from mailcase.handlers.matching import Seat
from mailcase.handlers.read import ReadMail
from mailcase.store.rows.cases import Party, Role

NO_SUBJECT = "(no subject)"
#: Whom a closed case hands on to the case that continues it (EM-25); an unconfirmed sender stays behind.
_HANDED_ON = frozenset({Role.SEEN, Role.THIRD_PARTY, Role.REQUESTER})


def open_cases(arrival: Arrival, *, links: tuple[Link, ...]) -> tuple[CaseId, ...]:
    """One case per address of ours that a route takes (EM-30), linked to each other and to those that another copy of
    the mail made at other addresses (L14); none when no route takes it."""
    siblings = arrival.cases_of_copies
    taken = {unit.address for unit in arrival.units_of_copies}
    may_acknowledge = _may_acknowledge(arrival)
    requester = arrival.author_party() if arrival.read.author is not None and not arrival.is_from_us else None
    made: list[CaseId] = []
    for address, routed in _routes(arrival):
        if address in taken:
            arrival.trace.add("route", address, "this mail was taken for that address before")
            continue
        to_siblings = tuple(Link(kind=LinkKind.SIBLING, other=case_id) for case_id in (*siblings, *made))
        acknowledge = may_acknowledge and routed.acknowledge
        may_acknowledge = may_acknowledge and not acknowledge
        case_links = (*links, *to_siblings)
        made.append(_open(arrival, address, routed, links=case_links, acknowledge=acknowledge, requester=requester))
    return tuple(made)


def continue_case(arrival: Arrival, seat: Seat) -> CaseId | None:
    """T30, EM-24, EM-25: one new case (8.37) with the people and mails of the old one, which stays as it is.

    Everybody is on it as on the old one, the requester included, whoever writes (docs/decisions/0009). `seat` is the
    sender's on the old one; only the requester is sent an acknowledgement, of his own mail.

    It is made where the old one was, if the mail came there too, else by the first route that takes it. Late mail is
    not turned away (L37): where no route takes it any more, the old case's own process does, unless that is retired.
    """
    closed = seat.case
    route = _route_of_continuation(arrival, closed)
    if route is None:
        return None
    address, routed = route
    links = (Link(kind=LinkKind.CONTINUES, other=closed.id),)
    is_requesters = seat.role is Role.REQUESTER
    acknowledge = is_requesters and routed.acknowledge and _may_acknowledge(arrival) and not arrival.cases
    workspace = arrival.workspace
    requester = workspace.party_of(closed.requester)
    case_id = _open(
        arrival,
        address,
        routed,
        links=links,
        acknowledge=acknowledge,
        requester=requester,
        role_of_author=seat.role,
        brings_others=seat.brings_others,
    )
    for participant, role_of_participant in workspace.roles(closed.id).items():
        party = workspace.party(participant)
        if party is not None and role_of_participant in _HANDED_ON:
            workspace.add_participant(case_id, party, role_of_participant)
    workspace.copy_mails(closed.id, case_id)
    return case_id


def _route_of_continuation(arrival: Arrival, closed: Case) -> tuple[str, Routed] | None:
    routes = dict(_routes(arrival))
    if closed.address in routes:
        return closed.address, routes[closed.address]
    if routes:
        return next(iter(routes.items()))
    process = arrival.settings.processes.get(closed.process)
    if closed.address is None or not arrival.book.is_own(closed.address) or process is None or process.is_retired:
        return None
    arrival.trace.decide("route", closed.address, f"the process of the closed case: {closed.process}")
    return closed.address, Routed(process=closed.process, acknowledge=True, by="the closed case")


def _routes(arrival: Arrival) -> Iterator[tuple[str, Routed]]:
    """Each of our addresses in the mail with the process it leads to."""
    mailbox = arrival.mailbox
    if mailbox is None:
        arrival.trace.decide("route", arrival.read.claimed.mailbox, "the mailbox is no longer configured")
        return
    facts = _routing_facts(arrival.read)
    primary = mailbox.addresses[0].address
    for address in arrival.read.our_addresses:
        routed = choose_route(
            mailbox.routes, address=address, is_primary=address == primary, fallback=mailbox.fallback, facts=facts
        )
        arrival.trace.decide("route", address, f"{routed.by}: {routed.process}" if routed else "no route takes it")
        if routed:
            yield address, routed
    if not arrival.read.our_addresses:
        wildcard = choose_wildcard(mailbox.routes, facts=facts)
        result = f"{wildcard.by}: {wildcard.process}" if wildcard else "none of our addresses is named in it"
        arrival.trace.decide("route", "To, Cc, envelope", result)
        if wildcard:
            yield primary, wildcard


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


def _open(
    arrival: Arrival,
    address: str,
    routed: Routed,
    *,
    links: tuple[Link, ...],
    acknowledge: bool,
    requester: Party | None,
    role_of_author: Role = Role.REQUESTER,
    brings_others: bool = True,
) -> CaseId:
    workspace, read = arrival.workspace, arrival.read
    case_id = workspace.new_case_id()
    arrival.cases[address] = case_id
    # Before the case itself, so that the acknowledgement can already name the mail it answers.
    arrival.remember(case_id, address=address, role_of_author=role_of_author, brings_others=brings_others)
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
            acknowledge=acknowledge,
            links=links,
        ),
    )
    if refused is not None:
        raise PermanentError(f"route to {routed.process}: {describe(refused, 'en')}")
    return case_id


def _may_acknowledge(arrival: Arrival) -> bool:
    """EM-71, EM-29, L14: nothing to machines, and one acknowledgement per mail, whatever addresses it came to."""
    return arrival.read.classification.may_answer and not arrival.cases_of_copies
