"""A person asks something of a case: load, decide, save, in one transaction; a refusal changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mailcase.core.case import Case, CaseId, ProcessName, reference
from mailcase.core.commands import Command, OpenCase
from mailcase.core.refusal import Refused, describe
from mailcase.errors import CommandRefused
from mailcase.handlers.chronicle import log_refusal
from mailcase.handlers.transaction import Transactions, again_on_conflict
from mailcase.handlers.workspace import Workspace
from mailcase.store.port import Point
from mailcase.store.rows.lookup import Wanted

#: Makes the commands of one operation, one after the other: the second sees the case as the first left it.
Plan = Callable[[Workspace, Case], Iterable[Command]]
#: Makes the command that opens a case of that number.
Opening = Callable[[Workspace, CaseId], OpenCase]


class CommandHandler:
    """Carries out what people ask for."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def run(self, case_id: CaseId, plan: Plan, *, language: str, addresses: frozenset[str] = frozenset()) -> None:
        """Runs all commands of the plan in one commit, or none of them.

        Raises:
            CommandRefused: there is no such case, or a rule does not allow a command; says what is allowed.
            Conflict: the case kept changing; try again.
        """
        await again_on_conflict(lambda: self._run_once(case_id, plan, language=language, addresses=addresses))

    async def _run_once(self, case_id: CaseId, plan: Plan, *, language: str, addresses: frozenset[str]) -> None:
        workspace = await self._transactions.begin(Wanted(case_ids=frozenset({case_id}), addresses=addresses))
        _carry_out(workspace, case_id, plan, language=language)
        await self._transactions.commit(Point.COMMAND, workspace)

    async def open(
        self, process: ProcessName, opening: Opening, *, then: Plan, language: str, addresses: frozenset[str]
    ) -> CaseId:
        """Makes a new case by hand (T1), runs a plan on it in the same commit, and gives its number.

        Raises:
            CommandRefused: the process starts no new cases.
            Conflict: somebody else kept meeting the same people; try again.
        """
        return await again_on_conflict(
            lambda: self._open_once(process, opening, then, language=language, addresses=addresses)
        )

    async def _open_once(
        self, process: ProcessName, opening: Opening, then: Plan, *, language: str, addresses: frozenset[str]
    ) -> CaseId:
        workspace = await self._transactions.begin(Wanted(addresses=addresses))
        case_id = workspace.new_case_id()
        refused: Refused | None = workspace.open_case(process, opening(workspace, case_id))
        if refused is not None:
            raise CommandRefused(describe(refused, language))
        _carry_out(workspace, case_id, then, language=language)
        await self._transactions.commit(Point.COMMAND, workspace)
        return case_id


def _carry_out(workspace: Workspace, case_id: CaseId, plan: Plan, *, language: str) -> None:
    """Decides the commands of a plan, one after the other. Raises CommandRefused at the first that is not allowed."""
    case = workspace.case(case_id)
    if case is None:
        raise CommandRefused(f"there is no case {reference(case_id)}; `mailcase case list` shows those there are")
    for command in plan(workspace, case):
        refused = workspace.decide(case_id, command)
        if refused is not None:
            log_refusal(case, refused, by=command.by)
            raise CommandRefused(describe(refused, language))
