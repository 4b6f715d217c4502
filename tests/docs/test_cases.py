"""docs/cases.md says what the engine's table says, and names every word that a case can show."""

from __future__ import annotations

import os
import re
from datetime import timedelta

import pytest
from tests.docs import rules_in_words
from tests.docs.generated import DOCS, PARTS, WRITE_VARIABLE, part, write

from mailcase.core import sla
from mailcase.core.case import AttentionCause, Flag, LinkKind, Status, WaitType
from mailcase.core.refusal import Reason
from mailcase.core.table import TABLE


def document() -> str:
    return (DOCS / "cases.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("document", "name"), list(PARTS))
def test_a_generated_part_is_what_the_source_says(document: str, name: str) -> None:
    wanted = PARTS[document, name]()
    if os.environ.get(WRITE_VARIABLE) == "1":
        write(document, name, wanted)

    assert part(document, name) == wanted, f"rewrite it with {WRITE_VARIABLE}=1 pytest tests/docs"


def test_every_rule_stands_in_the_document() -> None:
    documented = set(re.findall(r"^\| (\S+) \|", document(), re.MULTILINE))

    assert {rule.id for rule in TABLE} <= documented


def test_there_are_no_words_for_what_no_rule_has() -> None:
    assert list(rules_in_words.unused_words()) == []


def test_a_rule_that_can_never_be_the_first_is_not_shown_in_that_status() -> None:
    """2.8.11 refuses every cancellation of a resolved case before T29 is asked."""
    (cancel,) = (row for row in rules_in_words.rows() if row.id == "T29")

    assert Status.RESOLVED in cancel.origin
    assert Status.RESOLVED not in rules_in_words.reached(cancel)


@pytest.mark.parametrize(
    "word",
    [*Status, *WaitType, *Flag, *LinkKind, *AttentionCause, *Reason],
    ids=lambda word: f"{type(word).__name__}-{word}",
)
def test_every_word_that_a_case_or_a_refusal_can_show_is_explained(word: str) -> None:
    assert word in re.findall(r"`([^`\n]+)`", document())


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("minutes", [320, -65])
def test_the_pause_messages_are_the_real_ones(language: str, minutes: int) -> None:
    message = sla.remaining_text(timedelta(minutes=minutes), language).replace("\u00a0", " ")

    assert message in document()
