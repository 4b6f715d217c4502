"""Raw bytes to message. Never raises, for any bytes; linear in time; what is strange becomes a defect (L26, L27).

The structure is found by scanning over the bytes (`structure.py`); no attachment is decoded before it is asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime

from mailcase.mail import addresses, contents, dates, headers, limits, structure, transfer
from mailcase.mail.headers import HeaderBlock
from mailcase.mail.message import Address, Attachment, Importance, Message

_IMPORTANCE = {
    "high": Importance.HIGH,
    "urgent": Importance.HIGH,
    "1": Importance.HIGH,
    "2": Importance.HIGH,
    "low": Importance.LOW,
    "non-urgent": Importance.LOW,
    "4": Importance.LOW,
    "5": Importance.LOW,
}


def read(raw: bytes) -> Message:
    """The message in `raw`, whatever `raw` is."""
    defects: list[str] = []
    if b"\n" not in raw and b"\r" in raw:
        defects.append("lines end in CR alone")
        raw = raw.replace(b"\r", b"\n")
    block = headers.split(raw, headers.start_of(raw), len(raw))
    scan = structure.scan(raw, block)
    defects += scan.defects
    header = _Header(block, contents.charset_hint(scan.leaves), defects)
    body = contents.sort_out(raw, scan.leaves, defects)
    senders = header.addresses("sender")
    return Message(
        message_id=header.message_id(),
        in_reply_to=tuple(dict.fromkeys(header.ids("in-reply-to")))[: limits.REFERENCES],
        references=tuple(header.ids("references")[-limits.REFERENCES :]),
        from_=header.addresses("from"),
        sender=senders[0] if senders else None,
        reply_to=header.addresses("reply-to"),
        to=header.addresses("to"),
        cc=header.addresses("cc"),
        subject=header.text("subject"),
        date=header.date(),
        text=body.text,
        html=body.html,
        attachments=body.attachments,
        importance=header.importance(),
        headers=header.decoded,
        fingerprint=_fingerprint(raw, block),
        defects=tuple(dict.fromkeys(defects))[: limits.DEFECTS],
    )


def attachment_bytes(raw: bytes, attachment: Attachment) -> bytes:
    """The decoded bytes of an attachment of the message that was read from `raw`."""
    return transfer.decode(raw[attachment.start : attachment.end], attachment.encoding)


#: What the same mail has in every copy of it. Whatever leads it to a case, or says what it is, is among them: a copy
#: with another word there would be taken in its place, and the mail itself for a duplicate (S1).
_FINGERPRINTED = (
    *("message-id", "from", "sender", "reply-to", "to", "cc", "date", "subject", "in-reply-to", "references"),
    *("auto-submitted", "content-type", "content-transfer-encoding"),
)


#: The body is taken in pieces: a large mail is not copied whole for its line ends.
_PIECE_BYTES = 1024 * 1024


def _fingerprint(raw: bytes, block: HeaderBlock) -> str:
    """See `Message.fingerprint`. Folding and line ends at the end differ between two ways of one mail."""
    digest = hashlib.sha256()
    for name in _FINGERPRINTED:
        for value in block.all(name):
            digest.update(name.encode("ascii") + b":" + b" ".join(value.split()) + b"\n")
    digest.update(b"\n")
    end = len(raw.rstrip(b"\r\n"))
    for piece in _pieces(raw, block.body, end):
        digest.update(piece.replace(b"\r\n", b"\n"))
    digest.update(raw[max(end, block.body) :].replace(b"\r\n", b"\n").rstrip(b"\n"))
    return digest.hexdigest()


def _pieces(raw: bytes, start: int, end: int) -> Iterator[bytes]:
    """The bytes of that range in pieces, none of which ends between CR and LF."""
    while start < end:
        cut = start + _PIECE_BYTES
        while raw[cut - 1 : cut] == b"\r":
            cut += 1
        yield raw[start : min(cut, end)]
        start = cut


class _Header:
    """The header of the message, decoded; notes what is wrong with it."""

    def __init__(self, block: HeaderBlock, hint: str | None, defects: list[str]) -> None:
        self._block = block
        self._hint = hint
        self._defects = defects
        decoded = []
        for name, value in block.fields:
            content, defect = headers.text_of(value, hint)
            if defect:
                defects.append(f"{name}: {defect}")
            decoded.append((name, content))
        self.decoded = tuple(decoded)

    def text(self, name: str) -> str:
        """The first value, "" when absent."""
        return next((value for key, value in self.decoded if key == name), "")

    def ids(self, name: str) -> list[str]:
        """The ids of all values together; read from the undecoded value, which is not cut."""
        return [
            identity
            for value in self._block.all(name)
            for identity in headers.ids_of(headers.unfold(value, self._hint)[0])
        ]

    def message_id(self) -> str | None:
        """The first usable id."""
        found = self.ids("message-id")
        if not found:
            self._defects.append("no usable Message-ID")
        return found[0] if found else None

    def addresses(self, name: str) -> tuple[Address, ...]:
        """The mailboxes of all values together, up to the limit."""
        found: list[Address] = []
        over = False
        for value in self._block.all(name):
            more, cut = addresses.parse(headers.unfold(value, self._hint)[0])
            found += more
            over = over or cut
            if over or len(found) > limits.ADDRESSES_PER_HEADER:
                self._defects.append(f"{name}: too many addresses, the rest is not read")
                break
        return tuple(found[: limits.ADDRESSES_PER_HEADER])

    def date(self) -> datetime | None:
        """What the Date header claims."""
        written = self.text("date")
        found = dates.parse(written) if written else None
        if found is None:
            self._defects.append("Date unreadable" if written else "no Date")
        return found

    def importance(self) -> Importance:
        """The first of the usual headers that says more than normal."""
        for name in ("importance", "x-priority", "priority", "x-msmail-priority"):
            words = self.text(name).lower().split()
            if words and words[0] in _IMPORTANCE:
                return _IMPORTANCE[words[0]]
        return Importance.NORMAL
