"""A configuration file as plain values, with the line and column of every key and value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from mailcase.errors import Problem

#: Keys and list positions from the top of the file to one value.
KeyPath = tuple[str | int, ...]
#: In a pattern of a path: any key, any position.
ANY: Final = -1
Value = bool | int | str | list["Value"] | dict[str, "Value"] | None

#: Longest piece of the operator's text that a message repeats.
_ECHO_LIMIT = 60


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the file, both numbers from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The values of a file and where each stands."""

    #: As the operator gave it.
    file: str
    data: Value
    value_marks: Mapping[KeyPath, Mark]
    key_marks: Mapping[KeyPath, Mark]
    #: Values that have a problem already; nothing more is said about them.
    broken: frozenset[KeyPath]

    def find(self, *pattern: str | int) -> Iterator[tuple[KeyPath, Value]]:
        """Every value whose path fits, in the order of the file."""
        found: list[tuple[KeyPath, Value]] = [((), self.data)]
        for part in pattern:
            found = [child for path, value in found for child in _children(path, value, part)]
        yield from found

    def value(self, *path: str | int) -> Value:
        """The value at the path, None when there is none."""
        return next((value for _path, value in self.find(*path)), None)

    def mapping(self, *path: str | int) -> dict[str, Value]:
        """The mapping at the path; empty when there is none or something else stands there."""
        value = self.value(*path)
        return value if isinstance(value, dict) else {}

    def texts(self, *pattern: str | int) -> Iterator[tuple[KeyPath, str]]:
        """As `find`, leaving out whatever is not text."""
        for path, value in self.find(*pattern):
            if isinstance(value, str):
                yield path, value

    def walk(self) -> Iterator[tuple[KeyPath, Value]]:
        """Every value of the file, the outer before the inner."""
        waiting: list[tuple[KeyPath, Value]] = [((), self.data)]
        while waiting:
            path, value = waiting.pop()
            yield path, value
            waiting.extend(reversed(list(_children(path, value, ANY))))

    def is_broken(self, path: KeyPath) -> bool:
        """True when the value or one around it has a problem of its own."""
        return any(path[:length] in self.broken for length in range(len(path) + 1))

    def problem(self, path: KeyPath, message: str, hint: str = "", *, at_key: bool = False) -> Problem:
        """A problem at the value of that path (or at its key), or at the nearest thing around it that exists."""
        mark = self.value_marks.get(path)
        if at_key or mark is None:
            mark = self._nearest_key_mark(path) or mark
        mark = mark or Mark(1, 1)
        return Problem(
            file=self.file, line=mark.line, column=mark.column, where=dotted(path), message=message, hint=hint
        )

    def _nearest_key_mark(self, path: KeyPath) -> Mark | None:
        for length in range(len(path), 0, -1):
            # An entry of a list has no key: its own place serves.
            mark = self.key_marks.get(path[:length]) or self.value_marks.get(path[:length])
            if mark:
                return mark
        return None


def _children(path: KeyPath, value: Value, part: str | int) -> Iterator[tuple[KeyPath, Value]]:
    if isinstance(value, dict):
        for key, child in value.items():
            if part in (ANY, key):
                yield (*path, key), child
    elif isinstance(value, list):
        for index, child in enumerate(value):
            if part in (ANY, index):
                yield (*path, index), child


def dotted(path: KeyPath) -> str:
    """The path as it is shown: `mailboxes.desk.routes[0].to`."""
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part}]"
        else:
            shown += f".{printable(part)}" if shown else printable(part)
    return shown


def quoted(text: str) -> str:
    """Text of the operator inside a message: cut, and without anything that a terminal would obey."""
    return f"`{printable(text)}`"


def printable(text: str) -> str:
    """The text, cut, with control and other unprintable characters escaped."""
    cut = text if len(text) <= _ECHO_LIMIT else f"{text[: _ECHO_LIMIT - 1]}…"
    return escaped(cut)


def escaped(text: str) -> str:
    """The text with control and other unprintable characters escaped."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
