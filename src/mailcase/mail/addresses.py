"""Address headers as people and programs really write them: one pass, no recursion, no exception."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mailcase.mail import headers, limits
from mailcase.mail.message import Address

_WORD = r"(?P<word>=\?[^?\s]{1,60}\?[BbQq]\?[^?]*+\?=)"
_TOKEN = re.compile(
    r"""(?P<quoted>"(?:[^"\\]++|\\.)*+(?P<closed>")?)|(?P<angle><[^<>"]*+(?:"[^"]*+"[^<>"]*+)*+>?)"""
    rf"""|{_WORD}|(?P<special>[,;:()])|(?P<text>[^",;:()<=]++|=)""",
    re.DOTALL,
)
#: For values whose quotes or comments do not end: both mean nothing then.
_LENIENT_TOKEN = re.compile(rf"(?P<angle><[^<>]*+>?)|{_WORD}|(?P<special>[,;:])|(?P<text>[^,;:<=]++|=)")


_UNCLOSED = re.compile(r"[,;\s]")


@dataclass(slots=True)
class _Entry:
    """What was read since the last comma."""

    #: Words and quoted strings as written.
    text: list[str] = field(default_factory=list)
    comment: list[str] = field(default_factory=list)
    angle: str | None = None


def parse(value: str) -> tuple[tuple[Address, ...], bool]:
    """The mailboxes of an unfolded header value, and whether there were more than the limit. Groups are dissolved.

    Several addresses where one should stand are all given, so that nobody is taken for somebody (S3).
    """
    entries = _entries(value)
    found: list[Address] = []
    for entry in _lenient_entries(value) if entries is None else entries:
        found += _mailboxes(entry)
        if len(found) > limits.ADDRESSES_PER_HEADER:
            return tuple(found[: limits.ADDRESSES_PER_HEADER]), True
    return tuple(found), False


def _entries(value: str) -> list[_Entry] | None:
    """What stands between the commas; None when a quote or a comment does not end."""
    entries = [_Entry()]
    depth = 0
    for token in _TOKEN.finditer(value):
        kind, text = token.lastgroup, token.group()
        if kind == "quoted" and not token.group("closed"):
            return None
        if text == "(":
            depth += 1
        elif text == ")":
            depth = max(depth - 1, 0)
        elif depth:
            entries[-1].comment.append(text)
        else:
            _take(entries, kind, text)
    return None if depth else entries


def _lenient_entries(value: str) -> list[_Entry]:
    entries = [_Entry()]
    for token in _LENIENT_TOKEN.finditer(value):
        _take(entries, token.lastgroup, token.group().replace('"', ""))
    return entries


def _take(entries: list[_Entry], kind: str | None, text: str) -> None:
    entry = entries[-1]
    if text in (",", ";"):
        entries.append(_Entry())
    elif kind == "angle" and entry.angle is None:
        entry.angle = _inside(text)
    elif kind == "angle":
        entries.append(_Entry(angle=_inside(text)))
    elif text == ":" and "@" not in "".join(entry.text):
        entry.text.clear()  # the name of a group, or `mailto:`
    else:
        entry.text.append(text)


def _inside(angle: str) -> str:
    """What stands between angle brackets, of which the second may be missing."""
    inside = angle.strip("<>")
    return inside if angle.endswith(">") else _UNCLOSED.split(inside, maxsplit=1)[0]


def _mailboxes(entry: _Entry) -> list[Address]:
    if entry.angle is not None:
        address = _address(entry.angle)
        return [Address(name=_name(entry.text) or _name(entry.comment), address=address)] if address else []
    written = "".join(entry.text).strip()
    if "@" not in written and "=?" in written:
        # The whole mailbox in one encoded word: read it again, once, and only if it names one mailbox.
        again, _ = parse(headers.decode_words(written).replace("=?", ""))
        return list(again) if len(again) == 1 else []
    if written.count("@") > 1 and '"' not in written:
        return [Address(name="", address=_address(word)) for word in written.split() if "@" in word]
    address = _address(_unquoted_whole(written))
    if not address or (" " in written and "@" not in written):
        return []
    return [Address(name=_name(entry.comment), address=address)]


def _unquoted_whole(written: str) -> str:
    if len(written) > 1 and written[0] == written[-1] == '"' and written.count('"') == 2:
        return written[1:-1]
    return written


def _address(written: str) -> str:
    """An addr-spec without source route, comments around it and blanks."""
    route, colon, address = written.rpartition(":")
    if colon and route.lstrip().startswith("@"):
        written = address
    written = headers.clean(written)
    return written if '"' in written else "".join(written.split())


def _name(pieces: list[str]) -> str:
    text = "".join(_unquoted(piece) for piece in pieces)
    return " ".join(headers.clean(headers.decode_words(text)).split())


def _unquoted(piece: str) -> str:
    if not piece.startswith('"'):
        return piece
    return piece[1:].removesuffix('"').replace('\\"', '"').replace("\\\\", "\\")
