"""What follows from an attempt: whether and when a delivery is tried again."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import isqrt

from mailcase.config.settings import Limits
from mailcase.outbound.port import Attempt
from mailcase.store.rows.outbox import DeliveryResult, DeliveryState

#: The most that jitter may lengthen a gap by, as a part of the gap.
JITTER_PART = 0.2


def next_attempt_at(
    *, created_at: datetime, attempts: int, now: datetime, step: timedelta, retry_for: timedelta, jitter: float
) -> datetime | None:
    """The time of the next attempt; None once `retry_for` has passed since the mail was made: it has failed.

    qmail's schedule: the nth attempt comes n * n steps after the mail was made, so the gaps are 1, 3, 5, 7 ... steps.
    The gap follows the mail's age, because an attempt that ends before DATA is not counted anywhere; `attempts` (this
    one included) only keeps it from shrinking when a clock was set back. `jitter` is in [0, 1) and lengthens the gap
    by up to a fifth. The last attempt falls on the end of `retry_for`.
    """
    end = created_at + retry_for
    if now >= end:
        return None
    age = max(now - created_at, timedelta())
    n = max(isqrt(age // step), attempts - 1)
    gap = (2 * n + 1) * step * (1 + JITTER_PART * jitter)
    return min(now + gap, end)


def result_of(
    attempt: Attempt, *, created_at: datetime, attempts: int, now: datetime, limits: Limits, jitter: float
) -> DeliveryResult:
    """Turns what became of an attempt into what follows: again later, or never. `attempts` counts this one, `jitter` is
    in [0, 1).
    """
    is_again = attempt.state is DeliveryState.DEFERRED or (
        attempt.state is DeliveryState.UNKNOWN and limits.resend_unknown
    )
    if not is_again:
        return DeliveryResult(id=attempt.id, state=attempt.state, reply=attempt.reply)
    next_at = next_attempt_at(
        created_at=created_at,
        attempts=attempts,
        now=now,
        step=limits.retry_step,
        retry_for=limits.retry_for,
        jitter=jitter,
    )
    if next_at is None:
        return DeliveryResult(
            id=attempt.id, state=DeliveryState.FAILED, reply=f"given up, last answer: {attempt.reply}"
        )
    return DeliveryResult(id=attempt.id, state=DeliveryState.DEFERRED, reply=attempt.reply, next_at=next_at)
