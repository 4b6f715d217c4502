"""What a look through the store finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that does not add up."""

    #: integrity, tables, accounting, claims, outbox, cases or deadlines.
    check: str
    #: The row, as "mail 7" or "case 1042-C"; "" for the whole file.
    where: str
    problem: str
    #: What to do about it.
    hint: str
