"""Whose turn it is: a batch of mail is shared among all mailboxes that have some waiting (R18)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from mailcase.core.case import MailboxName, MailId


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingMail:
    """A mail that may be claimed now."""

    id: MailId
    attempts: int
    size_bytes: int


class Turns:
    """Gives the batches of one life of the store.

    Every mailbox begins a batch in its turn, by name, so that none waits for ever however many there are and however
    small the batches.
    """

    def __init__(self) -> None:
        self._began = MailboxName("")

    def batch(
        self, waiting: Mapping[MailboxName, Sequence[WaitingMail]], *, limit_count: int, limit_bytes: int
    ) -> list[MailId]:
        """The mails to claim together; at least one, however big it is, if any waits.

        `waiting` holds the first mails of each mailbox in the order in which they are to be handled. None of them
        overtakes another of the same mailbox. A mail that was tried before comes alone, once its mailbox begins.
        """
        order = self._next_order(waiting)
        if not order:
            return []
        self._began = order[0]
        first = waiting[order[0]][0]
        if first.attempts > 0:
            return [first.id]
        ids: list[MailId] = []
        size_bytes = 0
        for mail in _in_turn([_untried(waiting[mailbox]) for mailbox in order]):
            size_bytes += mail.size_bytes
            if ids and (len(ids) == limit_count or size_bytes > limit_bytes):
                break
            ids.append(mail.id)
        return ids

    def _next_order(self, waiting: Mapping[MailboxName, Sequence[WaitingMail]]) -> list[MailboxName]:
        """The mailboxes that have something waiting; the one after the last that began is the first."""
        names = sorted(mailbox for mailbox, mails in waiting.items() if mails)
        return sorted(names, key=lambda name: name <= self._began)


def _untried(mails: Sequence[WaitingMail]) -> Sequence[WaitingMail]:
    """Those before the first that was tried."""
    return mails[: next((place for place, mail in enumerate(mails) if mail.attempts > 0), len(mails))]


def _in_turn(lines: Sequence[Sequence[WaitingMail]]) -> Iterator[WaitingMail]:
    """The first of every line, then the second of every line, and so on."""
    for row in zip_longest(*lines):
        yield from (mail for mail in row if mail is not None)
