"""Times as an operator writes them, in his own zone."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import click
import pytest

from mailcase.cli.times import parse_time

PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-03-04 10:00", "2026-03-04T09:00:00Z"),
        (" 2026-07-04T10:00 ", "2026-07-04T08:00:00Z"),
        ("2026-07-04", "2026-07-03T22:00:00Z"),
        ("2026-07-04 10:00Z", "2026-07-04T10:00:00Z"),
        ("2026-07-04 10:00 -05:30", "2026-07-04T15:30:00Z"),
        ("2026-07-04 10:00+0100", "2026-07-04T09:00:00Z"),
        ("2026-10-25 01:59", "2026-10-24T23:59:00Z"),
        ("2026-10-25 03:00", "2026-10-25T02:00:00Z"),
    ],
)
def test_a_time_is_read_in_the_operators_zone(text: str, utc: str) -> None:
    assert parse_time(text, PARIS) == utc


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "10:00", "2026-3-4 10:00", "04.03.2026", "2026-03-04 10:00 x", "٢٠٢٦-03-04"]
)
def test_what_is_no_time_is_told_the_form(text: str) -> None:
    with pytest.raises(click.UsageError, match="write YYYY-MM-DD HH:MM"):
        parse_time(text, PARIS)


@pytest.mark.parametrize("text", ["2026-02-30 10:00", "2026-03-04 25:00"])
def test_a_day_or_hour_that_no_calendar_has_is_refused(text: str) -> None:
    with pytest.raises(click.UsageError, match="is not a time"):
        parse_time(text, PARIS)


def test_a_time_in_the_gap_of_spring_does_not_exist() -> None:
    with pytest.raises(click.UsageError, match="does not exist in Europe/Paris"):
        parse_time("2026-03-29 02:30", PARIS)


def test_a_time_that_autumn_has_twice_asks_which_and_both_can_be_said() -> None:
    with pytest.raises(click.UsageError) as refused:
        parse_time("2026-10-25 02:30", PARIS)

    assert "write 2026-10-25 02:30+02:00 or 2026-10-25 02:30+01:00" in refused.value.message
    assert parse_time("2026-10-25 02:30+02:00", PARIS) == "2026-10-25T00:30:00Z"
    assert parse_time("2026-10-25 02:30+01:00", PARIS) == "2026-10-25T01:30:00Z"


def test_a_zone_west_of_greenwich_has_its_offsets_told_with_a_minus() -> None:
    with pytest.raises(click.UsageError) as refused:
        parse_time("2026-11-01 01:30", ZoneInfo("America/New_York"))

    assert "01:30-04:00 or 2026-11-01 01:30-05:00" in refused.value.message
