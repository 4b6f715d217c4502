"""Writes a letter as the bytes of a mail.

`EmailMessage` is not used: it takes ten times as long, and it folds a Message-ID of 78 characters or more
into encoded words, which ends the thread (docs/decisions/0016). Instead:

1. The headers are a closed set; each value passes through one of three writers: text, addresses, ids.
2. No value can end a line: text is cleaned of control characters, addresses and ids are checked.
3. A boundary holds `=_`, which neither quoted-printable nor base64 can produce (RFC 2045 s. 6.7); plain text that
   has it goes as quoted-printable.

Lines are at most 78 characters where the content lets them, never more than 998 (RFC 5322 s. 2.1.1).
"""

from __future__ import annotations

import binascii
import re
import unicodedata
from collections.abc import Iterable, Sequence
from email.utils import format_datetime
from typing import AnyStr

from mailcase.mail.message import Address
from mailcase.outbound.letter import Letter, OutgoingAttachment, is_writable_address, is_writable_id

#: Everything that Exchange would send by itself but the non-delivery report, which T31 needs (MS-OXCMAIL 2.2.3.2.14).
_SUPPRESSED = "DR, RN, NRN, OOF, AutoReply"

_LINE = 78
#: Longest word of a text header that is written as it is.
_WORD = 66
#: Characters inside one encoded word: with its frame of 12 and the longest header name it stays within the 76 of a line
#: that RFC 2047 s. 2 allows.
_ENCODED = 52

_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_SPACES = re.compile(r" {2,}")
#: RFC 5322 phrase of atoms; a dot is an atom's character in no strict reading, so names with one are quoted.
_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+", re.ASCII)
_QUOTABLE = re.compile(r"[ -~]*", re.ASCII)
_NOT_IN_FILENAMES = re.compile(r'["<>|:*?/\\]')
_PLAIN_FILENAME = re.compile(r"[A-Za-z0-9 ._()+,&'#@!-]{1,60}", re.ASCII)
#: What stands for itself in a Q encoded word, also inside a phrase (RFC 2047 s. 5, rule 3).
_Q_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
#: What stands for itself in an extended parameter value (RFC 2231 s. 7, attribute-char).
_PARAMETER_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$&+-.^_`{|}~")
_TYPE = re.compile(r"(?!multipart/|message/)[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,100}", re.ASCII)
_BOUNDARY = re.compile(r"[A-Za-z0-9]{8,40}", re.ASCII)
_PLAIN_BODY = re.compile(r"[\t\n\x20-\x7e]*", re.ASCII)
_LINE_ENDS = re.compile(r"\r\n|\r")

#: The header lines of a part (joined by CRLF, without a final one) and its encoded body.
_Part = tuple[str, bytes]


def compose(letter: Letter, *, boundary: str) -> bytes:
    """The finished mail, every line ended by CRLF.

    Text and HTML are UTF-8 with LF, CRLF or CR as line ends and get a final one where it is missing. `boundary` is a
    fresh random word of 8 to 40 letters and digits.

    Raises:
        ValueError: an address or our own Message-ID cannot be written, the date is naive, or the boundary is no word.

    """
    if _BOUNDARY.fullmatch(boundary) is None:
        raise ValueError(f"not fit for a boundary: {boundary!r}")
    part_headers, body = _content(letter, boundary)
    head = "\r\n".join((*_headers(letter), "MIME-Version: 1.0", part_headers, "", ""))
    return head.encode("ascii") + body


def clean_text(value: str) -> str:
    """One line of text for a header: control and format characters, surrogates and line separators become spaces, runs
    of spaces one. No space of any kind at the ends, where parsers strip it; a no-break space inside stays.
    """
    if not value.isprintable():
        value = "".join(" " if unicodedata.category(char) in _UNSAFE_CATEGORIES else char for char in value)
    return _SPACES.sub(" ", value).strip()


def clean_name(value: str) -> str:
    """A display name: `clean_text` with every run of white space as one space, since parsers read it so."""
    return " ".join(clean_text(value).split())


def clean_filename(name: str) -> str:
    """A name under which every system can store the file: what stands for a path or a quote somewhere becomes `_`."""
    return _NOT_IN_FILENAMES.sub("_", clean_text(name)) or "attachment"


def clean_body(text: str) -> str:
    """The text as it will be read back: line ends are LF, the last line is ended, NUL and surrogates are replaced."""
    if "\r" in text:
        text = _LINE_ENDS.sub("\n", text)
    if not text.isascii() or "\0" in text:
        text = text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")
    return text if text.endswith("\n") else text + "\n"


# ---- headers -----------------------------------------------------------------------------------------------------


def _headers(letter: Letter) -> list[str]:
    """Every header of the mail but those of MIME, in the order in which people read them."""
    if letter.date.tzinfo is None:
        raise ValueError("the date of a letter has no zone")
    if not is_writable_id(letter.message_id):
        raise ValueError(f"not fit for a Message-ID: {letter.message_id!r}")
    lines = [
        f"Date: {format_datetime(letter.date)}",
        _addresses("From", (letter.from_,)),
        _addresses("To", letter.to),
        _addresses("Cc", letter.cc),
        _addresses("Reply-To", (letter.reply_to,) if letter.reply_to else ()),
        _text("Subject", letter.subject),
        f"Message-ID: <{letter.message_id}>",
        _ids("In-Reply-To", (letter.in_reply_to,) if letter.in_reply_to else ()),
        _ids("References", letter.references),
    ]
    if letter.auto_submitted is not None:
        lines += [f"Auto-Submitted: {letter.auto_submitted}", f"X-Auto-Response-Suppress: {_SUPPRESSED}"]
    lines.append(_text("X-Mailcase-Instance", letter.mark))
    if letter.case_ref is not None:
        lines.append(_text("X-Mailcase-Case", letter.case_ref))
    return [line for line in lines if line]


def _text(name: str, value: str) -> str:
    """An unstructured header."""
    value = clean_text(value)
    words = value.split(" ")
    if not value.isascii() or "=?" in value or max(map(len, words)) > _WORD:
        words = _encoded_words(value)
    return _fold(name, words)


def _addresses(name: str, addresses: Sequence[Address]) -> str:
    """An address header, "" for no address."""
    words: list[str] = []
    for address in addresses:
        if not is_writable_address(address.address):
            raise ValueError(f"not fit for an address header: {address.address!r}")
        display_name = clean_name(address.name)
        if display_name:
            words += _display_name(display_name)
            words.append(f"<{address.address}>,")
        else:
            words.append(f"{address.address},")
    if not words:
        return ""
    words[-1] = words[-1][:-1]
    return _fold(name, words)


def _display_name(name: str) -> list[str]:
    """The words of a display name: as it is, quoted or encoded."""
    if not _QUOTABLE.fullmatch(name) or "=?" in name or len(name) > _WORD:
        return _encoded_words(name)
    if _PHRASE.fullmatch(name):
        return [name]
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return [f'"{escaped}"']


def _ids(name: str, ids: Sequence[str]) -> str:
    """A header of Message-IDs, each whole; one that cannot be written so is left out. "" when none is left."""
    words = [f"<{message_id}>" for message_id in ids if is_writable_id(message_id)]
    return _fold(name, words) if words else ""


def _fold(name: str, words: Iterable[str]) -> str:
    """The header with its words divided by single spaces, folded between words; the first is on the header's line."""
    lines = []
    line = f"{name}:"
    is_first = True
    for word in words:
        if not is_first and len(line) + 1 + len(word) > _LINE:
            lines.append(line)
            line = ""
        line = f"{line} {word}"
        is_first = False
    lines.append(line)
    return "\r\n".join(lines)


def _encoded_words(text: str) -> list[str]:
    """The text as encoded words (RFC 2047): at most 75 long, only whole characters, Q or B, whichever is shorter."""
    characters = [char.encode("utf-8") for char in text]
    raw_length = sum(map(len, characters))
    # A space is one character in both; everything else that is not plain is three per byte.
    quoted = [_q(char) for char in characters]
    if sum(map(len, quoted)) <= (raw_length + 2) // 3 * 4:
        return [f"=?utf-8?q?{word}?=" for word in _packed(quoted, _ENCODED)]
    return [
        f"=?utf-8?b?{binascii.b2a_base64(word, newline=False).decode('ascii')}?="
        for word in _packed(characters, _ENCODED // 4 * 3)
    ]


def _q(char: bytes) -> str:
    if char == b" ":
        return "_"
    return "".join(chr(byte) if byte in _Q_PLAIN else f"={byte:02X}" for byte in char)


def _packed(pieces: Sequence[AnyStr], room: int) -> list[AnyStr]:
    """The pieces joined to words of at most `room`; no piece is divided."""
    empty = pieces[0][:0]
    words: list[AnyStr] = []
    word: list[AnyStr] = []
    length = 0
    for piece in pieces:
        if length + len(piece) > room:
            words.append(empty.join(word))
            word, length = [], 0
        word.append(piece)
        length += len(piece)
    words.append(empty.join(word))
    return words


# ---- bodies ------------------------------------------------------------------------------------------------------


def _content(letter: Letter, boundary: str) -> _Part:
    """The part that holds all others: text, or alternative(text, html), or mixed(that, attachments)."""
    content = _text_part("plain", letter.text)
    if letter.html is not None:
        content = _multipart("alternative", f"=_a{boundary}", (content, _text_part("html", letter.html)))
    if letter.attachments:
        attachments = map(_attachment_part, letter.attachments)
        content = _multipart("mixed", f"=_m{boundary}", (content, *attachments))
    return content


def _multipart(subtype: str, boundary: str, parts: Iterable[_Part]) -> _Part:
    pieces: list[bytes] = []
    for headers, body in parts:
        pieces += [f"--{boundary}\r\n{headers}\r\n\r\n".encode("ascii"), body, b"\r\n"]
    pieces.append(f"--{boundary}--\r\n".encode("ascii"))
    return f'Content-Type: multipart/{subtype};\r\n boundary="{boundary}"', b"".join(pieces)


def _text_part(subtype: str, text: str) -> _Part:
    """Text as it stands where every transport carries it so, quoted-printable otherwise."""
    text = clean_body(text)
    if _travels_as_it_is(text):
        return _text_headers(subtype, "7bit"), text.replace("\n", "\r\n").encode("ascii")
    encoded = binascii.b2a_qp(text.encode("utf-8"), istext=True)
    return _text_headers(subtype, "quoted-printable"), encoded.replace(b"\n", b"\r\n")


def _text_headers(subtype: str, encoding: str) -> str:
    return f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}"


def _travels_as_it_is(text: str) -> bool:
    # Relays strip spaces at the ends of lines, mboxes change a leading "From ".
    return (
        _PLAIN_BODY.fullmatch(text) is not None
        and "=_" not in text
        and " \n" not in text
        and "\t\n" not in text
        and "From " not in text
        and max(map(len, text.split("\n"))) <= _LINE
    )


def _attachment_part(attachment: OutgoingAttachment) -> _Part:
    # A part of type message must not be encoded (RFC 2046 s. 5.2.1), and its lines may be anything.
    kind = attachment.type.lower()
    if _TYPE.fullmatch(kind) is None:
        kind = "application/octet-stream"
    parameters = "".join(f";\r\n {parameter}" for parameter in _filename(clean_filename(attachment.name)))
    headers = (
        f"Content-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment{parameters}"
    )
    encoded = binascii.b2a_base64(attachment.content, newline=False)
    lines = [encoded[start : start + 76] for start in range(0, len(encoded), 76)]
    return headers, b"".join(line + b"\r\n" for line in lines)


def _filename(name: str) -> list[str]:
    """The parameters that carry a file's name: quoted, or extended and continued (RFC 2231 s. 4.1)."""
    if _PLAIN_FILENAME.fullmatch(name):
        return [f'filename="{name}"']
    pieces = [_percent(char.encode("utf-8")) for char in name]
    segments = _packed(pieces, 54)
    segments[0] = f"utf-8''{segments[0]}"
    if len(segments) == 1:
        return [f"filename*={segments[0]}"]
    return [f"filename*{number}*={segment}" for number, segment in enumerate(segments)]


def _percent(char: bytes) -> str:
    return "".join(chr(byte) if byte in _PARAMETER_PLAIN else f"%{byte:02X}" for byte in char)
