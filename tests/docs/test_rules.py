"""docs/rules.md names every rule that source, tests and documents cite."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: `T` and the bars `2.8.n` stand in cases.md, `R` and `S` in reliability.md; both pages have tests of their own.
CITED = re.compile(
    r"\b(?:(?:ST|AS|SL|CR|EM|NT)-\d+|L\d{1,2}|I\d{1,2}|A[1-8])\b(?![-\w])|(?<![\d.])8\.\d{1,2}\b(?![.\d])"
)
SOURCES = ("src/**/*.py", "tests/**/*.py", "docs/*.md", "README.md")


def listed() -> list[str]:
    text = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    return re.findall(r"^\| ([A-Z]+-?\d+|8\.\d+) \|", text, re.MULTILINE)


def cited() -> dict[str, str]:
    """Rule -> a file that cites it in a docstring, a comment or a document."""
    found: dict[str, str] = {}
    for pattern in SOURCES:
        for path in sorted(ROOT.glob(pattern)):
            for rule in CITED.findall(path.read_text(encoding="utf-8")):
                found.setdefault(rule, str(path.relative_to(ROOT)))
    return found


def test_no_rule_stands_twice() -> None:
    rules = listed()
    assert len(rules) == len(set(rules)) > 100


@pytest.mark.parametrize(("rule", "path"), sorted(cited().items()))
def test_a_cited_rule_is_explained(rule: str, path: str) -> None:
    assert rule in listed(), f"{path} cites {rule}, docs/rules.md does not know it"
