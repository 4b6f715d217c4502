"""What one look at a folder has to do and how far it has come. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from mailcase.inbound.imap_answers import MailFacts


def in_portions(uids: Sequence[int], count: int) -> Iterator[Sequence[int]]:
    """The UIDs, `count` at a time, in their order."""
    for start in range(0, len(uids), count):
        yield uids[start : start + count]


def in_sets(
    facts: Iterable[MailFacts], *, limit_count: int, limit_bytes: int, alone: Collection[int]
) -> Iterator[tuple[MailFacts, ...]]:
    """The mails in their order, in sets that are fetched and committed together.

    A mail over `limit_bytes` is a set of its own, and so is each UID of `alone`.
    """
    some: list[MailFacts] = []
    for fact in facts:
        size = sum(other.size_bytes for other in some) + fact.size_bytes
        is_closed = bool(some) and (some[-1].uid in alone or fact.uid in alone)
        if some and (is_closed or len(some) == limit_count or size > limit_bytes):
            yield tuple(some)
            some = []
        some.append(fact)
    if some:
        yield tuple(some)


def is_older(fact: MailFacts, start: datetime) -> bool:
    """Whether the mail is certain to have arrived before that time."""
    return fact.internal_date is not None and fact.internal_date < start


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look came to."""

    #: The instant before the server was asked.
    seen_at: datetime
    #: UIDs that the server lists and does not give; empty: the look is complete.
    unread: tuple[int, ...]
    #: Mails committed.
    taken_count: int


class Progress:
    """Which of the UIDs that were listed are still unread, and how far the cursor may go."""

    def __init__(self, listed: Sequence[int], unread: Iterable[int], *, cursor: int) -> None:
        """`listed` ascending; `unread` are those of them that are not committed; `cursor` as it was saved."""
        self._listed = listed
        self._unread = set(unread)
        self._at = 0
        self._cursor = cursor

    @property
    def cursor(self) -> int:
        """The greatest UID such that no unread one is below it; never less than it was."""
        while self._at < len(self._listed) and self._listed[self._at] not in self._unread:
            self._cursor = max(self._cursor, self._listed[self._at])
            self._at += 1
        return self._cursor

    @property
    def unread(self) -> tuple[int, ...]:
        """What is left, ascending."""
        return tuple(sorted(self._unread))

    def done(self, uids: Iterable[int]) -> None:
        """These are committed, or need not be."""
        self._unread.difference_update(uids)
