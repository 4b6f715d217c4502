"""Content-Transfer-Encoding undone as far as it goes: base64, quoted-printable, uuencode. Nothing here can fail."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from itertools import islice

from mailcase.mail import limits

_TOKEN = re.compile(r"[a-z0-9-]+")
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(set(range(256)) - set(_ALPHABET))
_BASE64_LINES = _ALPHABET + b"= \t\r\n"
#: A piece of base64 up to its padding.
_PADDED = re.compile(rb"[^=]++=*+|=++|\Z")
#: A soft line break with blanks behind it, which some relays add.
_LOOSE_BREAK = re.compile(rb"=[ \t]+(?=\r?\n)")
#: Quoted-printable is decoded in blocks of whole lines: a list of all its soft breaks would cost thirty times the mail.
_BLOCK_BYTES = 64 * 1024
#: Lines that can hold data, or end it; a hostile mail has millions of shorter ones.
_UU_LINE = re.compile(rb"[^\r\n]{3,}+|(?<![^\r\n])`(?![^\r\n])")
_UU_BEGIN = re.compile(rb"(?:\A|[\r\n])begin [^\r\n]*+")
_UU = frozenset({"x-uuencode", "uuencode", "x-uue", "uue"})
_PLAIN = frozenset({"", "7bit", "8bit", "binary", "7-bit", "8-bit", "none"})


def encoding_of(header: str) -> str:
    """The token of a Content-Transfer-Encoding header in lower case, "" for none."""
    found = _TOKEN.search(header.lower())
    return found.group() if found else ""


def is_known(encoding: str) -> bool:
    """Whether `decode` undoes it or there is nothing to undo."""
    return encoding in _PLAIN or encoding in _UU or encoding in ("base64", "quoted-printable")


def decode(data: bytes, encoding: str) -> bytes:
    """The bytes as they were before `encoding`; unchanged for an encoding that nobody knows."""
    if encoding == "base64":
        return _base64(data)
    if encoding == "quoted-printable":
        return b"".join(binascii.a2b_qp(_LOOSE_BREAK.sub(b"=", block)) for block in _blocks(data))
    if encoding in _UU:
        return _uuencode(data)
    return data


def _base64(data: bytes) -> bytes:
    if b"=" not in data.rstrip(b"=\r\n \t"):
        try:
            return binascii.a2b_base64(data)
        except binascii.Error:
            pass
    # Pieces glued together, each with its padding; a letter too many; or something else behind the end.
    pieces = (found.group() for found in islice(_PADDED.finditer(data), limits.ENCODED_PIECES))
    decoded = bytearray(_base64_piece(next(pieces)))
    for piece in pieces:
        if _is_whole(piece):
            decoded += _base64_piece(piece)
    return bytes(decoded)


def _blocks(data: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        end = data.find(b"\n", start + _BLOCK_BYTES) + 1 or len(data)
        yield data[start:end]
        start = end


def _base64_piece(piece: bytes) -> bytes:
    letters = piece.translate(None, _NOT_BASE64)
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


def _is_whole(piece: bytes) -> bool:
    return len(piece.translate(None, b" \t\r\n")) % 4 == 0 and not piece.translate(None, _BASE64_LINES)


def _uuencode(data: bytes) -> bytes:
    begin = _UU_BEGIN.search(data)
    decoded = bytearray()
    for found in islice(_UU_LINE.finditer(data, begin.end() if begin else 0), limits.ENCODED_PIECES):
        line = found.group()
        if line.strip() in (b"end", b"`"):
            break
        decoded += _uu_line(line)
    return bytes(decoded)


def _uu_line(line: bytes) -> bytes:
    """One line: a character for its length, then four for each three bytes, of which the last may have been lost."""
    length = (line[0] - 32) & 63
    whole = 1 + (length + 2) // 3 * 4
    # What is missing decodes to zeros; more than half of it would only make a small mail large.
    if len(line) * 2 <= whole:
        return b""
    try:
        return binascii.a2b_uu(line[:whole])
    except binascii.Error:
        return b""
