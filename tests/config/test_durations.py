"""Lengths of time as people write them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.config.conftest import BASE

from mailcase.config.durations import duration_words, read_duration, read_span, read_window, span_words
from mailcase.config.mistakes import Mistake
from mailcase.config.settings import Settings
from mailcase.core.case import ProcessName
from mailcase.core.process import Span, SpanUnit


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("90 minutes", timedelta(minutes=90)),
        ("1 hour", timedelta(hours=1)),
        ("1 hours", timedelta(hours=1)),
        ("30 seconds", timedelta(seconds=30)),
        ("2 weeks", timedelta(days=14)),
        (" 5  Days ", timedelta(days=5)),
        ("5days", timedelta(days=5)),
    ],
)
def test_plain_time_is_read(text: str, duration: timedelta) -> None:
    assert read_duration(text) == duration


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("2 working days", Span(amount=2, unit=SpanUnit.WORKING_DAYS)),
        ("1 working  day", Span(amount=1, unit=SpanUnit.WORKING_DAYS)),
        ("4 working hours", Span(amount=4, unit=SpanUnit.WORKING_HOURS)),
        ("2 weeks", Span(amount=14, unit=SpanUnit.DAYS)),
        ("90 minutes", Span(amount=90, unit=SpanUnit.MINUTES)),
    ],
)
def test_a_span_keeps_the_unit_it_was_written_in(text: str, span: Span) -> None:
    assert read_span(text) == span


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        (None, "needs a value", "Write a whole number and a unit"),
        (5, "needs a unit", "Write a whole number and a unit"),
        ("-5", "needs a unit", "Write a whole number and a unit"),
        (True, "is no length of time", "Write a whole number and a unit"),
        ([], "is no length of time", "Write a whole number and a unit"),
        ("soon", "is no length of time", "as in `5 days`."),
        ("1.5 hours", "is no length of time", "as in `5 days`."),
        ("5 dayz", "`dayz` is no unit of time here", "Did you mean `days`?"),
        ("5 working days", "cannot be counted in working time", "Write plain time, as in `5 days`."),
        ("5 jours", "`jours` is no unit of time here", "Did you mean `hours`?"),
        ("5 fortnights", "`fortnights` is no unit of time here", "Known here: days, hours, minutes, seconds, weeks."),
        ("0 days", "must be more than zero", "Leave the line out for the default."),
        ("-2 days", "must be more than zero", "Leave the line out for the default."),
        ("4000 days", "is longer than ten years", ""),
        ("999999999 weeks", "is longer than ten years", ""),
    ],
)
def test_anything_else_is_refused_with_a_hint(value: object, message: str, hint: str) -> None:
    with pytest.raises(Mistake) as caught:
        read_duration(value)

    assert caught.value.message == message
    assert hint in caught.value.hint


def test_spans_have_an_end_too() -> None:
    with pytest.raises(Mistake, match="longer than ten years"):
        read_span("999999999 working hours")
    with pytest.raises(Mistake, match="no unit"):
        read_span("5 seconds")


def test_a_feedback_window_is_counted_in_days() -> None:
    """ST-20"""
    assert read_window("1 week") == Span(amount=7, unit=SpanUnit.DAYS)
    with pytest.raises(Mistake, match="counted in days"):
        read_window("5 working hours")


@pytest.mark.parametrize("value", ["0", "0 days", "0 working days"])
def test_a_feedback_window_of_no_days_is_none(load: Callable[..., Settings], value: str) -> None:
    """ST-20"""
    settings = load(f"processes: {{enquiry: {{feedback_window: {value}}}}}", base="\n" + BASE.partition("\n")[2])

    assert settings.processes[ProcessName("enquiry")].feedback_window is None


@given(st.integers(min_value=1, max_value=3600 * 24 * 3660))
def test_words_read_back_as_the_same_duration(seconds: int) -> None:
    duration = timedelta(seconds=seconds)

    assert read_duration(duration_words(duration)) == duration


@given(st.integers(min_value=1, max_value=3660), st.sampled_from(SpanUnit))
def test_words_read_back_as_the_same_span(amount: int, unit: SpanUnit) -> None:
    span = Span(amount=amount, unit=unit)

    assert read_span(span_words(span)) == span
