"""Content-Transfer-Encoding undone as far as it goes: base64, quoted-printable, uuencode. Nothing here can fail."""

from __future__ import annotations

import binascii
import re

_TOKEN = re.compile(r"[a-z0-9-]+")
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(set(range(256)) - set(_ALPHABET))
_BASE64_LINES = _ALPHABET + b"= \t\r\n"
#: A piece of base64 up to its padding.
_PADDED = re.compile(rb"[^=]++=*+|=++|\Z")
#: A soft line break with blanks behind it, which some relays add.
_LOOSE_BREAK = re.compile(rb"=[ \t]+(?=\r?\n)")
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
        return binascii.a2b_qp(_LOOSE_BREAK.sub(b"=", data))
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
    first, *others = _PADDED.findall(data)
    decoded = [_base64_piece(first)]
    decoded += [_base64_piece(piece) for piece in others if _is_whole(piece)]
    return b"".join(decoded)


def _base64_piece(piece: bytes) -> bytes:
    letters = piece.translate(None, _NOT_BASE64)
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


def _is_whole(piece: bytes) -> bool:
    return len(piece.translate(None, b" \t\r\n")) % 4 == 0 and not piece.translate(None, _BASE64_LINES)


def _uuencode(data: bytes) -> bytes:
    lines = data.splitlines()
    begin = next((index for index, line in enumerate(lines) if line.startswith(b"begin ")), -1)
    decoded = []
    for line in lines[begin + 1 :]:
        if line.strip() in (b"end", b"`"):
            break
        decoded.append(_uu_line(line))
    return b"".join(decoded)


def _uu_line(line: bytes) -> bytes:
    """One line: a character for its length, then four for each three bytes, of which the last may have been lost."""
    length = (line[0] - 32) & 63 if line else 0
    whole = 1 + (length + 2) // 3 * 4
    # What is missing decodes to zeros; more than half of it would only make a small mail large.
    if len(line) * 2 <= whole:
        return b""
    try:
        return binascii.a2b_uu(line[:whole])
    except binascii.Error:
        return b""
