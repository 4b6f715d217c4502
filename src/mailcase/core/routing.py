"""Which process a new mail starts (EM-30...EM-34): routes top to bottom, wildcard routes, the fallback last."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mailcase.core.case import ProcessName


class ConditionField(StrEnum):
    """What a route may look at; never the body (EM-32)."""

    SENDER = "from"
    RECIPIENT = "recipients"
    SUBJECT = "subject"
    IMPORTANCE = "importance"
    ATTACHMENTS = "attachments"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition of a route; true when any of the values matches."""

    field: ConditionField
    #: Addresses or `*@domain`; words of the subject; high, normal, low; file endings without the dot. Lower case.
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Address and conditions lead to a process (EM-31: top to bottom, first whose every condition holds)."""

    #: One of the mailbox's addresses, or "*" for a wildcard route, which needs a sender condition (EM-33).
    to: str
    conditions: tuple[Condition, ...]
    process: ProcessName
    #: EM-35: send the acknowledgement.
    acknowledge: bool = True

    @property
    def is_wildcard(self) -> bool:
        """Matches whatever address the mail came to."""
        return self.to == "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingFacts:
    """What routes look at, all in lower case."""

    sender: str
    #: To, Cc and the known envelope.
    recipients: tuple[str, ...]
    subject: str
    #: high, normal or low.
    importance: str
    #: File names.
    attachments: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """The process a mail goes to, and why."""

    process: ProcessName
    acknowledge: bool
    #: "route 2", "wildcard route 3" or "fallback", for the trace.
    by: str


def choose_route(
    routes: tuple[Route, ...], *, address: str, is_primary: bool, fallback: ProcessName, facts: RoutingFacts
) -> Routed | None:
    """The first route for one of our addresses; None when nothing takes mail to it (EM-34: the fallback serves the
    primary address only)."""
    numbered = list(enumerate(routes, start=1))
    for number, route in numbered:
        if route.to == address and _holds(route, facts):
            return Routed(process=route.process, acknowledge=route.acknowledge, by=f"route {number}")
    for number, route in numbered:
        if route.is_wildcard and _holds(route, facts):
            return Routed(process=route.process, acknowledge=route.acknowledge, by=f"wildcard route {number}")
    return Routed(process=fallback, acknowledge=True, by="fallback") if is_primary else None


def choose_wildcard(routes: tuple[Route, ...], *, facts: RoutingFacts) -> Routed | None:
    """The first wildcard route for a mail in which no address of ours is named (EM-33: Bcc)."""
    for number, route in enumerate(routes, start=1):
        if route.is_wildcard and _holds(route, facts):
            return Routed(process=route.process, acknowledge=route.acknowledge, by=f"wildcard route {number}")
    return None


def _holds(route: Route, facts: RoutingFacts) -> bool:
    return all(_is_met(condition, facts) for condition in route.conditions)


def _is_met(condition: Condition, facts: RoutingFacts) -> bool:
    match condition.field:
        case ConditionField.SENDER:
            return any(_address_matches(pattern, facts.sender) for pattern in condition.values)
        case ConditionField.RECIPIENT:
            return any(_address_matches(pattern, to) for pattern in condition.values for to in facts.recipients)
        case ConditionField.SUBJECT:
            return any(_has_words(word, facts.subject) for word in condition.values)
        case ConditionField.IMPORTANCE:
            return facts.importance in condition.values
        case ConditionField.ATTACHMENTS:
            return any(name.endswith(f".{ending}") for ending in condition.values for name in facts.attachments)


def _address_matches(pattern: str, address: str) -> bool:
    if pattern.startswith("*@"):
        return address.endswith(pattern[1:])
    return address == pattern


def _has_words(words: str, subject: str) -> bool:
    """True when `words` stands in the subject on word boundaries: "invoice" does not match "invoiced"."""
    start = subject.find(words)
    while start >= 0:
        end = start + len(words)
        before, after = subject[start - 1 : start], subject[end : end + 1]
        if not before.isalnum() and not after.isalnum():
            return True
        start = subject.find(words, start + 1)
    return False
