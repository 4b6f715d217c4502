"""The Date header, which lies (L38) and is written in many ways; None rather than an exception."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_LONGEST = 100


def parse(text: str) -> datetime | None:
    """An aware UTC time from an RFC 5322 or ISO 8601 date; a date without a zone is taken as UTC."""
    text = text[:_LONGEST].strip()
    for reader in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            found = reader(text)
            return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
    return None
