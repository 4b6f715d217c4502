"""The store, for people to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from mailcase.cli.record import Record, records
from mailcase.cli.screen import Screen
from mailcase.cli.table import Cell, fields, size, wrapped
from mailcase.inbound.protocol import Json

#: Findings of one kind that are shown; a fault that many rows have is one fault.
OF_A_KIND = 10


def backed_up(data: Json, screen: Screen) -> Iterator[str]:
    """What a new backup holds."""
    made = Record(data)
    yield from fields(
        [
            ("Backup", Cell(f"{made.text('file')} ({size(made.number('size_bytes') or 0)})", bold=True)),
            ("Made", Cell(screen.local(made.time("made_at")))),
            ("Holds", Cell(_holds(made))),
            ("Keys", Cell(", ".join(made.texts("secrets")))),
            ("Revision", Cell(made.text("revision"))),
        ],
        screen,
    )


def restored(data: Json, screen: Screen) -> Iterator[str]:
    """What is there again, and what now wants a look."""
    done = Record(data)
    unknown = done.number("deliveries_unknown") or 0
    may_be_out = f"{_count(unknown, 'delivery', 'deliveries')}: mailcase outbox list --state unknown" if unknown else ""
    about = f"new mail about what was before {screen.local(done.time('held_until'))}"
    yield from fields(
        [
            ("Store", Cell(done.text("store"), bold=True)),
            ("Backup of", Cell(screen.local(done.time("backup_made_at")))),
            ("Holds", Cell(_holds(done))),
            ("Moved aside", Cell(done.text("moved_aside_to"))),
            ("May have gone out", Cell(may_be_out, colour="yellow")),
            ("Held", Cell(f"{about}: mailcase outbox list --state queued")),
            ("New cases from", Cell(f"{(done.number('next_case_after') or 0) + 1}-C")),
        ],
        screen,
    )


def migrated(data: Json, screen: Screen) -> Iterator[str]:
    """Where the tables stand."""
    answer = Record(data)
    text = f"{answer.text('store')} is at revision {answer.text('revision')}, which this version needs."
    yield from wrapped(text, screen, indent=0)


def _holds(backup: Record) -> str:
    counts = (("case", "cases"), ("mail", "mails"), ("delivery", "deliveries"))
    return ", ".join(_count(backup.number(many) or 0, one, many) for one, many in counts if many in backup.names)


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


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
