"""The names of cases and the marks on them."""

from __future__ import annotations

import pytest
from tests.core.desk import BOB, mailed

from mailcase.core.case import CaseId, Flag, LinkKind, parse_reference, reference
from mailcase.core.commands import RaiseAttention


def test_a_case_is_called_by_its_number() -> None:
    assert reference(CaseId(1042)) == "1042-C"


@pytest.mark.parametrize("text", ["1042-C", " 1042-c\n"])
def test_its_name_is_read_in_either_case(text: str) -> None:
    assert parse_reference(text) == 1042


@pytest.mark.parametrize("text", ["1042", "0-C", "01-C", "-1-C", "1042-C-A1", "١-C", "9" * 19 + "-C", ""])
def test_nothing_else_is_a_name(text: str) -> None:
    assert parse_reference(text) is None


def test_any_flag_highlights_a_case() -> None:
    desk = mailed()
    assert desk.case.is_highlighted

    desk.do(RaiseAttention, BOB)

    assert desk.case.flags == (Flag.NEW_INFORMATION, Flag.NEEDS_ATTENTION)


def test_siblings_and_one_thread_read_alike_from_both_ends() -> None:
    assert [kind for kind in LinkKind if kind.is_directed] == [LinkKind.CONTINUES, LinkKind.STRANGER]
