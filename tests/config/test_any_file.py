"""Whatever stands in the file: settings, or problems with a place in it; never another exception."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailcase.config import reader
from mailcase.config.example import example
from mailcase.config.keys import known_keys
from mailcase.errors import ConfigError, Problem

_WORDS = [
    *sorted({str(part) for pattern in known_keys() for part in pattern}),
    "imap", "smtp", "lmtp", "enquiry", "support", "support@example.org", "5 days", "2 working days", "none", "plus",
    "mon-fri", "09:00-17:00", "FR", "${X}", "127.0.0.1:2525", "system", "redirect", "\0", "\ud800", "\n", "*",
]  # fmt: skip
_ANY_CHARACTER = st.characters(exclude_categories=())
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(_WORDS),
    st.text(_ANY_CHARACTER, max_size=20),
    st.dates(),
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(_WORDS) | st.text(_ANY_CHARACTER, max_size=8), inner, max_size=5),
    ),
    max_leaves=30,
)


@contextmanager
def _file(content: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.yaml"
        path.write_bytes(content)
        yield path


def _holds(content: bytes) -> None:
    with _file(content) as path:
        problems = reader.check(path, environment={})
        told: tuple[Problem, ...] = ()
        try:
            reader.load(path, environment={})
        except ConfigError as error:
            told = error.problems
    assert told == problems
    lines = content.count(b"\n") + content.count(b"\r") + content.count(b"\xc2\x85") + content.count(b"\xe2\x80") + 1
    for problem in problems:
        assert problem.message
        assert problem.line is None or 1 <= problem.line <= lines + 1


def _dump(value: object) -> bytes:
    """As JSON, which is YAML too and can hold any character, halves of pairs included."""
    return json.dumps(value, default=str).encode()


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes(content: bytes) -> None:
    _holds(content)


@given(st.text(alphabet=st.sampled_from("ab1:-?&*!|>'\"%@`{}[],#~ \n\t\\/.é"), max_size=80))
@settings(deadline=None)
def test_any_text_of_yaml_signs(text: str) -> None:
    _holds(text.encode())


@given(_VALUES)
@settings(max_examples=100, deadline=None)
def test_any_values(value: object) -> None:
    _holds(_dump(value))


@st.composite
def _changed_examples(draw: st.DrawFn) -> object:
    """The example with a few of its values or keys replaced by anything."""
    tree = yaml.safe_load(example())
    for _ in range(draw(st.integers(1, 4))):
        here = tree
        while True:
            places = list(here) if isinstance(here, dict) else list(range(len(here)))
            place = draw(st.sampled_from(places)) if places else None
            below = here[place] if place is not None else None
            if place is None or not isinstance(below, dict | list) or draw(st.booleans()):
                break
            here = below
        if place is not None:
            here[place] = draw(_VALUES)
        elif isinstance(here, dict):
            here[draw(st.sampled_from(_WORDS))] = draw(_VALUES)
    return tree


@given(_changed_examples())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_change_to_the_example(tree: object) -> None:
    _holds(_dump(tree))
