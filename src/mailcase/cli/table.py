"""Tables and paragraphs that fit: a row is one line, on a terminal no wider than the screen, in a pipe whole.

Widths are columns of a terminal: wide characters take two, combining ones none (Unicode TR 11).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailcase.cli.screen import Screen

_GAP = "  "
#: A paragraph is never squeezed into less than this.
_LEAST_ROOM = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """How one column behaves."""

    title: str
    #: May be cut down to this width; None: never cut.
    least: int | None = None
    is_right: bool = False
    #: Columns with the greatest number go first when the screen is too narrow; 0 always stays.
    dispensable: int = 0


@dataclass(frozen=True, slots=True)
class Cell:
    """Text, already safe to print, and its style."""

    text: str
    colour: str | None = None
    bold: bool = False


Row = Sequence[Cell]


def size(size_bytes: int) -> str:
    """A size as people say it: `280 B`, `17 kB`, `1.2 GB`."""
    if size_bytes < 1024:
        return f"{size_bytes} B"
    for unit, bytes_of in (("kB", 1 << 10), ("MB", 1 << 20)):
        if size_bytes < bytes_of * 1000:
            return f"{size_bytes / bytes_of:.0f} {unit}"
    return f"{size_bytes / (1 << 30):.1f} GB"


def columns_of(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return sum(_columns_of_character(character) for character in text)


def _columns_of_character(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, width: int) -> str:
    """The beginning of the text in at most `width` columns, with an ellipsis where something is missing."""
    if columns_of(text) <= width:
        return text
    kept, used = "", 0
    for character in text:
        used += _columns_of_character(character)
        if used > width - 1:
            break
        kept += character
    return f"{kept}…"


def table(columns: Sequence[Column], rows: Sequence[Row], screen: Screen) -> list[str]:
    """The lines of a table with its heading; every row has one cell per column."""
    natural = [
        max([columns_of(column.title), *(columns_of(row[index].text) for row in rows)])
        for index, column in enumerate(columns)
    ]
    widths = natural if screen.width is None else _fitted(columns, natural, screen.width)
    heading = [Cell(column.title, bold=True) for column in columns]
    return [_line(columns, row, widths, screen) for row in (heading, *rows)]


def _fitted(columns: Sequence[Column], natural: Sequence[int], width: int) -> list[int]:
    """Widths that fit; 0 for a column that is left out."""
    widths = list(natural)
    while (excess := _total(widths) - width) > 0:
        spare = [
            max(0, widths[index] - column.least) if column.least is not None else 0
            for index, column in enumerate(columns)
        ]
        goes = max(range(len(columns)), key=lambda index: columns[index].dispensable if widths[index] else -1)
        if sum(spare) >= excess:
            return _narrowed(widths, spare, excess)
        if not columns[goes].dispensable:
            # Nothing more can go: what may be cut is cut further than is good to read.
            return _narrowed(widths, [max(0, width - 1) for width in widths], excess)
        widths[goes] = 0
    return widths


def _total(widths: Sequence[int]) -> int:
    shown = [width for width in widths if width]
    return sum(shown) + len(_GAP) * max(0, len(shown) - 1)


def _narrowed(widths: list[int], spare: list[int], excess: int) -> list[int]:
    """Takes `excess` columns from where most can be spared, one at a time."""
    for _ in range(min(excess, sum(spare))):
        richest = max(range(len(widths)), key=lambda index: spare[index])
        widths[richest] -= 1
        spare[richest] -= 1
    return widths


def _line(columns: Sequence[Column], row: Row, widths: Sequence[int], screen: Screen) -> str:
    shown = [
        _padded(cell, width, screen, is_right=column.is_right)
        for column, cell, width in zip(columns, row, widths, strict=True)
        if width
    ]
    return _GAP.join(shown).rstrip()


def _padded(cell: Cell, width: int, screen: Screen, *, is_right: bool) -> str:
    text = cut(cell.text, width)
    blank = " " * (width - columns_of(text))
    styled = screen.styled(text, colour=cell.colour, bold=cell.bold)
    return blank + styled if is_right else styled + blank


def fields(pairs: Sequence[tuple[str, Cell]], screen: Screen) -> list[str]:
    """Lines of `name  value`, long values continued under themselves; pairs with an empty value are left out."""
    pairs = [(name, cell) for name, cell in pairs if cell.text]
    indent = max((columns_of(name) for name, _ in pairs), default=0) + len(_GAP)
    lines = []
    for name, cell in pairs:
        first, *more = wrapped(cell.text, screen, indent=indent)
        label = screen.styled(name, dim=True) + " " * (indent - columns_of(name))
        lines.append(label + screen.styled(first, colour=cell.colour, bold=cell.bold))
        lines.extend(" " * indent + screen.styled(line, colour=cell.colour, bold=cell.bold) for line in more)
    return lines


def beside(head: str, text: str, screen: Screen) -> list[str]:
    """The text beside its head, continued under itself; on a screen too narrow for that, under the head."""
    indent = columns_of(head)
    if screen.width is not None and screen.width - indent < _LEAST_ROOM:
        return [head.rstrip(), *(f"    {line}" for line in wrapped(text, screen, indent=4))]
    first, *more = wrapped(text, screen, indent=indent)
    return [head + first, *(" " * indent + line for line in more)]


def wrapped(text: str, screen: Screen, *, indent: int) -> list[str]:
    """The text in lines that fit beside an indent of so many columns; at least one line, whole in a pipe."""
    if screen.width is None:
        return [text]
    room = max(_LEAST_ROOM, screen.width - indent)
    lines = [""]
    for word in text.split():
        line = f"{lines[-1]} {word}" if lines[-1] else word
        if columns_of(line) <= room:
            lines[-1] = line
        else:
            pieces = list(_pieces(word, room))
            lines[len(lines) if lines[-1] else 0 :] = pieces
    return lines


def _pieces(word: str, room: int) -> Iterator[str]:
    """A word in parts of at most `room` columns: long Message-IDs have no place to break."""
    piece = ""
    for character in word:
        if columns_of(piece + character) > room:
            yield piece
            piece = ""
        piece += character
    yield piece
