"""How lengths of time, calendars and limits fit together."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import cast

from mailcase.config.document import ANY, Document, KeyPath
from mailcase.config.durations import duration_words, read_duration, read_span
from mailcase.config.mistakes import Mistake
from mailcase.config.settings import Limits
from mailcase.core.process import WORKING_UNITS, Span
from mailcase.errors import Problem


def time_problems(document: Document) -> Iterator[Problem]:
    """Every problem of this kind, in no particular order."""
    for path, _process in document.find("processes", ANY):
        yield from _due_problems(document, (*path, "due"))
        yield from _window_problems(document, path)
    yield from _limit_problems(document)


def _due_problems(document: Document, path: KeyPath) -> Iterator[Problem]:
    due = document.mapping(*path)
    has_calendar = due.get("calendar") is not None
    place, span = _span(document, path, "add")
    if span and span.unit in WORKING_UNITS and not has_calendar:
        yield document.problem(place, "is working time, and no calendar says what that is", "Add `calendar: NAME`.")
    adjustments = [key for key in ("next_morning", "end_of_day") if due.get(key) is True]
    for key in adjustments:
        if not has_calendar:
            yield document.problem((*path, key), "needs a calendar", "Add `calendar: NAME`.")
    if len(adjustments) > 1:
        message = "cannot go with `next_morning` (SL-11)"
        yield document.problem((*path, "end_of_day"), message, "Keep one of the two.")


def _window_problems(document: Document, process: KeyPath) -> Iterator[Problem]:
    path = (*process, "feedback_window")
    own_calendar = document.mapping(*path).get("calendar")
    calendar = own_calendar or document.mapping(*process, "due").get("calendar")
    place, span = _span(document, path, "length")
    if span is None:
        return
    if span.unit in WORKING_UNITS and calendar is None:
        hint = "Write `{length: 5 working days, calendar: NAME}`, or a calendar in the due rule."
        yield document.problem(place, "is working time, and no calendar says what that is", hint)
    if span.unit not in WORKING_UNITS and own_calendar is not None:
        message = "has no use: the window is counted in days of any kind"
        yield document.problem((*path, "calendar"), message, "Write working days, or leave the calendar out.")


def _span(document: Document, path: KeyPath, key: str) -> tuple[KeyPath, Span | None]:
    """The span written as `path: SPAN` or as `path: {key: SPAN}`; None when it cannot be read."""
    value = document.value(*path)
    place = (*path, key) if isinstance(value, dict) else path
    try:
        return place, read_span(document.value(*place))
    except Mistake:
        return place, None


def _limit_problems(document: Document) -> Iterator[Problem]:
    yield from _longer(document, "key_renewal", "key_lifetime", "the next key must be made before the last one ends")
    yield from _longer(document, "read_timeout", "lease", "a mail would be claimed again while it is read")
    yield from _longer(document, "retry_step", "retry_for", "nothing would be tried a second time")
    yield from _longer(document, "pause_first", "pause_longest", "pauses grow from the one to the other")


def _longer(document: Document, shorter: str, longer: str, reason: str) -> Iterator[Problem]:
    """The limit `shorter` must be below the limit `longer`; told at whichever is written."""
    short, long = _limit(document, shorter), _limit(document, longer)
    if short is not None and long is not None and short >= long:
        written, other, value = (shorter, longer, long)
        relation = "shorter"
        if shorter not in document.mapping("limits"):
            written, other, value, relation = (longer, shorter, short, "longer")
        message = f"must be {relation} than `{other}` ({duration_words(value)}): {reason}"
        yield document.problem(("limits", written), message)


def _limit(document: Document, name: str) -> timedelta | None:
    written = document.value("limits", name)
    if written is None:
        return cast("timedelta", getattr(Limits(), name))
    try:
        return read_duration(written)
    except Mistake:
        return None
