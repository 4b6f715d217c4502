"""Reading what an IMAP server says, strictly: what is not certain is not there. Pure.

An answer of the client library is a list whose items are `(text before a literal, literal)` pairs and plain bytes; one
FETCH response is any number of pairs, closed by one plain item.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone

from mailcase.inbound.imap_errors import ImapBroken, UnfitForImap

#: Greatest number that IMAP knows (RFC 3501 s. 9, nz-number).
MAX_NUMBER = 2**32 - 1
_LONGEST_NUMBER = len(str(MAX_NUMBER))

#: What the library hands us as the data of an answer.
AnswerItem = bytes | tuple[bytes, bytes] | None

_WORD = re.compile(rb"\S+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_UID = re.compile(rb"[ (]UID (\d{1,10})(?=[ )])", re.IGNORECASE)
_SIZE = re.compile(rb"[ (]RFC822\.SIZE (\d{1,20})(?=[ )])", re.IGNORECASE)
_DATE = re.compile(rb'[ (]INTERNALDATE "([^"]{1,40})"', re.IGNORECASE)
_BODY = re.compile(rb"[ (]BODY\[\] \{(\d+)\}$", re.IGNORECASE)
_DATE_TIME = re.compile(r" ?(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailFacts:
    """What the server says about a mail without sending it."""

    uid: int
    #: RFC822.SIZE; servers may estimate.
    size_bytes: int
    #: INTERNALDATE; None where it is missing or no date.
    internal_date: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedMail(MailFacts):
    """A mail as the server keeps it, byte for byte; never empty."""

    raw: bytes


def checked(text: str) -> str:
    """The text, which is fit to be sent to a server. Raises UnfitForImap for control characters (I12)."""
    if _CONTROL.search(text):
        raise UnfitForImap("a folder, user name or password for an IMAP server contains a control character")
    return text


def uid_set(uids: Iterable[int]) -> str:
    """An IMAP sequence set of exactly these UIDs: `1:3,7`."""
    runs: list[list[int]] = []
    for uid in sorted(set(uids)):
        if runs and uid == runs[-1][1] + 1:
            runs[-1][1] = uid
        else:
            runs.append([uid, uid])
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in runs)


def imap_day(day: date) -> str:
    """The date as SEARCH wants it: `17-Jul-1996`. Not strftime: its month names depend on the locale."""
    return f"{day.day}-{_MONTHS[day.month - 1].capitalize()}-{day.year:04d}"


def read_search(data: Sequence[AnswerItem]) -> tuple[int, ...]:
    """The UIDs of a SEARCH answer, ascending. Raises ImapBroken when there is none or it holds anything else."""
    # One by one: a list of all words would cost ten times the answer.
    return tuple(sorted({_uid(found.group()) for item in data for found in _WORD.finditer(_plain(item))}))


def _uid(word: bytes) -> int:
    # The length first: Python reads no number of thousands of digits.
    if not (word.isdigit() and len(word) <= _LONGEST_NUMBER and 0 < int(word) <= MAX_NUMBER):
        raise ImapBroken("the server's answer to SEARCH holds something that is no UID")
    return int(word)


def _plain(item: AnswerItem) -> bytes:
    if not isinstance(item, bytes):
        raise ImapBroken("the server finished a SEARCH without answering it")
    return item


def read_facts(data: Sequence[AnswerItem], asked: Collection[int]) -> tuple[MailFacts, ...]:
    """Size and date of those mails that were asked for and fully answered, by UID; the first answer counts."""
    found: dict[int, MailFacts] = {}
    for text, _literals in _responses(data):
        uid, size = _number(_UID, text), _number(_SIZE, text)
        if uid is None or size is None or uid not in asked or uid in found:
            continue
        found[uid] = MailFacts(uid=uid, size_bytes=size, internal_date=_date(text))
    return tuple(found[uid] for uid in sorted(found))


def read_mails(data: Sequence[AnswerItem], asked: Collection[int]) -> tuple[FetchedMail, ...]:
    """Those mails that were asked for and came with their bytes, by UID (I5, I6); the first answer counts.

    A response without literal (BODY[] NIL, flags only), with another UID or with nothing in it is passed over: the mail
    is then asked for again another time.
    """
    found: dict[int, FetchedMail] = {}
    for text, literals in _responses(data):
        uid = _number(_UID, text)
        raw = literals[0] if len(literals) == 1 else b""
        if uid is None or not raw or uid not in asked or uid in found:
            continue
        size = _number(_SIZE, text)
        found[uid] = FetchedMail(
            uid=uid, size_bytes=len(raw) if size is None else size, internal_date=_date(text), raw=raw
        )
    return tuple(found[uid] for uid in sorted(found))


def _responses(data: Sequence[AnswerItem]) -> Iterator[tuple[bytes, tuple[bytes, ...]]]:
    """Each FETCH response as its text, literals taken out, and the literals that are BODY[]."""
    text, bodies = b"", []
    for item in data:
        if isinstance(item, tuple):
            text += item[0]
            if _BODY.search(item[0]):
                bodies.append(item[1])
        elif item is not None:
            yield text + item, tuple(bodies)
            text, bodies = b"", []


def _number(pattern: re.Pattern[bytes], text: bytes) -> int | None:
    """The number that the pattern finds; None when it is not there, or there with several values."""
    found = {int(value) for value in pattern.findall(text)}
    return found.pop() if len(found) == 1 else None


def _date(text: bytes) -> datetime | None:
    found = _DATE.search(text)
    return read_internal_date(found.group(1).decode("ascii", "replace")) if found else None


def read_internal_date(text: str) -> datetime | None:
    """An IMAP date-time (`17-Jul-1996 02:44:25 -0700`) in UTC; None when it is none.

    Not strptime: its month names depend on the locale.
    """
    found = _DATE_TIME.fullmatch(text)
    if found is None or found.group(2).lower() not in _MONTHS:
        return None
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = found.groups()
    offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
    try:
        zone = timezone(-offset if sign == "-" else offset)
        number = _MONTHS.index(month.lower()) + 1
        local = datetime(int(year), number, int(day), int(hour), int(minute), int(second), tzinfo=zone)
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
