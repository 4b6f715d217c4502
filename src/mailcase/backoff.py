"""How long to leave alone what fails: longer after each failure in a row, and never all at the same moment."""

from __future__ import annotations

from datetime import timedelta

from mailcase.entropy import Entropy

#: Twenty doublings are more than any pause; larger powers do not fit a timedelta.
_DOUBLINGS = 20


def doubled(first: timedelta, failures_count: int, longest: timedelta) -> timedelta:
    """The pause after so many failures in a row, of which there is at least one: `first`, then twice as long each time,
    up to `longest`.
    """
    return min(first * (1 << min(failures_count - 1, _DOUBLINGS)), longest)


def jittered(pause: timedelta, entropy: Entropy) -> timedelta:
    """Half of the pause at least, so that those that failed together do not come again together."""
    return pause * ((1 + entropy.uniform()) / 2)
