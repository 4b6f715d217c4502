"""The small, strict YAML: what it reads, what it refuses and where."""

from __future__ import annotations

import pytest

from mailcase.config.document import ANY, Document, Mark, Value
from mailcase.config.loader import parse


def _parse(text: str) -> tuple[Document, list[str]]:
    document, problems = parse(text, "m.yaml")
    return document, [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("no", "no"),
        ("on", "on"),
        ("NO", "NO"),
        ("1:30", "1:30"),
        ("2026-12-24", "2026-12-24"),
        ("1.5", "1.5"),
        ("0x10", "0x10"),
        ("12", 12),
        ("-3", -3),
        ("9" * 30, "9" * 30),
        ("~", None),
        ("", None),
        ('"12"', "12"),
        ("09:00-17:00", "09:00-17:00"),
    ],
)
def test_a_scalar_is_read_as_it_looks(text: str, value: Value) -> None:
    document, problems = _parse(f"key: {text}\n")

    assert document.data == {"key": value}
    assert problems == []


def test_every_key_and_value_has_its_place() -> None:
    document, _ = _parse("a:\n  b: [x,\n    {c: 1}]\n")

    assert document.key_marks[("a", "b")] == Mark(2, 3)
    assert document.value_marks[("a", "b", 0)] == Mark(2, 7)
    assert document.key_marks[("a", "b", 1, "c")] == Mark(3, 6)
    assert document.value_marks[("a", "b", 1, "c")] == Mark(3, 9)


def test_keys_are_text_whatever_they_look_like() -> None:
    document, problems = _parse("1: a\nno: b\ntrue: c\n")

    assert document.data == {"1": "a", "no": "b", "true": "c"}
    assert problems == []


def test_a_key_written_twice_is_refused_with_both_lines() -> None:
    document, problems = _parse("a: 1\nb: 2\na: 3\n")

    assert document.data == {"a": 1, "b": 2}
    assert problems == ["m.yaml:3:1: a: the key `a` already stands in line 1\n    Keep one of the two."]


def test_an_alias_is_refused_with_both_lines_and_its_value_is_passed_over() -> None:
    document, problems = _parse("a: &x 1\nb:\n  c: *x\n")

    assert [problem.split("\n")[0] for problem in problems] == [
        "m.yaml:3:6: the alias `*x` (its anchor stands in line 1) is not used here"
    ]
    assert document.is_broken(("b", "c"))
    assert not document.is_broken(("b",))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: &x 1\n", "m.yaml:1:4: the anchor `&x` is not used here"),
        ("a: *x\n", "m.yaml:1:4: the alias `*x` is not used here"),
        ("a: !!int 5\n", "m.yaml:1:4: the tag `tag:yaml.org,2002:int` is not used here"),
        ("a: !!int x\n", "m.yaml:1:4: the tag `tag:yaml.org,2002:int` is not used here"),
        ("? [a]\n: b\n", "m.yaml:1:3: a key must be a word"),
        ("? {a: 1}\n: b\n", "m.yaml:1:3: a key must be a word"),
        ("~: b\n", "m.yaml:1:1: a key must be a word"),
    ],
)
def test_what_reads_differently_from_how_it_looks_is_refused(text: str, problem: str) -> None:
    _, problems = _parse(text)

    assert [found.split("\n")[0] for found in problems] == [problem]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "a: *@example.org\n",
            "m.yaml:1:5: cannot be read as YAML: while scanning an alias that began in line 1: "
            "expected alphabetic or numeric character, but found '@'\n"
            '    Text that begins with a sign stands in quotes: "*@example.org".',
        ),
        (
            "a:\n\tb: 1\n",
            "m.yaml:2:1: cannot be read as YAML: while scanning for the next token: "
            "found character '\\t' that cannot start any token\n    Indent with spaces, not with tabs.",
        ),
        (
            "a: @b\n",
            "m.yaml:1:4: cannot be read as YAML: while scanning for the next token: "
            "found character '@' that cannot start any token\n"
            '    Text that begins with a sign stands in quotes: "*@example.org".',
        ),
        (
            "a: b: c\n",
            "m.yaml:1:5: cannot be read as YAML: mapping values are not allowed here\n"
            '    Check the indentation; text with a colon and a space in it stands in quotes: "a: b".',
        ),
        (
            "a: 1\n---\nb: 1\n",
            "m.yaml:2:1: cannot be read as YAML: expected a single document in the stream that began in line 1: "
            "but found another document\n    One file holds one document: leave the line `---` out.",
        ),
        (
            "a: 1\nb: 'x\n",
            "m.yaml:3:1: cannot be read as YAML: while scanning a quoted scalar that began in line 2: "
            "found unexpected end of stream",
        ),
        ("a: 1\nb: \x07\n", "m.yaml:2:4: the character U+0007 may not stand in YAML"),
        ('a: "\\U00110000"\n', "m.yaml:1:7: cannot be read as YAML"),
        ('a: "\\UFFFFFFFF"\n', "m.yaml:1:7: cannot be read as YAML"),
        (f"%YAML 1.{'9' * 5000}\n---\na: 1\n", "m.yaml:1:9: cannot be read as YAML"),
        ("a: " + "[" * 1000, "m.yaml:1:33: cannot be read as YAML: it is nested too deeply"),
        ("", "m.yaml: the file is empty"),
        ("# nothing\n", "m.yaml: the file is empty"),
    ],
)
def test_a_syntax_error_names_its_place_and_what_to_do(text: str, problem: str) -> None:
    document, problems = _parse(text)

    assert problems == [problem]
    assert document.is_broken(())


def test_problems_found_before_a_syntax_error_are_told_too() -> None:
    _, problems = _parse("a: !x 1\nb: 'x\n")

    assert [problem.split(": ")[0] for problem in problems] == ["m.yaml:1:4", "m.yaml:3:1"]


def test_a_problem_is_placed_at_the_nearest_thing_that_exists() -> None:
    document, _ = _parse("a:\n  b:\n    - c: 1\n")

    assert document.problem(("a", "b", 0, "c"), "m").line == 3
    assert document.problem(("a", "b", 0, "d"), "m").line == 3
    assert document.problem(("a", "x"), "m").line == 1
    assert document.problem(("x",), "m").line == 1
    assert document.problem(("a", "b", 0, "d"), "m").where == "a.b[0].d"


def test_values_are_found_by_pattern() -> None:
    document, _ = _parse("a: {x: {n: 1}, y: {n: text}, z: 5}\n")

    assert list(document.find("a", ANY, "n")) == [(("a", "x", "n"), 1), (("a", "y", "n"), "text")]
    assert list(document.texts("a", ANY, "n")) == [(("a", "y", "n"), "text")]
    assert document.value("a", "q") is None
    assert document.mapping("a", "z") == {}


def test_what_a_terminal_would_obey_is_shown_escaped() -> None:
    document, problems = _parse('"a\\e[2J": 1\n"a\\e[2J": 2\n')

    assert "\x1b" not in problems[0]
    assert r"\x1b[2J" in problems[0]
    assert "\x1b" not in document.problem(("a\x1b[2J",), "m").where
