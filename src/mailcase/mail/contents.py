"""What is the text of a mail and what is attached to it, from its leaves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mailcase.mail import charset, headers, limits, transfer
from mailcase.mail.message import Attachment
from mailcase.mail.structure import Part
from mailcase.mail.text import html_to_text

_TEXT_TYPES = ("text/plain", "text/html")
#: Endings for parts that came without a name.
_EXTENSIONS = {
    "text/plain": ".txt",
    "text/html": ".html",
    "text/calendar": ".ics",
    "text/csv": ".csv",
    "text/rfc822-headers": ".txt",
    "message/rfc822": ".eml",
    "message/delivery-status": ".txt",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "application/pdf": ".pdf",
    "application/zip": ".zip",
    "application/pgp-signature": ".asc",
    "application/pkcs7-signature": ".p7s",
    "application/pkcs7-mime": ".p7m",
    "application/ms-tnef": ".dat",
}
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s{0,5}=\s{0,5}[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_META_WITHIN = 2048
#: C0 controls but TAB and LF, and DEL: no text of a person, and a database refuses NUL (S15).
_CONTROLS = dict.fromkeys([*range(9), *range(11, 32), 127])
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_LONGEST_EXTENSION = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What the leaves of a mail came to; fields as in `Message`."""

    text: str
    html: str
    attachments: tuple[Attachment, ...]


def sort_out(raw: bytes, leaves: Sequence[Part], defects: list[str]) -> Contents:
    """The text, the HTML and the attachments; what is strange is added to `defects`.

    HTML is turned into text only where no plain text stands for it in the same multipart/alternative.
    """
    shown = [leaf for leaf in leaves if _is_shown(leaf)]
    decoded = _all_decoded(raw, shown, defects)
    spoken_for = {
        id(container)
        for leaf, content in decoded
        if leaf.type == "text/plain" and content.strip()
        for container in leaf.inside
        if container.type == "multipart/alternative"
    }
    pieces = []
    for leaf, content in decoded:
        if leaf.type == "text/plain":
            pieces.append(content)
        elif not any(id(container) in spoken_for for container in leaf.inside):
            pieces.append(html_to_text(content))
    attached = [leaf for leaf in leaves if not _is_shown(leaf)]
    return Contents(
        text=_cut("\n".join([piece for piece in pieces if piece.strip()] or pieces[:1]), "text", defects),
        html=_cut("\n".join(content for leaf, content in decoded if leaf.type == "text/html"), "HTML", defects),
        attachments=tuple(_attachment(leaf, number) for number, leaf in enumerate(attached, 1)),
    )


def charset_hint(leaves: Sequence[Part]) -> str | None:
    """The charset that the text of the mail declares: what its 8-bit headers are mostly written in."""
    return next((leaf.parameters["charset"] for leaf in leaves if leaf.parameters.get("charset")), None)


def _is_shown(leaf: Part) -> bool:
    """Whether a leaf is text to be read in place. A name makes it a file, unless it is the whole mail."""
    if leaf.type not in _TEXT_TYPES or leaf.disposition == "attachment":
        return False
    return leaf.filename is None or not leaf.inside


def _all_decoded(raw: bytes, shown: Sequence[Part], defects: list[str]) -> list[tuple[Part, str]]:
    """Each part with its text, until so much text of its type is there that the rest would be cut off anyway."""
    lengths = dict.fromkeys(_TEXT_TYPES, 0)
    decoded: list[tuple[Part, str]] = []
    for leaf in shown:
        content = ""
        if lengths[leaf.type] > limits.TEXT:
            defects.append(f"{leaf.type} too long, cut")
        else:
            content = _decoded(raw, leaf, defects)
        lengths[leaf.type] += len(content) + 1
        decoded.append((leaf, content))
    return decoded


def _decoded(raw: bytes, leaf: Part, defects: list[str]) -> str:
    """The text of a part. What is cut off is never decoded: 25 MB of text can become a gigabyte of characters."""
    end = min(leaf.end, leaf.start + limits.ENCODED_TEXT_BYTES)
    data = transfer.decode(raw[leaf.start : end], leaf.encoding)
    is_whole = end == leaf.end and len(data) <= limits.TEXT_BYTES
    data = data[: limits.TEXT_BYTES]
    declared = leaf.parameters.get("charset")
    if not declared and leaf.type == "text/html" and (meta := _META_CHARSET.search(data, 0, _META_WITHIN)):
        declared = meta.group(1).decode("ascii")
    content, defect = charset.decode(data, declared, is_whole=is_whole)
    if defect:
        defects.append(defect)
    if not is_whole or len(content) > limits.TEXT:
        defects.append(f"{leaf.type} too long, cut")
        content = content[: limits.TEXT]
    if "\r" in content:
        content = content.replace("\r\n", "\n").replace("\r", "\n")
    # Each is the fast one for its kind of text.
    return content.translate(_CONTROLS) if content.isascii() else _CONTROL.sub("", content)


def _cut(content: str, what: str, defects: list[str]) -> str:
    if len(content) <= limits.TEXT:
        return content
    defects.append(f"{what} too long, cut")
    return content[: limits.TEXT]


def _attachment(leaf: Part, number: int) -> Attachment:
    return Attachment(
        name=_file_name(leaf.filename or "") or f"part-{number}{_EXTENSIONS.get(leaf.type, '.bin')}",
        type=leaf.type,
        start=leaf.start,
        end=leaf.end,
        encoding=leaf.encoding,
        parameters=tuple(leaf.parameters.items()),
    )


def _file_name(written: str) -> str:
    """A name for showing: the last piece of a path, one line, no dots at its ends, short; "" when nothing is left.

    Cleaned first, then looked at: an invisible character must not hide a dot (S8).
    """
    name = headers.clean(written).replace("\\", "/").rpartition("/")[2].strip(" .")
    if len(name.encode("utf-8")) <= limits.FILENAME_BYTES:
        return name
    stem, dot, extension = name.rpartition(".")
    if not dot or len(extension) > _LONGEST_EXTENSION:
        stem, extension = name, ""
    ending = (dot + extension if extension else "").encode("utf-8")
    return (stem.encode("utf-8")[: limits.FILENAME_BYTES - len(ending)] + ending).decode("utf-8", "ignore")
