"""Header blocks: split over the bytes, decoded into clean text, ids and parameters. Linear in time, for any bytes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mailcase.mail import charset, limits, transfer

_BLANK_LINE = re.compile(rb"\n\r?\n")
_FIELD = re.compile(rb"([!-9;-~]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)(?:\n|\Z)")
_FOLD = re.compile(rb"\r?\n")
_BLANK_LINES = re.compile(rb"(?:\r?\n)++")
#: Blanks inside an encoded word are wrong and common. `?` ends each part, so no input is scanned twice.
_ENCODED_WORD = re.compile(r"=\?([^?\s]{1,60})\?([BbQq])\?([^?]*+)\?=")
_HEX = re.compile(rb"=([0-9A-Fa-f]{2})")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_ANGLE_ID = re.compile(r"<([^<>]*+)>")
#: Pieces of a parameter list: `;` inside quotes does not separate.
_PARAMETER = re.compile(r'(?:[^;"]++|"(?:[^"\\]++|\\.)*+(?:"|\\?\Z))++', re.DOTALL)
_SECTION = re.compile(r"([^*]+)\*(?:([0-9]{1,4})(\*)?)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderBlock:
    """A header block, undecoded."""

    #: Lower-case name and folded value, in order.
    fields: tuple[tuple[str, bytes], ...]
    #: Offset of the first byte of the body.
    body: int
    defects: tuple[str, ...]

    def first(self, name: str) -> bytes | None:
        """The first value of a header, None when absent. `name` in lower case."""
        return next((value for key, value in self.fields if key == name), None)

    def all(self, name: str) -> tuple[bytes, ...]:
        """Every value of a header, in order. `name` in lower case."""
        return tuple(value for key, value in self.fields if key == name)


def split(raw: bytes, start: int, end: int) -> HeaderBlock:
    """The header block at `start`, in a region that reaches to `end`.

    A line that is no field is skipped when a field follows it, else the body begins there. A Berkeley mbox line at the
    top is skipped.
    """
    body, block_end = _body_of(raw, start, end)
    defects = []
    if block_end - start > limits.HEADER_BYTES:
        defects.append("header block too long, the rest is not read")
        block_end = start + limits.HEADER_BYTES
    fields: list[tuple[str, bytes]] = []
    position = start
    while position < block_end:
        if len(fields) == limits.HEADER_FIELDS:
            defects.append("too many header fields, the rest is not read")
            break
        found = _FIELD.match(raw, position, block_end)
        if found:
            fields.append((found.group(1).decode("ascii").lower(), found.group(2)))
            position = found.end()
            continue
        after = _end_of_line(raw, position, block_end)
        is_mbox_line = position == start and raw.startswith((b"From ", b">From "), position)
        if not is_mbox_line and not _goes_on(raw, after, block_end, is_last=bool(fields) and body > block_end):
            defects.append("no blank line before the body")
            body = position
            break
        if not is_mbox_line:
            defects.append("a header line without a name is skipped")
        position = after
    return HeaderBlock(fields=tuple(fields), body=body, defects=tuple(defects))


def _body_of(raw: bytes, start: int, end: int) -> tuple[int, int]:
    """Where the body begins and where the header block ends."""
    for blank in (b"\n", b"\r\n"):
        if raw.startswith(blank, start, end):
            return start + len(blank), start
    found = _BLANK_LINE.search(raw, start, end)
    return (found.end(), found.start() + 1) if found else (end, end)


def _goes_on(raw: bytes, after: int, end: int, *, is_last: bool) -> bool:
    """Whether a line that is no field still belongs to the header: a field, or the blank line, follows it."""
    return is_last if after >= end else _FIELD.match(raw, after, end) is not None


def start_of(raw: bytes) -> int:
    """Where the header of a mail begins: behind blank lines at the top, if a field follows them."""
    blank = _BLANK_LINES.match(raw)
    return blank.end() if blank and _FIELD.match(raw, blank.end()) else 0


def _end_of_line(raw: bytes, position: int, end: int) -> int:
    found = raw.find(b"\n", position, end)
    return end if found < 0 else found + 1


def clean(text: str) -> str:
    """Text of one line: control, format, private and unassigned characters and line separators become blanks (S4)."""
    if text.isprintable():
        return text.strip()
    return "".join(" " if _is_unsafe(character) else character for character in text).strip()


def _is_unsafe(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] == "C" or category in ("Zl", "Zp")


def unfold(value: bytes, hint: str | None = None) -> tuple[str, str | None]:
    """A header value on one line, encoded words still in it, and what was unusual about its charset.

    `hint` is the charset of the body, which 8-bit headers mostly share.
    """
    if b"\n" in value:
        value = _FOLD.sub(b"", value)
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii").strip(), None
    text, defect = charset.decode(value)
    if hint and defect is not None:
        text, _ = charset.decode(value, hint)
    return text.strip(), "8-bit header" if defect is None else f"8-bit header, {defect}"


def decode_words(text: str) -> str:
    """Text with its encoded words decoded (RFC 2047), those encoded twice too; not yet clean."""
    if "=?" not in text:
        return text
    decoded = _decode_words_once(text)
    return _decode_words_once(decoded) if "=?" in decoded else decoded


def _decode_words_once(text: str) -> str:
    pieces: list[str] = []
    #: Bytes of neighbouring words of one charset: some senders cut a character in two.
    pending = bytearray()
    pending_charset = ""
    position = 0
    for word in _ENCODED_WORD.finditer(text):
        between = text[position : word.start()]
        name = word.group(1).partition("*")[0]
        if pending_charset and (between.strip() or name.lower() != pending_charset.lower()):
            pieces.append(charset.decode(bytes(pending), pending_charset)[0])
            pending.clear()
        if between.strip() or not position:
            pieces.append(between)
        pending += _word_bytes(word.group(2), word.group(3), name)
        pending_charset = name
        position = word.end()
    if pending_charset:
        pieces.append(charset.decode(bytes(pending), pending_charset)[0])
    pieces.append(text[position:])
    return "".join(pieces)


def _word_bytes(encoding: str, payload: str, name: str) -> bytes:
    # 8-bit characters in a word are wrong, and meant in its charset.
    data = payload.encode("ascii" if payload.isascii() else charset.codec_of(name) or "utf-8", "replace")
    if encoding in "bB":
        return transfer.decode(data, "base64")
    return _HEX.sub(lambda found: bytes((int(found.group(1), 16),)), data.replace(b"_", b" "))


def text_of(value: bytes, hint: str | None = None) -> tuple[str, str | None]:
    """A header value decoded, on one line, clean and within its limit, and what was unusual about it."""
    text, defect = unfold(value, hint)
    text = clean(decode_words(text))
    if len(text) > limits.HEADER_VALUE:
        return text[: limits.HEADER_VALUE], defect or "too long, cut"
    return text, defect


def ids_of(text: str) -> list[str]:
    """Message-IDs in an unfolded header value, in order, without brackets; blanks inside an id come from folding.

    Without any brackets every word counts.
    """
    text = decode_words(text)
    candidates: Iterable[str] = _ANGLE_ID.findall(text) if "<" in text else text.split()
    ids = []
    for candidate in candidates:
        identity = "".join(clean(candidate).split())
        if identity and len(identity.encode("utf-8", "replace")) <= limits.MESSAGE_ID_BYTES:
            ids.append(identity)
    return ids


def parameters_of(value: bytes) -> tuple[str, dict[str, str]]:
    """The lower-case word at the front (`text/plain`, `attachment`) and the parameters, names in lower case.

    Values are decoded: quotes, RFC 2231 sections and charsets, encoded words, raw 8-bit bytes; not yet clean. The
    first of two equal names wins, `name*` wins over `name`.
    """
    text = _FOLD.sub(b"", value).decode("ascii", "surrogateescape")
    pieces = _PARAMETER.findall(text)[: limits.PARAMETERS + 1]
    if not pieces:
        return "", {}
    front, *rest = pieces[0].split(None, 1) or [""]
    # The word at the front, or the first semicolon, is forgotten now and then.
    pieces[:1] = rest
    if "=" in front:
        pieces.insert(0, front)
        front = ""
    plain: dict[str, str] = {}
    sections: dict[str, list[tuple[int, bool, str]]] = {}
    for piece in pieces:
        name, equals, content = piece.partition("=")
        name = name.strip().lower()
        if not equals or not name:
            continue
        section = _SECTION.fullmatch(name)
        if section:
            number = int(section.group(2) or 0)
            encoded = section.group(2) is None or section.group(3) is not None
            sections.setdefault(section.group(1), []).append((number, encoded, _unquoted(content)))
        else:
            plain.setdefault(name, _unquoted(content))
    values = {name: decode_words(_undo_surrogates(content)) for name, content in plain.items()}
    values.update({name: _joined(parts) for name, parts in sections.items()})
    return front.lower(), values


def _unquoted(content: str) -> str:
    content = content.strip()
    if not content.startswith('"'):
        return content
    # A backslash before anything else is a Windows path, not a quotation.
    return content[1:].removesuffix('"').replace("\\\\", "\\").replace('\\"', '"')


def _undo_surrogates(content: str) -> str:
    return content if content.isascii() else charset.decode(content.encode("ascii", "surrogateescape"))[0]


def _joined(sections: Sequence[tuple[int, bool, str]]) -> str:
    """The value of `name*0*=charset'language'...; name*1=...` (RFC 2231), in whatever order it came."""
    ordered = sorted(sections, key=lambda section: section[0])
    data = bytearray()
    name = None
    for index, (_, encoded, content) in enumerate(ordered):
        if encoded and index == 0 and content.count("'") >= 2:
            name, _, content = content.split("'", 2)
        piece = content.encode("ascii", "surrogateescape")
        data += _PERCENT.sub(lambda found: bytes((int(found.group(1), 16),)), piece) if encoded else piece
    return decode_words(charset.decode(bytes(data), name or None)[0])
