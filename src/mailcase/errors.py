"""The errors that cross a boundary: who must act, and may the work be tried again?

A strange mail is never an exception: reading and routing return what they found. A refused command is not one
either: the core answers `Refused`.
"""

from __future__ import annotations

from dataclasses import dataclass


class AppError(Exception):
    """Base of every error that mailcase raises on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong in a file the operator wrote."""

    #: Path as the operator gave it, with line and column from 1; None where the file itself is the problem.
    file: str
    line: int | None
    column: int | None
    #: Dotted path of the key, "" for the whole file.
    where: str
    message: str
    #: What to write instead.
    hint: str = ""

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        key = f" {self.where}:" if self.where else ""
        hint = f"\n    {self.hint}" if self.hint else ""
        return f"{place}:{key} {self.message}{hint}"


class ConfigError(AppError):
    """The operator must change a file; carries every problem found, in the order of the file. Exit code 78."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class TransientError(AppError):
    """Nobody must act; the same work may be tried again later with back-off. Exit code 75."""


class StoreUnavailable(TransientError):
    """The database is locked, full or out of reach; nothing of the transaction was kept."""


class StoreFull(StoreUnavailable):
    """Nothing more can be written: the disk is full, or read-only. Reads go on."""


class Conflict(TransientError):
    """Somebody else saved the same case in between; load and decide again."""


class PermanentError(AppError):
    """An operator must act; the row that raised it is parked with this reason."""


class CommandRefused(AppError):
    """What the operator asked for cannot be done as things stand; says what can. Exit code 1."""
