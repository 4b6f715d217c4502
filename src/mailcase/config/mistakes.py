"""The one exception with which a value of the configuration is turned down."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from mailcase.config.document import quoted

#: Share of letters in common; high, since addresses and zones of one place have many in common anyway.
_NEAR = 0.75


class Mistake(ValueError):
    """A value cannot be used; a ValueError, so that pydantic collects it with the others."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known word, or all of them where none is near; "" when nothing is known."""
    words = sorted(known)
    by_folded = {name.casefold(): name for name in words}
    near = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=_NEAR)
    if near:
        return f"Did you mean {quoted(by_folded[near[0]])}?"
    return f"Known here: {', '.join(words[:20])}{', …' if len(words) > 20 else ''}." if words else ""
