"""When a deferred delivery is tried again (L31)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcase.outbound.retry import JITTER_PART, next_attempt_at

MADE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
STEP = timedelta(minutes=1)
FOR = timedelta(days=5)


def next_at(now: datetime, *, attempts: int = 1, jitter: float = 0.0) -> datetime | None:
    return next_attempt_at(created_at=MADE, attempts=attempts, now=now, step=STEP, retry_for=FOR, jitter=jitter)


def test_the_nth_attempt_comes_n_times_n_steps_after_the_mail_was_made() -> None:
    times = [MADE]
    for attempts in range(1, 6):
        at = next_at(times[-1], attempts=attempts)
        assert at is not None
        times.append(at)

    assert [(at - MADE) // STEP for at in times] == [0, 1, 4, 9, 16, 25]


def test_gaps_grow_also_when_no_attempt_was_ever_counted() -> None:
    assert next_at(MADE + 16 * STEP, attempts=1) == MADE + 25 * STEP


def test_gaps_grow_by_the_count_when_the_clock_was_set_back() -> None:
    earlier = MADE - timedelta(days=400)

    assert next_at(earlier, attempts=5) == earlier + 9 * STEP


def test_a_server_that_is_down_for_days_is_asked_less_than_a_hundred_times() -> None:
    at: datetime | None = MADE
    count = 0
    while at is not None:
        at = next_at(at)
        count += 1

    assert 80 <= count < 100


def test_the_last_attempt_falls_on_the_end_of_the_time() -> None:
    assert next_at(MADE + FOR - STEP) == MADE + FOR


@pytest.mark.parametrize("past", [timedelta(), timedelta(microseconds=1), timedelta(days=30)])
def test_after_the_time_there_is_no_next_attempt(past: timedelta) -> None:
    assert next_at(MADE + FOR + past) is None


@given(
    age=st.timedeltas(min_value=timedelta(days=-2000), max_value=FOR - timedelta(microseconds=1)),
    attempts=st.integers(1, 1000),
    jitter=st.floats(0, 1, exclude_max=True),
)
def test_the_next_attempt_is_later_than_now_and_not_after_the_end(age: timedelta, attempts: int, jitter: float) -> None:
    now = MADE + age

    at = next_at(now, attempts=attempts, jitter=jitter)

    assert at is not None
    assert now < at <= MADE + FOR


def test_jitter_lengthens_a_gap_by_a_fifth_at_most() -> None:
    plain, longest = next_at(MADE), next_at(MADE, jitter=1.0)
    assert plain is not None
    assert longest is not None

    assert (longest - MADE) / (plain - MADE) == pytest.approx(1 + JITTER_PART)
