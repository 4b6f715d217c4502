"""The two kinds of rule that the table is made of: a row moves the case on, a bar refuses.

A rule fits when the command is of its kind, the case in one of its statuses, and its guard holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Never, TypeVar, cast

from mailcase.core.case import Case, Status
from mailcase.core.commands import Command, OpenCase
from mailcase.core.process import Process
from mailcase.core.refusal import Reason
from mailcase.core.story import Story

C = TypeVar("C", bound=Command)

Guard = Callable[[Process, Case, C], bool]

EVERY_STATUS = frozenset(Status)
OPEN = frozenset({Status.TO_DO, Status.IN_PROGRESS})


def always(_process: Process, _case: Case, _command: Command) -> bool:
    """The guard of a rule without one."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the transition table, or a rule that changes the case within its status."""

    id: str
    command: type[object]
    origin: frozenset[Status]
    #: Where the case stands afterwards; None: where it stood.
    target: Status | None
    guard: Guard[Never]
    then: Callable[[Story, Never], None]

    def fits(self, process: Process, case: Case, command: Command) -> bool:
        """True when this row answers the command."""
        return _fits(self, process, case, command)

    def tell(self, story: Story, command: Command) -> None:
        """Carries the row out."""
        self.then(story, cast(Never, command))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One rule that refuses."""

    id: str
    command: type[object]
    origin: frozenset[Status]
    reason: Reason
    guard: Guard[Never]

    def fits(self, process: Process, case: Case, command: Command) -> bool:
        """True when this bar answers the command."""
        return _fits(self, process, case, command)


Rule = Row | Bar


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A row whose case does not exist before it."""

    id: str
    target: Status
    then: Callable[[Story, OpenCase], None]


def row(
    rule_id: str,
    command: type[C],
    origin: frozenset[Status] | Status,
    target: Status | None,
    then: Callable[[Story, C], None],
    guard: Guard[C] = always,
) -> Row:
    """A row whose guard and consequences take exactly its command."""
    return Row(id=rule_id, command=command, origin=_statuses(origin), target=target, guard=guard, then=then)


def bar(
    rule_id: str,
    command: type[C],
    origin: frozenset[Status] | Status,
    reason: Reason,
    guard: Guard[C] = always,
) -> Bar:
    """A bar whose guard takes exactly its command."""
    return Bar(id=rule_id, command=command, origin=_statuses(origin), reason=reason, guard=guard)


def _statuses(origin: frozenset[Status] | Status) -> frozenset[Status]:
    return frozenset({origin}) if isinstance(origin, Status) else origin


def _fits(rule: Rule, process: Process, case: Case, command: Command) -> bool:
    # The builders above tie the guard to the type of command by which the engine finds the rule: the cast only says so.
    return case.status in rule.origin and rule.guard(process, case, cast(Never, command))
