"""Reading the times that an operator writes: `2026-03-04 10:00` in his own zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import click

_FORM = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2}))?\s*(Z|[+-]\d{2}:?\d{2})?", re.ASCII)


def parse_time(text: str, zone: ZoneInfo) -> str:
    """An ISO 8601 UTC time for `YYYY-MM-DD HH:MM` in `zone`, `YYYY-MM-DD` (its midnight), or either with an offset.

    Raises click.UsageError where it is none of these, does not exist, or is there twice (clock changes).
    """
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise click.UsageError(f"{text!r} is not a time; write YYYY-MM-DD HH:MM, as in 2026-03-04 10:00.")
    day, hour, offset = found.group(1), found.group(2) or "00:00", found.group(3)
    try:
        local = datetime.fromisoformat(f"{day}T{hour}{offset or ''}")
    except ValueError as error:
        raise click.UsageError(f"{text!r} is not a time: {error}.") from error
    at = local if offset else _in_zone(local, zone, text)
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _in_zone(local: datetime, zone: ZoneInfo, text: str) -> datetime:
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first
    # In the gap of spring, going to UTC and back gives another wall time (PEP 495).
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local:
        raise click.UsageError(f"{text!r} does not exist in {zone.key}: the clocks are put forward over it.")
    choices = " or ".join(f"{local:%Y-%m-%d %H:%M}{_offset(at)}" for at in (first, second))
    raise click.UsageError(f"{text!r} happens twice in {zone.key}: write {choices}.")


def _offset(at: datetime) -> str:
    minutes = (at.utcoffset() or timedelta()) // timedelta(minutes=1)
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
