"""Reading the JSON of an answer: typed, and every text made safe for a terminal on its way out (rule 11, S7)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from mailcase.inbound.protocol import Json
from mailcase.safe_text import safe_text


class Record:
    """One object of an answer. What is missing, null or of another type reads as empty."""

    def __init__(self, fields: Json) -> None:
        self._fields: Mapping[str, Json] = fields if isinstance(fields, dict) else {}

    def text(self, key: str) -> str:
        """One line, safe to print; numbers and truth values as text."""
        return shown(self._fields.get(key))

    def texts(self, key: str) -> tuple[str, ...]:
        """The items of a list, each one line and safe to print."""
        value = self._fields.get(key)
        return tuple(shown(item) for item in value) if isinstance(value, list) else ()

    def number(self, key: str) -> int | None:
        value = self._fields.get(key)
        return int(value) if isinstance(value, int | float) else None

    def is_true(self, key: str) -> bool:
        """True only for the JSON value true."""
        return self._fields.get(key) is True

    def time(self, key: str) -> datetime | None:
        """An ISO 8601 time as an aware datetime."""
        value = self._fields.get(key)
        return datetime.fromisoformat(value) if isinstance(value, str) else None

    def record(self, key: str) -> Record | None:
        """The object at this key."""
        value = self._fields.get(key)
        return Record(value) if isinstance(value, dict) else None

    def records(self, key: str) -> tuple[Record, ...]:
        """The objects of the list at this key."""
        return records(self._fields.get(key))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the fields, in the order of the answer."""
        return tuple(self._fields)


def records(data: Json) -> tuple[Record, ...]:
    """The objects of an answer that is a list."""
    return tuple(Record(item) for item in data) if isinstance(data, list) else ()


def shown(value: Json) -> str:
    """A value as one safe line."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str():
            return safe_text(" ".join(value.split()))
        case list():
            return ", ".join(shown(item) for item in value)
        case dict():
            return ", ".join(f"{safe_text(key)} {shown(item)}" for key, item in value.items())
        case _:
            return str(value)
