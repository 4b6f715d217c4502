"""The store, for people to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from mailcase.cli.record import records
from mailcase.cli.screen import Screen
from mailcase.inbound.control import Json

#: Findings of one kind that are shown; a fault that many rows have is one fault.
OF_A_KIND = 10


def findings(data: Json, screen: Screen) -> Iterator[str]:
    """What does not add up, the first of each kind; one line says that all does."""
    found = records(data)
    if not found:
        yield "The store adds up."
    counted: Counter[tuple[str, str]] = Counter()
    for finding in found:
        kind = (finding.text("check"), finding.text("hint"))
        counted[kind] += 1
        if counted[kind] <= OF_A_KIND:
            subject = " ".join(part for part in (finding.text("where"), finding.text("problem")) if part)
            yield f"{screen.styled(finding.text('check'), colour='red')}: {subject}"
            yield f"    {finding.text('hint')}"
    if more := sum(max(0, count - OF_A_KIND) for count in counted.values()):
        yield f"and {more} more of these kinds; --json has all"
