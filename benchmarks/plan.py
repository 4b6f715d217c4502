"""How much is measured, from the environment, so that a quick look needs no other code: `BENCH_ROUNDS=1 make bench`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field


def _number(name: str, default: int) -> int:
    return int(os.environ.get(f"BENCH_{name}", default))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run."""

    #: Rounds of each peer, alternating; the median counts.
    rounds: int = field(default_factory=lambda: _number("ROUNDS", 5))
    #: Mails in the mailbox of one round.
    mails: int = field(default_factory=lambda: _number("MAILS", 1000))
    #: Mails whose latency is measured, one at a time.
    latency_mails: int = field(default_factory=lambda: _number("LATENCY_MAILS", 40))
    #: Mails offered by LMTP in one round.
    lmtp_mails: int = field(default_factory=lambda: _number("LMTP_MAILS", 1000))
    #: Cases stored in the large store.
    cases: int = field(default_factory=lambda: _number("CASES", 100_000))
    #: Cases stored in the small one.
    few_cases: int = 100
    #: How often each command of the shell is timed; the median counts.
    shell_tries: int = field(default_factory=lambda: _number("SHELL_TRIES", 5))
