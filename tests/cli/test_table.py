"""Tables and paragraphs that fit."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcase.cli.screen import Screen
from mailcase.cli.table import Cell, Column, columns_of, cut, fields, table, wrapped
from mailcase.config.settings import Language


def screen(width: int | None, *, has_colour: bool = False) -> Screen:
    return Screen(
        width=width,
        has_colour=has_colour,
        zone=ZoneInfo("Europe/Paris"),
        language=Language.ENGLISH,
        now=datetime(2026, 3, 4, 12, tzinfo=UTC),
    )


COLUMNS = (
    Column(title="Case"),
    Column(title="Queue", least=8, dispensable=2),
    Column(title="Size", is_right=True, dispensable=1),
    Column(title="Subject", least=10),
)


def rows(*rows: tuple[str, ...]) -> list[list[Cell]]:
    return [[Cell(text) for text in row] for row in rows]


def test_in_a_pipe_nothing_is_cut() -> None:
    lines = table(COLUMNS, rows(("1-C", "support", "12", "x" * 300), ("1042-C", "s", "7", "y")), screen(None))

    assert lines == [
        "Case    Queue    Size  Subject",
        f"1-C     support    12  {'x' * 300}",
        "1042-C  s           7  y",
    ]


def test_on_a_terminal_the_longest_column_gives_way_first() -> None:
    lines = table(COLUMNS, rows(("1-C", "support", "12", "x" * 300)), screen(40))

    assert lines == ["Case  Queue    Size  Subject", f"1-C   support    12  {'x' * 18}…"]


def test_dispensable_columns_go_before_the_others_become_unreadable() -> None:
    lines = table(COLUMNS, rows(("1-C", "a long queue name", "12", "x" * 300)), screen(24))

    assert lines == ["Case  Size  Subject", f"1-C     12  {'x' * 11}…"]


def test_wide_and_combining_characters_are_counted_as_a_terminal_does() -> None:
    lines = table(COLUMNS, rows(("1-C", "印刷機", "1", "e\u0301te\u0301"), ("2-C", "ab", "2", "z")), screen(None))

    assert lines[1:] == ["1-C   印刷機     1  e\u0301te\u0301", "2-C   ab         2  z"]


def test_colours_take_no_room() -> None:
    coloured = table(
        COLUMNS, [[Cell("1-C", bold=True), Cell("q", "red"), Cell("1"), Cell("s" * 99)]], screen(30, has_colour=True)
    )

    assert "\x1b[31m" in coloured[1]
    assert coloured[1].replace("\x1b[0m", "").replace("\x1b[1m", "").replace("\x1b[31m", "").endswith("s…")


texts = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=60)


@given(st.lists(st.tuples(texts, texts, texts, texts), max_size=5), st.integers(24, 120))
def test_no_line_is_wider_than_the_screen(contents: list[tuple[str, ...]], width: int) -> None:
    columns = [Column(title="A", least=4), *COLUMNS[1:]]

    for line in table(columns, rows(*contents), screen(width)):
        assert columns_of(line) <= width


@given(texts, st.integers(1, 80))
def test_a_cut_text_fits_and_begins_like_the_whole(text: str, width: int) -> None:
    short = cut(text, width)

    assert columns_of(short) <= width
    assert text.startswith(short.removesuffix("…"))


@given(st.lists(texts), st.integers(20, 80))
def test_a_wrapped_paragraph_fits_and_loses_nothing(words: list[str], width: int) -> None:
    lines = wrapped(" ".join(words), screen(width), indent=0)

    assert all(columns_of(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(words)


def test_fields_are_aligned_continued_and_left_out_when_empty() -> None:
    lines = fields(
        [("Case", Cell("1-C")), ("Owner", Cell("")), ("Subject", Cell("one two three four five six"))], screen(30)
    )

    assert lines == ["Case     1-C", "Subject  one two three four", "         five six"]


@pytest.mark.parametrize("width", [None, 60])
def test_a_table_of_nothing_is_its_heading(width: int | None) -> None:
    assert table(COLUMNS, [], screen(width)) == ["Case  Queue  Size  Subject"]
