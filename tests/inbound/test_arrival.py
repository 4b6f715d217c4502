"""When a mail in a folder arrived: its window is judged by that, and the server's date may be anything (L38)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailcase.inbound.arrival import arrived_at

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LOOKED_AT = NOW - timedelta(minutes=2)
MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
CARRIED = b"Received: from a by mx.example.org; Mon, 23 Nov 2026 10:00:00 +0100\r\nFrom: a@b.example\r\n\r\nx\r\n"
NOT_CARRIED = b"From: a@b.example\r\n\r\nx\r\n"


@pytest.mark.parametrize(
    ("internal_date", "raw", "not_there_at", "expected"),
    [
        (NOW - timedelta(seconds=30), CARRIED, LOOKED_AT, NOW - timedelta(seconds=30)),
        (MONDAY + timedelta(seconds=2), CARRIED, LOOKED_AT, MONDAY + timedelta(seconds=2)),
        (LONG_AGO, CARRIED, LOOKED_AT, MONDAY),
        (LONG_AGO, CARRIED, None, MONDAY),
        (LONG_AGO, NOT_CARRIED, LOOKED_AT, LOOKED_AT),
        (MONDAY, NOT_CARRIED, None, MONDAY),
        (None, CARRIED, LOOKED_AT, NOW),
        (datetime(2100, 1, 1, tzinfo=UTC), CARRIED, LOOKED_AT, NOW),
        (MONDAY, CARRIED.replace(b"2026", b"2100"), LOOKED_AT, NOW),
        (MONDAY, CARRIED.replace(b"Mon, 23 Nov 2026", b"once"), None, MONDAY),
        (MONDAY, b"", LOOKED_AT + timedelta(days=9), NOW),
    ],
    ids=[
        "as it should be",
        "moved here from another folder",
        "the server says 1970",
        "the server says 1970 at the first look",
        "no server carried it",
        "no server carried it and nobody looked before",
        "no date",
        "the server says 2100",
        "the line says 2100",
        "the line says nothing",
        "our clock was ahead at the last look",
    ],
)
def test_a_mail_arrived_between_what_its_last_server_says_and_now(
    internal_date: datetime | None, raw: bytes, not_there_at: datetime | None, expected: datetime
) -> None:
    assert arrived_at(internal_date, raw, now=NOW, not_there_at=not_there_at) == expected
