"""A mail as we understand it. The types; `reading.py` fills them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Importance(StrEnum):
    """What Importance, X-Priority or Priority says."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One mailbox of an address header. `address` is as written, without control characters; compare by `key`."""

    name: str
    address: str

    @property
    def key(self) -> str:
        """The address in lower case, the form that is stored and compared."""
        return self.address.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A part that is not the text of the mail. Its bytes are decoded when asked for: `reading.attachment_bytes`."""

    #: Cleaned for showing: no path, no control characters, never empty.
    name: str
    #: Lower-case `type/subtype`.
    type: str
    #: Offsets of the encoded body in the raw mail.
    start: int
    end: int
    #: Lower-case Content-Transfer-Encoding, "" for none.
    encoding: str
    #: Parameters of Content-Type, names in lower case, such as ("method", "REPLY") of a calendar part.
    parameters: tuple[tuple[str, str], ...] = ()

    def parameter(self, name: str) -> str:
        """A parameter of Content-Type, "" when absent. `name` in lower case."""
        return next((value for key, value in self.parameters if key == name), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A mail that was read. Header text is decoded, unfolded and free of control characters."""

    #: Ids are without their angle brackets, as the sender wrote them. None: the mail has no usable one.
    message_id: str | None
    in_reply_to: tuple[str, ...]
    #: Oldest first, as in the header.
    references: tuple[str, ...]
    from_: tuple[Address, ...]
    sender: Address | None
    reply_to: tuple[Address, ...]
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    subject: str
    #: As the sender claims (L38), aware UTC; None when missing or unreadable.
    date: datetime | None
    #: The readable text: text/plain, else HTML turned into text; line ends are LF. "" when there is none.
    text: str
    #: The HTML part as sent, decoded; "" when there is none.
    html: str
    attachments: tuple[Attachment, ...]
    importance: Importance
    #: Every header in order: lower-case name and decoded value.
    headers: tuple[tuple[str, str], ...]
    #: SHA-256 hex over what stays equal when the same mail arrives by two ways: the people, ids, date, subject and kind
    #: in its header, body bytes with line ends as LF. Two mails with one fingerprint are the same mail (EM-7, L13).
    fingerprint: str
    #: What was wrong and how it was read all the same, e.g. "charset x-foo unknown, read as cp1252".
    defects: tuple[str, ...]

    @property
    def author(self) -> Address | None:
        """The one From address; None when there is none or more than one, since then nobody is identified (S3)."""
        return self.from_[0] if len(self.from_) == 1 else None

    def header(self, name: str) -> str | None:
        """The first value of a header, None when absent. `name` in lower case."""
        return next((value for key, value in self.headers if key == name), None)
