"""The arguments of one request, read with their types. Whatever is wrong with one is said in words (exit 1)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from mailcase.core.case import CaseId, parse_reference
from mailcase.errors import CommandRefused
from mailcase.inbound.protocol import Json, Request

#: Rows in one answer to a list; more come page by page, each after the last row of the one before.
PAGE_ROWS = 5000


class Arguments:
    """Reads the arguments of a request."""

    def __init__(self, request: Request) -> None:
        self._values = request.arguments

    def has(self, name: str) -> bool:
        """True where it was given."""
        return self._values.get(name) is not None

    def text(self, name: str) -> str:
        """A text that must be there and not blank."""
        value = self.optional_text(name)
        if value is None or not value.strip():
            raise CommandRefused(f"{name} is missing")
        return value

    def optional_text(self, name: str) -> str | None:
        """A text, None when it was not given."""
        value = self._values.get(name)
        if value is not None and not isinstance(value, str):
            raise CommandRefused(f"{name} must be text")
        return value

    def one_of(self, name: str, vocabulary: type[StrEnum]) -> str | None:
        """A word of the vocabulary, None when it was not given."""
        value = self.optional_text(name)
        if value is not None and value not in tuple(vocabulary):
            raise CommandRefused(f"there is no {name} {value!r}; there are: {', '.join(vocabulary)}")
        return value

    def flag(self, name: str) -> bool:
        """True only when it was given and is true."""
        return self._values.get(name) is True

    def number(self, name: str) -> int:
        """A whole number above 0, given as number or digits."""
        return _number(name, self._values.get(name))

    def numbers(self, name: str) -> tuple[int, ...]:
        """Whole numbers above 0, at least one, in their order, each once."""
        values = self._values.get(name)
        if not isinstance(values, list) or not values:
            raise CommandRefused(f"{name} must be a list of numbers above 0")
        return tuple(dict.fromkeys(_number(name, value) for value in values))

    def optional_number(self, name: str) -> int | None:
        """A whole number above 0, None when it was not given."""
        return None if self._values.get(name) is None else self.number(name)

    def limit(self) -> int:
        """How many rows a list may have: what was asked for, at most what one answer holds."""
        return min(self.optional_number("limit") or PAGE_ROWS, PAGE_ROWS)

    def case_id(self, name: str = "ref") -> CaseId:
        """The case that an argument names."""
        ref = self.text(name)
        case_id = parse_reference(ref)
        if case_id is None:
            raise CommandRefused(f"{ref!r} is not the name of a case; names look like 1042-C")
        return case_id

    def moment(self, name: str) -> datetime:
        """A time that must be there."""
        found = self.optional_moment(name)
        if found is None:
            raise CommandRefused(f"{name} is missing")
        return found

    def optional_moment(self, name: str) -> datetime | None:
        """A time in ISO 8601 with its zone."""
        value = self.optional_text(name)
        if value is None:
            return None
        try:
            at = datetime.fromisoformat(value)
        except ValueError as error:
            raise CommandRefused(f"{name} must be a time like 2026-11-24T17:00:00Z") from error
        if at.tzinfo is None:
            raise CommandRefused(f"{name} must say its zone, like 2026-11-24T17:00:00Z")
        return at

    def objects(self, name: str) -> tuple[dict[str, Json], ...]:
        """A list of objects; empty when it was not given."""
        value = self._values.get(name) or []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise CommandRefused(f"{name} must be a list of objects")
        return tuple(item for item in value if isinstance(item, dict))


def _number(name: str, value: Json) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 1 << 62:
        raise CommandRefused(f"{name} must be a number above 0")
    return value
