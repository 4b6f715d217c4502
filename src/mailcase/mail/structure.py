"""The parts of a mail, found by scanning for boundaries over the bytes: one pass, no recursion, nothing decoded.

A delimiter of an outer multipart ends the inner ones, so a lost closing line costs nothing. Each open multipart keeps
where its next delimiter is; an inner search never goes past an outer one, so every byte is searched at most once for
each level.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mailcase.mail import headers, limits, transfer
from mailcase.mail.headers import HeaderBlock

_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
_DELIMITER_TAIL = re.compile(rb"(--)?[ \t]*+\r?(?:\n|\Z)")
#: A delimiter in a body whose boundary is not declared: the first such line with a part's header under it.
_UNDECLARED = re.compile(rb"(?:\A|\n)--([^\r\n\s][^\r\n]{0,200})\r?\n(?=content-)", re.IGNORECASE)
_HTML = re.compile(rb"\s*+(?:<!doctype html|<html)", re.IGNORECASE)


@dataclass(slots=True, kw_only=True)
class Part:
    """One part of a mail, a container or a leaf. The body is `raw[start:end]`, still encoded."""

    #: Lower-case `type/subtype`.
    type: str
    parameters: dict[str, str]
    #: Lower-case word of Content-Disposition, "" for none.
    disposition: str
    #: The file name as the sender wrote it, decoded; None for none.
    filename: str | None
    #: Lower-case Content-Transfer-Encoding, "" for none.
    encoding: str
    start: int
    end: int
    #: The containers around it, outermost first.
    inside: tuple[Part, ...]


@dataclass(slots=True)
class _Level:
    """A multipart that is being read."""

    container: Part
    delimiter: bytes
    #: Offset of its next delimiter line, or where the search for it ended.
    next: int
    found: bool = False
    #: Behind that line, and whether it is the closing one.
    after: int = 0
    closes: bool = False
    #: The closing delimiter was seen.
    closed: bool = False


@dataclass(slots=True)
class Scan:
    """The leaves in order, and what was wrong."""

    leaves: list[Part] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)


def scan(raw: bytes, block: HeaderBlock) -> Scan:
    """The parts of a mail whose header block was split already."""
    return _Scanner(raw).run(block)


class _Scanner:
    """The state of one scan."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._result = Scan()
        self._levels: list[_Level] = []
        #: The leaf whose end was not seen yet.
        self._open: Part | None = None
        self._part_count = 0
        self._false_count = 0

    def run(self, block: HeaderBlock) -> Scan:
        self._begin(block, inside=(), limit=len(self._raw))
        position = block.body
        while (level := self._next_delimiter(position)) is not None:
            self._end_leaf(level.next)
            self._leave(self._levels.index(level) + 1)
            position = self._pass_delimiter(level)
            if self._part_count >= limits.PARTS:
                self._result.defects.append("too many parts, the rest is not read")
                return self._result
        self._end_leaf(len(self._raw), at_end=True)
        self._leave(0)
        if self._false_count >= limits.FALSE_BOUNDARIES:
            self._result.defects.append("too many lines like a boundary, the rest is one part")
        return self._result

    def _leave(self, depth: int) -> None:
        """Gives up the levels from `depth` inwards."""
        if not all(level.closed for level in self._levels[depth:]):
            self._result.defects.append("closing boundary missing")
        del self._levels[depth:]

    def _next_delimiter(self, position: int) -> _Level | None:
        """The level whose delimiter comes first at or after `position`; an outer one wins over an inner one."""
        limit = len(self._raw)
        first = None
        for level in self._levels:
            if level.next < position:
                self._search(level, position, limit)
            if level.found and level.next < limit:
                limit = level.next
                first = level
        return first

    def _search(self, level: _Level, position: int, limit: int) -> None:
        raw, delimiter = self._raw, level.delimiter
        level.found = False
        while self._false_count < limits.FALSE_BOUNDARIES:
            at = raw.find(delimiter, position, limit)
            if at < 0:
                break
            tail = _DELIMITER_TAIL.match(raw, at + len(delimiter))
            if tail and (at == level.container.start or raw[at - 1] == 0x0A):
                level.next, level.found = at, True
                level.after, level.closes = tail.end(), tail.group(1) is not None
                return
            self._false_count += 1
            position = at + len(delimiter)
        level.next = limit

    def _pass_delimiter(self, level: _Level) -> int:
        """Goes past a delimiter line and, unless it closes, begins the part under it; the offset to go on from."""
        if level.closes:
            level.closed = True
            return level.after
        start = level.after
        inside = (*level.container.inside, level.container)
        # The header of the part ends where the next delimiter stands, at the latest.
        following = self._next_delimiter(start)
        limit = following.next if following else len(self._raw)
        block = headers.split(self._raw, start, limit)
        self._begin(block, inside=inside, limit=limit)
        return block.body

    def _begin(self, block: HeaderBlock, *, inside: tuple[Part, ...], limit: int) -> None:
        self._part_count += 1
        self._result.defects += block.defects
        part = self._part(block, inside)
        if part.type.startswith("multipart/") and self._open_container(part, limit):
            return
        self._open = part

    def _open_container(self, part: Part, limit: int) -> bool:
        """Whether the multipart has parts that can be found."""
        if len(self._levels) >= limits.MULTIPART_DEPTH:
            self._result.defects.append("multiparts too deep, the innermost are kept unread")
            return False
        declared = part.parameters.get("boundary", "").rstrip()
        level = _Level(part, b"--" + declared.encode("utf-8", "surrogateescape"), next=-1)
        if declared:
            self._search(level, part.start, limit)
        if not level.found:
            undeclared = _UNDECLARED.search(self._raw, max(part.start - 1, 0), limit)
            if undeclared is None:
                self._result.defects.append("multipart without parts, read as text")
                part.type = "text/plain"
                return False
            self._result.defects.append("boundary wrong or missing, taken from the body")
            level.delimiter = b"--" + undeclared.group(1).rstrip()
            self._search(level, part.start, limit)
        self._levels.append(level)
        return True

    def _end_leaf(self, at: int, *, at_end: bool = False) -> None:
        """The line end before a delimiter belongs to the delimiter (RFC 2046 5.1.1)."""
        part, self._open = self._open, None
        if part is None:
            return
        if not at_end and at > part.start and self._raw[at - 1] == 0x0A:
            at -= 1
            if at > part.start and self._raw[at - 1] == 0x0D:
                at -= 1
        part.end = max(at, part.start)
        self._result.leaves.append(part)

    def _part(self, block: HeaderBlock, inside: tuple[Part, ...]) -> Part:
        kind, parameters = headers.parameters_of(block.first("content-type") or b"")
        disposition, details = headers.parameters_of(block.first("content-disposition") or b"")
        encoding = transfer.encoding_of((block.first("content-transfer-encoding") or b"").decode("latin-1"))
        if not transfer.is_known(encoding):
            self._result.defects.append("transfer encoding unknown, left as it is")
        return Part(
            type=self._type(kind, block, inside),
            parameters=parameters,
            disposition=disposition,
            filename=details.get("filename") or parameters.get("name"),
            encoding=encoding,
            start=block.body,
            end=block.body,
            inside=inside,
        )

    def _type(self, written: str, block: HeaderBlock, inside: tuple[Part, ...]) -> str:
        if _TYPE.fullmatch(written):
            return written
        if written:
            self._result.defects.append("content type unreadable, taken as text")
        elif inside and inside[-1].type == "multipart/digest":
            return "message/rfc822"
        return "text/html" if _HTML.match(self._raw, block.body) else "text/plain"
