"""A mail to be written, as plain data, and the few decisions about it that need no bytes: `compose.py` writes it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailcase.mail.message import Address

#: Ids of the oldest mails that stay in References when a thread grows long, and ids in all.
OLDEST_REFERENCES = 1
MOST_REFERENCES = 20

#: What can stand between angle brackets without quoting and without SMTPUTF8. More lenient than RFC 5322 in one point:
#: dots may stand anywhere in the local part, because such addresses are in use.
_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,128}@(?:[A-Za-z0-9_.-]{1,253}|\[[A-Za-z0-9:.]{1,64}\])", re.ASCII
)
#: A Message-ID that can be named again without encoding or splitting it (RFC 5322 s. 3.6.4, leniently).
_MESSAGE_ID = re.compile(r"[!-;=?-~]{1,900}", re.ASCII)
_REPLY_PREFIX = re.compile(
    r"(?:(?:re|aw|sv|vs|antw|odp|r[ée]f|r[ée]p)(?:\[[0-9]{1,3}\])?[ \u00a0\u202f]?:[ \u00a0]*)+", re.IGNORECASE
)
_CASE_TAG = re.compile(r" ?\[[0-9]{1,18}-C\]", re.ASCII | re.IGNORECASE)


class AutoSubmitted(StrEnum):
    """What a machine says about its own mail (RFC 3834 s. 5)."""

    #: Made by itself: notices to agents, a window that closed.
    GENERATED = "auto-generated"
    #: Made in answer to a mail: the acknowledgement.
    REPLIED = "auto-replied"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingAttachment:
    """A file that goes with a mail."""

    name: str
    #: `type/subtype`; what cannot be one, and multipart and message, goes as application/octet-stream.
    type: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """Everything that `compose` needs. Text fields may hold anything, they are cleaned; addresses and our own
    Message-ID must be right.
    """

    #: Without brackets, like every id here.
    message_id: str
    date: datetime
    from_: Address
    to: tuple[Address, ...]
    cc: tuple[Address, ...] = ()
    reply_to: Address | None = None
    subject: str
    text: str
    html: str | None = None
    in_reply_to: str | None = None
    #: Oldest first, already limited (`limit_references`). An id that cannot be written whole is left out.
    references: tuple[str, ...] = ()
    #: None for what a person wrote. Else the mail also asks Exchange to answer it with nothing but a bounce.
    auto_submitted: AutoSubmitted | None = None
    #: By which this installation, and no other, knows its own mail (L24): `signing.own_mark`.
    mark: str
    #: `1042-C`.
    case_ref: str | None = None
    attachments: tuple[OutgoingAttachment, ...] = ()


def is_writable_address(address: str) -> bool:
    """True when mail can be sent to it: ASCII, no control characters, spaces or quotes. Ask before composing a letter
    to an address from outside; `compose` raises ValueError for any other.
    """
    return len(address) <= 254 and "=?" not in address and _ADDRESS.fullmatch(address) is not None


def is_writable_id(message_id: str) -> bool:
    """True when the Message-ID (without brackets) can be written on one line as it is."""
    return _MESSAGE_ID.fullmatch(message_id) is not None


def limit_references(ids: Sequence[str]) -> tuple[str, ...]:
    """The ids for References, oldest first, without repeats; of a long thread the first and the newest (RFC 5322
    s. 3.6.4 lets clients find the root by the first and the parent by the last).
    """
    # The last place of a repeated id counts: it is the nearer ancestor.
    unique = tuple(reversed(dict.fromkeys(reversed(ids))))
    if len(unique) <= MOST_REFERENCES:
        return unique
    return unique[:OLDEST_REFERENCES] + unique[OLDEST_REFERENCES - MOST_REFERENCES :]


def bare_subject(subject: str) -> str:
    """The subject without leading reply prefixes (`Re:`, `RE :`, `Réf. :` ...) and without case tags, so that it does
    not grow from turn to turn (L24). `Fwd:` stays, as mail clients keep it.
    """
    without_tags = _CASE_TAG.sub("", subject).strip()
    prefix = _REPLY_PREFIX.match(without_tags)
    return without_tags[prefix.end() :] if prefix else without_tags
