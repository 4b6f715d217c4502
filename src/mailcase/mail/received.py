"""When the mail server in front of us took a mail: the topmost Received line, believed only from a configured relay.

A sender that could not reach us for an hour hands over mail that arrived at our side of the world an hour ago. Whoever
wrote it was in time then (docs/decisions/0002).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime

from mailcase.mail import dates, headers, limits

#: `by HOST` of a Received line (RFC 5321 s. 4.4).
_BY = re.compile(r"\bby[ \t]{1,8}([A-Za-z0-9._-]{1,253})", re.IGNORECASE)


def taken_at(raw: bytes, relays: Collection[str]) -> datetime | None:
    """The time at which one of `relays` (lower-case host names) took the mail from outside, aware UTC.

    None where the topmost Received line is missing, unreadable, or of another host: anybody can write those below it.
    """
    line = _topmost(raw)
    by = _BY.search(line)
    if by is None or by.group(1).lower() not in relays:
        return None
    return dates.parse(line.rpartition(";")[2])


def newest_at(raw: bytes) -> datetime | None:
    """The time of the topmost Received line, whoever wrote it; None where there is none, or it is unreadable."""
    return dates.parse(_topmost(raw).rpartition(";")[2])


def _topmost(raw: bytes) -> str:
    block = headers.split(raw, headers.start_of(raw), min(len(raw), limits.HEADER_BYTES))
    topmost = block.first("received")
    return "" if topmost is None else headers.unfold(topmost)[0]
