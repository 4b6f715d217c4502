"""docs/configuration.md names every key, no other, and the right defaults."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

import pytest
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from mailcase.config.document import KeyPath, Value
from mailcase.config.keys import ANY, keys_beside, known_keys
from mailcase.config.loader import parse
from mailcase.config.schema import CalendarEntry

DOCS = Path(__file__).parents[2] / "docs" / "configuration.md"
#: Their defaults are read together.
_OF_CALENDARS = {"calendars.*.days", "calendars.*.hours"}


@dataclass(frozen=True)
class _Row:
    key: str
    meaning: str
    default: str


def _rows() -> Iterator[tuple[str, _Row]]:
    """Every row of a table under the path that its heading names, lists and names as `*`; once per kind."""
    prefix, kinds = "", [""]
    for line in DOCS.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            heading, *words = re.findall(r"`([^`]+)`", line) or [""]
            prefix, kinds = _pattern(heading), [f".{word}" for word in words] or [""]
            if any("." in word for word in words):
                # Several places with the same keys, in place of kinds.
                prefix, kinds = "", [f".{_pattern(place)}" for place in (heading, *words)]
        row = re.fullmatch(r"\| `(\w+)` \| (.*) \| (.*) \|", line)
        if row:
            for kind in kinds:
                path = f"{prefix}{kind}.{row[1]}".removeprefix(".")
                yield path, _Row(row[1], row[2], row[3])


def _pattern(heading: str) -> str:
    return re.sub(r"\.[A-Z]+", ".*", heading).replace("[]", ".*")


def _dotted(pattern: KeyPath) -> str:
    return ".".join(str(part) for part in pattern)


def _known() -> dict[str, FieldInfo]:
    return {_dotted(pattern): field for pattern, field in known_keys().items()}


def test_every_key_is_documented_and_no_other() -> None:
    documented = [path for path, _row in _rows()]

    assert sorted(documented) == sorted(_known())


def test_keys_that_are_needed_are_called_so() -> None:
    needed = {path for path, row in _rows() if row.default == "*needed*"}

    assert needed == {path for path, field in _known().items() if field.is_required()}


@pytest.mark.parametrize(
    ("path", "row"),
    [
        pytest.param(path, row, id=path)
        for path, row in _rows()
        if re.fullmatch("`[^`]+`", row.default) and path not in _OF_CALENDARS
    ],
)
def test_a_default_that_is_written_is_the_real_one(path: str, row: _Row) -> None:
    field = _known()[path]
    document, _ = parse(f"key: {row.default.strip('`')}", "docs")
    value: Value = document.mapping()["key"]

    kind = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    adapter = TypeAdapter(cast("type[object]", kind))

    assert adapter.validate_python(value) == field.default


def test_the_default_calendar_is_as_it_is_written() -> None:
    written = {path.rpartition(".")[2]: row.default.strip("`") for path, row in _rows() if path in _OF_CALENDARS}

    assert CalendarEntry.model_validate(written).hours == CalendarEntry().hours


def test_defaults_are_written_where_they_are_single_values() -> None:
    unwritten = {
        path
        for path, row in _rows()
        if isinstance(_known()[path].default, bool | int) and not row.default.startswith("`")
    }

    assert unwritten == set()


def test_keys_beside_one_another() -> None:
    assert keys_beside(("calendars", "office", "holidays", "x")) == ["country", "subdivision", "extra"]
    assert "listen" in keys_beside(("mailboxes", "desk", "receive", "lmtp", "x"))
    assert "listen" not in keys_beside(("mailboxes", "desk", "receive", "imap", "x"))
    assert ANY == "*"


def test_the_yaml_in_the_docs_is_right(tmp_path: Path) -> None:
    from mailcase.config import reader

    blocks = re.findall(r"```yaml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)

    for block in blocks:
        path = tmp_path / "m.yaml"
        path.write_text(block)
        assert reader.check(path, environment={}) == ()
    assert len(blocks) == 1
