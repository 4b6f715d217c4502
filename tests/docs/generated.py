"""Parts of the documents that are made from the source; `MAILCASE_WRITE_DOCS=1 pytest tests/docs` writes them anew."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tests.docs import rules_in_words

DOCS = Path(__file__).parents[2] / "docs"
WRITE_VARIABLE = "MAILCASE_WRITE_DOCS"
#: Document and name of the part -> what makes it.
PARTS: dict[tuple[str, str], Callable[[], str]] = {
    ("cases.md", "diagram"): rules_in_words.diagram,
    ("cases.md", "transitions"): rules_in_words.transitions,
    ("cases.md", "changes within a status"): rules_in_words.changes_within,
    ("cases.md", "refusals"): rules_in_words.refusals,
}


def part(document: str, name: str) -> str:
    """What stands between the marks of a part now. Raises ValueError when the document has no such part."""
    found = _pattern(name).search((DOCS / document).read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"docs/{document} has no part {name!r}")
    return found.group(2).strip()


def write(document: str, name: str, text: str) -> None:
    """Puts the text between the marks of a part."""
    path = DOCS / document
    old = path.read_text(encoding="utf-8")
    path.write_text(
        _pattern(name).sub(lambda found: f"{found[1]}\n\n{text}\n\n{found[3]}", old, count=1), encoding="utf-8"
    )


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- generated: {name} -->)(.*?)(<!-- end -->)", re.DOTALL)
