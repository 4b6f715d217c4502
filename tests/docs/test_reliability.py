"""docs/reliability.md names every promise once, each with tests that exist, or with what it waits for."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Cited as `R9` and `S10`.
ROWS = [*(f"R{number}" for number in range(1, 28)), *(f"S{number}" for number in range(1, 25))]


def rows() -> dict[str, str]:
    """Row -> what proves it."""
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| ([RS]\d+) \| [^|]+ \| ([^|]+) \|$", text, re.MULTILINE))


def named() -> list[tuple[str, str]]:
    return [(row, test) for row, proof in rows().items() for test in re.findall(r"`(tests/[^`]+)`", proof)]


@cache
def _names_in(path: Path) -> frozenset[str]:
    """`test_x` and `TestClass::test_x`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(
        [node.name for node in tree.body if isinstance(node, functions)]
        + [f"{owner.name}::{node.name}" for owner in classes for node in owner.body if isinstance(node, functions)]
    )


def test_every_promise_stands_there_once_and_in_order() -> None:
    assert list(rows()) == ROWS


@pytest.mark.parametrize(("row", "proof"), list(rows().items()))
def test_a_promise_has_a_test_or_says_what_it_waits_for(row: str, proof: str) -> None:
    assert re.fullmatch(r"(`tests/\S+::\S+`(?: |; |$))*(waits: \S.*)?", proof), row
    assert proof


@pytest.mark.parametrize(("row", "test"), named())
def test_a_named_test_exists(row: str, test: str) -> None:
    path, _, name = test.partition("::")

    assert (ROOT / path).exists(), row
    assert name in _names_in(ROOT / path), row
