"""What the peers know of a daemon, written down by themselves: the evidence for the judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from enum import Enum

from tests.crash.points import AFTER, BEFORE, Crash, Wire
from tests.servers.smtp_sink import Reply, SmtpSink, SunkMail

#: Customers whose provider does not know us yet: their first mail is put off (greylisting).
GREY = "grey"


class Wish(Enum):
    """What must become of a mail."""

    CASE = "a case of its own"
    ANSWER = "its place on a case"
    #: A report about a mail that was never sent: a person looks at it.
    REPORT = "unhandled"


def id_of(mail: EmailMessage) -> str:
    """The Message-ID without its brackets."""
    return str(mail["Message-ID"]).strip().strip("<>")


@dataclass
class Ledger:
    """What was said to those who send mail and give commands, and how far deliveries were at the kills."""

    #: Mails, by Message-ID, that were answered with 250, or stand in the mailbox on the server.
    taken: dict[str, Wish] = field(default_factory=dict)
    #: Commands by (case, operation): how often one was given, and how often the shell was told that it is done.
    given: Counter[tuple[str, str]] = field(default_factory=Counter)
    done: Counter[tuple[str, str]] = field(default_factory=Counter)
    #: Texts of notes, with whether the shell was told that they are kept.
    notes: dict[str, bool] = field(default_factory=dict)
    #: Ids of deliveries that were past their journal entry, and not settled, at a kill.
    begun: set[int] = field(default_factory=set)

    def takes(self, mail: EmailMessage, wish: Wish) -> None:
        self.taken[id_of(mail)] = wish


class Sink(SmtpSink):
    """The relay; it can kill the daemon around its answer to the final dot, and puts off what is grey."""

    def __init__(self) -> None:
        super().__init__()
        self._crash: Crash | None = None
        self._kill: Callable[[], None] = lambda: None
        self._met: set[str] = set()

    def kill_at(self, crash: Crash | None, kill: Callable[[], None]) -> None:
        """Kills around the nth final dot from now on; None: not any more."""
        self._crash, self._kill = crash, kill

    def next_reply(self, verb: str, well: Reply) -> Reply:
        reply = super().next_reply(verb, well)
        if verb == Wire.DOT.name:
            self._passed(BEFORE)
        return reply

    async def keep(self, mail: SunkMail) -> None:
        await super().keep(mail)
        self._passed(AFTER)

    def reply_to_recipient(self, address: str) -> Reply:
        if address.startswith(GREY) and address not in self._met:
            self._met.add(address)
            return "450 4.2.0 come back later"
        return super().reply_to_recipient(address)

    def _passed(self, when: str) -> None:
        if self._crash is None or self._crash.when != when:
            return
        nth = self._crash.nth - 1
        self._crash = None if nth == 0 else Crash(point=self._crash.point, when=when, nth=nth)
        if nth == 0:
            self._kill()
