"""Lengths of time as people write them: `90 minutes`, `5 days`, `2 working days`; and back again."""

from __future__ import annotations

import re
from datetime import timedelta

from mailcase.config.document import quoted
from mailcase.config.mistakes import Mistake, did_you_mean
from mailcase.core.process import Span, SpanUnit

#: Seconds in each unit of plain time.
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 7 * 86400}
#: Longest length that makes sense; keeps every date that follows from it inside the calendar.
_LONGEST = timedelta(days=3660)
#: Unit of a span for each word, and how many of it one word stands for.
_SPAN_UNITS = {
    "minute": (SpanUnit.MINUTES, 1),
    "hour": (SpanUnit.HOURS, 1),
    "day": (SpanUnit.DAYS, 1),
    "week": (SpanUnit.DAYS, 7),
    "working hour": (SpanUnit.WORKING_HOURS, 1),
    "working day": (SpanUnit.WORKING_DAYS, 1),
}
_SPAN_LIMITS = {
    SpanUnit.MINUTES: _LONGEST // timedelta(minutes=1),
    SpanUnit.HOURS: _LONGEST // timedelta(hours=1),
    SpanUnit.DAYS: _LONGEST // timedelta(days=1),
    SpanUnit.WORKING_HOURS: _LONGEST // timedelta(hours=1),
    SpanUnit.WORKING_DAYS: _LONGEST // timedelta(days=1),
}
_WORDS = re.compile(r"([+-]?[0-9]{1,9})\s*([a-z][a-z ]*)", re.ASCII)


def read_duration(value: object) -> timedelta:
    """A length of plain time above zero, from seconds to weeks. Raises Mistake."""
    amount, unit = _amount_and_unit(value, [*_SECONDS])
    # Compared as numbers: a timedelta of a thousand million weeks cannot be made.
    seconds = amount * _SECONDS[unit]
    if seconds > _LONGEST.total_seconds():
        raise Mistake("is longer than ten years")
    return timedelta(seconds=seconds)


def read_span(value: object) -> Span:
    """A length of time in the unit it was written in, weeks as days. Raises Mistake."""
    amount, word = _amount_and_unit(value, [*_SPAN_UNITS])
    unit, factor = _SPAN_UNITS[word]
    if amount * factor > _SPAN_LIMITS[unit]:
        raise Mistake("is longer than ten years")
    return Span(amount=amount * factor, unit=unit)


def read_window(value: object) -> Span:
    """A length in whole days or working days (ST-20). Raises Mistake."""
    span = read_span(value)
    if span.unit not in (SpanUnit.DAYS, SpanUnit.WORKING_DAYS):
        raise Mistake("a feedback window is counted in days", "Write days or working days, as in `5 working days`.")
    return span


def _amount_and_unit(value: object, units: list[str]) -> tuple[int, str]:
    if value is None:
        raise Mistake("needs a value", _example(units))
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise Mistake("is no length of time", _example(units))
    match = _WORDS.fullmatch(str(value).strip().lower())
    if match is None:
        has_number_only = str(value).strip().lstrip("+-").isdigit()
        raise Mistake("needs a unit" if has_number_only else "is no length of time", _example(units))
    amount, unit = int(match[1]), " ".join(match[2].split()).removesuffix("s")
    if unit not in units and unit in _SPAN_UNITS and unit.startswith("working"):
        raise Mistake("cannot be counted in working time", "Write plain time, as in `5 days`.")
    if unit not in units:
        plurals = [f"{word}s" for word in units]
        raise Mistake(f"{quoted(match[2])} is no unit of time here", did_you_mean(f"{unit}s", plurals))
    if amount <= 0:
        raise Mistake("must be more than zero", "Leave the line out for the default.")
    return amount, unit


def _example(units: list[str]) -> str:
    return f"Write a whole number and a unit ({', '.join(f'{unit}s' for unit in units)}), as in `5 days`."


def duration_words(duration: timedelta) -> str:
    """The length as `read_duration` reads it, in the largest unit that fits."""
    seconds = int(duration.total_seconds())
    unit = next(name for name in ("day", "hour", "minute", "second") if seconds % _SECONDS[name] == 0)
    return _counted(seconds // _SECONDS[unit], unit)


def span_words(span: Span) -> str:
    """The length as `read_span` reads it."""
    return _counted(span.amount, span.unit.removesuffix("s"))


def _counted(amount: int, unit: str) -> str:
    return f"{amount} {unit}" if amount == 1 else f"{amount} {unit}s"
