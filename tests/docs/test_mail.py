"""docs/mail.md explains every word that `mail list`, `why` and `outbox list` show, and tells the real defaults."""

from __future__ import annotations

import re

import pytest
from tests.docs.generated import DOCS

from mailcase.core.process import AGENT_NOTICES, DEFAULT_NOTICES, REQUESTER_NOTICES, Notice
from mailcase.mail.kind import Kind
from mailcase.store.rows.inbox import Outcome, Reason
from mailcase.store.rows.outbox import DeliveryState

DOCUMENT = (DOCS / "mail.md").read_text(encoding="utf-8")


def rows(head: str) -> dict[str, list[str]]:
    """The table of that first head: each word with its other cells."""
    table = re.search(rf"^\| {head} \|.*\n\|[-| ]+\|\n((?:\|.*\n)+)", DOCUMENT, re.MULTILINE)
    assert table is not None
    found = re.findall(r"^\| `([^`]+)` \|(.*)\|$", table[1], re.MULTILINE)
    return {word: [cell.strip() for cell in rest.split(" | ")] for word, rest in found}


@pytest.mark.parametrize(
    ("head", "words"),
    [
        pytest.param("outcome", list(Outcome), id="outcomes"),
        pytest.param(r"reason \| with", list(Reason), id="reasons"),
        pytest.param("kind", list(Kind), id="kinds"),
        pytest.param("state", list(DeliveryState), id="states"),
        pytest.param("notice", list(Notice), id="notices"),
    ],
)
def test_every_word_is_explained_and_no_other(head: str, words: list[str]) -> None:
    assert sorted(rows(head)) == sorted(words)


def test_each_reason_is_told_with_an_outcome() -> None:
    outcomes = {cells[0].strip("`") for cells in rows(r"reason \| with").values()}

    assert outcomes <= set(Outcome)


@pytest.mark.parametrize("notice", list(Notice))
def test_a_notice_has_its_real_default(notice: Notice) -> None:
    assert rows("notice")[notice][-1] == ("on" if notice in DEFAULT_NOTICES else "off")


@pytest.mark.parametrize("notice", list(Notice))
def test_a_notice_goes_to_the_requester_or_to_agents(notice: Notice) -> None:
    is_to_requester = rows("notice")[notice][0] == "requester"

    assert is_to_requester == (notice in REQUESTER_NOTICES)
    assert is_to_requester != (notice in AGENT_NOTICES)


def test_evidence_is_told_in_the_order_in_which_it_is_tried() -> None:
    appended = [word for word, cells in rows(r"reason \| with").items() if cells[0] == "`appended`"]

    assert list(rows(r"reason \| evidence")) == appended
    assert appended == [
        Reason.REPLY_ADDRESS,
        Reason.IN_REPLY_TO,
        Reason.REFERENCES,
        Reason.NAMED_BEFORE,
        Reason.SUBJECT_TAG,
    ]
