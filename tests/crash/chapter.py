"""Rounds on one store, a day each: what one leaves the next finds, claims, windows and waits included.

A round: a daemon starts, mail comes and people work, the daemon is killed at the point of the round, now and then
another one at any time, a last one puts it right, and the judge looks at everything since the chapter began.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.crash.day import Day, is_worked_on, plan_day, put_off, release_grey, resolve, stray_report
from tests.crash.flaws import Flaw
from tests.crash.judge import Row, Verdict, is_over, judge
from tests.crash.ledger import Sink, Wish
from tests.crash.lives import Installation, mail_of
from tests.crash.peers import Peer
from tests.crash.points import AFTER, Crash, Wire
from tests.servers.eventually import eventually

from mailcase.errors import TransientError
from mailcase.store.port import Point

#: A kill at any time comes within this time of the start of the process: starting takes about half of it.
ANY_WITHIN_SECONDS = 0.3
#: How often a round has a second kill, at any time after the first.
SECOND_KILL = 0.25
#: How often a day ends with a clean stop.
CLEAN_STOP = 0.25
ANY_TIME = Crash(point=Wire.ANY.name, when=AFTER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What came of a round."""

    is_hit: bool
    #: What is new since the round before.
    verdict: Verdict
    #: Deliveries past their journal entry at its kills.
    begun_count: int


class Chapter:
    """One installation from its first day on."""

    def __init__(
        self, installation: Installation, peer: Peer, sink: Sink, *, seed: str, flaw: Flaw | None = None
    ) -> None:
        self._installation = installation
        self._peer = peer
        self._sink = sink
        self._seed = seed
        self._flaw = flaw
        self._day = 0
        self._cases: list[Row] = []
        self._told = Verdict()

    async def _begin(self) -> None:
        """The day before the first round: a report that nobody can place, a case that waits, one that is resolved."""
        await self._start()
        mails = [(mail_of(0), Wish.CASE), (mail_of(2), Wish.CASE), (stray_report(0), Wish.REPORT)]
        await Day(self._installation, self._peer, mails).pass_by()
        await self._until_settled()
        refs = [row["ref"] for row in await self._installation.asks("case.list")]
        await put_off(self._installation, refs[0])
        await resolve(self._installation, refs[1])
        await self._until_settled()
        await self._end_of_day(Random(self._seed))

    async def play(self, crash: Crash) -> Played:
        """One round. Raises AssertionError when a daemon does not start, or never has nothing left to do."""
        if self._day == 0:
            await self._begin()
        self._day += 1
        random = Random(f"{self._seed} {self._day}")
        begun_before = len(self._installation.ledger.begun)
        day = plan_day(self._installation, self._peer, self._cases, number=self._day, random=random, point=crash.point)
        if crash.point == Point.RECOVER.name:
            # Something must be there to recover.
            await self._live_and_die(Crash(point=Point.JOURNAL.name, when=AFTER), day, random)
        is_hit = await self._live_and_die(crash, day, random)
        if random.random() < SECOND_KILL:
            await self._live_and_die(ANY_TIME, day, random)
        await self._live_on(day)
        verdict = await self._judge()
        await self._prepare_tomorrow()
        await self._end_of_day(random)
        begun_count = len(self._installation.ledger.begun) - begun_before
        return Played(is_hit=is_hit, verdict=verdict, begun_count=begun_count)

    # -- lives

    async def _live_and_die(self, crash: Crash, day: Day, random: Random) -> bool:
        """A life that ends in a crash; False when it never came by that point, and was killed with nothing to do."""
        installation = self._installation
        self._sink.kill_at(crash if crash.point == Wire.DOT.name else None, installation.kill)
        day.on_taken = Countdown(crash.nth, installation.kill) if crash.point == Wire.TAKEN.name else lambda: None
        installation.begin(None if crash.is_at_peer else crash, ahead_days=self._day, flaw=self._flaw)
        if crash.point == Wire.ANY.name:
            asyncio.get_running_loop().call_later(random.uniform(0, ANY_WITHIN_SECONDS), installation.kill)
        await installation.until_working()
        await day.pass_by()
        if crash.point != Wire.ANY.name:
            await eventually(self._has_ended_or_settled, f"an end in {installation.folder}")
        is_hit = installation.has_ended or crash.point == Wire.ANY.name
        if not is_hit:
            installation.kill()
        await installation.until_killed()
        self._sink.kill_at(None, installation.kill)
        day.on_taken = lambda: None
        return is_hit

    async def _live_on(self, day: Day) -> None:
        """A life in which everything that was begun comes to its end."""
        await self._start()
        await day.pass_by()
        assert not day.mails, f"{len(day.mails)} mails are refused in {self._installation.folder}"
        if day.grey is not None:
            await release_grey(self._installation, day.grey)
        await self._until_settled()

    async def _start(self) -> None:
        await self._installation.start(ahead_days=self._day, flaw=self._flaw)

    async def _has_ended_or_settled(self) -> bool:
        return self._installation.has_ended or await self._is_settled()

    async def _until_settled(self) -> None:
        await eventually(self._is_settled, f"nothing left to do in {self._installation.folder}")

    async def _is_settled(self) -> bool:
        """The daemon has heard of all mail, its peer of all that is taken, no wait is over and the outbox is empty."""
        if await self._peer.unacknowledged_count() > 0:
            return False
        try:
            cases = await self._installation.asks("case.list")
        except TransientError:
            return False
        if any(is_over(case["wait"], self._installation.now()) for case in cases):
            return False
        return await self._installation.is_idle()

    # -- evenings

    async def _judge(self) -> Verdict:
        """What is new since the last time."""
        found = await judge(self._installation)
        if (surplus := -await self._peer.unacknowledged_count()) > 0:
            found.double.append(f"{surplus} mails more on the server than anybody has put there")
        new = Verdict(
            lost=[line for line in found.lost if line not in self._told.lost],
            double=[line for line in found.double if line not in self._told.double],
            unknown=[line for line in found.unknown if line not in self._told.unknown],
        )
        self._told = found
        return new

    async def _prepare_tomorrow(self) -> None:
        """One case waits until tomorrow, so that every day begins with something that time does."""
        cases = await self._installation.asks("case.list")
        for case in cases:
            if is_worked_on(case) and await put_off(self._installation, case["ref"]):
                break
        await self._until_settled()

    async def _end_of_day(self, random: Random) -> None:
        """A clean stop, or one more kill, with nothing left to do."""
        self._cases = await self._installation.asks("case.list")
        if random.random() < CLEAN_STOP:
            await self._installation.stop()
            return
        self._installation.kill()
        await self._installation.until_killed()


@dataclass
class Countdown:
    """Does something the nth time that it is called."""

    nth: int
    then: Callable[[], None]

    def __call__(self) -> None:
        self.nth -= 1
        if self.nth == 0:
            self.then()
