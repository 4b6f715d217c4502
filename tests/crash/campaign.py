"""Many rounds: which points come when, who plays them, and what is said of it in the end."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from random import Random

from tests.crash.chapter import Chapter
from tests.crash.flaws import Flaw
from tests.crash.judge import Verdict
from tests.crash.ledger import Sink
from tests.crash.peers import installed
from tests.crash.points import Crash, Site, Wire, crashes_at
from tests.servers.imap_servers import DOVECOT, ImapServer, running_dovecot, running_pymap

from mailcase.clock import SystemClock
from mailcase.errors import AppError
from mailcase.store import migrate
from mailcase.store.port import Point

#: Rounds on one store.
CHAPTER_ROUNDS = 10
#: Played at the same time.
PLAYERS = 2
#: A point is also met at a later time that a life comes by it: from the second pass on, and where every life comes by
#: so often from the first; else it is always a tick's mail that is on its way out.
NTH_AT_MOST = 3
COMMON = frozenset({Point.JOURNAL.name, Point.SETTLE.name, Wire.DOT.name})


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One round to play."""

    number: int
    site: Site
    crash: Crash

    def __str__(self) -> str:
        return f"round {self.number} ({self.site.value}: {self.crash})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChapterPlan:
    """Rounds on one store, in order; the seed of what happens in them."""

    seed: str
    turns: tuple[Turn, ...]

    @property
    def name(self) -> str:
        return f"chapter{self.turns[0].number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of one round."""

    turn: Turn
    is_hit: bool = False
    begun_count: int = 0
    verdict: Verdict = field(default_factory=Verdict)
    #: Why it could not be played to its end.
    trouble: str | None = None

    @property
    def failures(self) -> list[str]:
        """One line for each promise that was not kept."""
        lines = [f"lost: {line}" for line in self.verdict.lost] + [f"double: {line}" for line in self.verdict.double]
        return lines if self.trouble is None else [*lines, f"not played to its end: {self.trouble}"]


# ---- the plan --------------------------------------------------------------------------------------------------------


def points_of(sites: Sequence[Site]) -> list[tuple[Site, Crash]]:
    """Every point of every site."""
    return [(site, crash) for site in sites for crash in crashes_at(site)]


def plan(seed: int, *, rounds_count: int, sites: Sequence[Site]) -> list[ChapterPlan]:
    """Every point once, in an order of the seed, before any comes again; rounds of one site share stores."""
    random = Random(seed)
    turns: list[Turn] = []
    while len(turns) < rounds_count:
        is_first_pass = not turns
        points = points_of(sites)
        random.shuffle(points)
        for site, crash in points[: rounds_count - len(turns)]:
            is_sure = is_first_pass and crash.point not in COMMON
            nth = 1 if is_sure else random.randint(1, NTH_AT_MOST)
            later = Crash(point=crash.point, when=crash.when, nth=nth)
            turns.append(Turn(number=len(turns) + 1, site=site, crash=later))
    chapters = [
        ChapterPlan(seed=f"{seed} {own[at].number}", turns=tuple(own[at : at + CHAPTER_ROUNDS]))
        for site in sites
        for own in [[turn for turn in turns if turn.site is site]]
        for at in range(0, len(own), CHAPTER_ROUNDS)
    ]
    return sorted(chapters, key=lambda chapter: chapter.turns[0].number)


def up_to(chapters: Iterable[ChapterPlan], number: int) -> list[ChapterPlan]:
    """The chapter with that round, and no round after it."""
    return [
        ChapterPlan(seed=chapter.seed, turns=tuple(turn for turn in chapter.turns if turn.number <= number))
        for chapter in chapters
        if any(turn.number == number for turn in chapter.turns)
    ]


# ---- playing ---------------------------------------------------------------------------------------------------------


def play_all(
    chapters: Sequence[ChapterPlan], *, servers: Mapping[str, ImapServer], folder: Path
) -> Iterator[list[Report]]:
    """The reports of each chapter, as they come."""
    empty_store = folder / "empty.db"
    migrate.upgrade(empty_store, now=SystemClock().now())
    play = partial(play_chapter, servers=servers, folder=folder, empty_store=empty_store)
    with ProcessPoolExecutor(PLAYERS, mp_context=get_context("spawn")) as players:
        yield from players.map(play, chapters)


def play_chapter(
    chapter: ChapterPlan,
    *,
    servers: Mapping[str, ImapServer],
    folder: Path,
    empty_store: Path,
    flaw: Flaw | None = None,
) -> list[Report]:
    """Plays rounds on a new store, in a folder of the chapter's name that stays when a promise was not kept."""
    own = folder / chapter.name
    own.mkdir()
    reports = asyncio.run(_play(chapter, own, servers, empty_store, flaw))
    if not any(report.failures for report in reports):
        shutil.rmtree(own)
    return reports


async def _play(
    chapter: ChapterPlan, folder: Path, servers: Mapping[str, ImapServer], empty_store: Path, flaw: Flaw | None
) -> list[Report]:
    """Ends with the first round that cannot be played to its end."""
    reports: list[Report] = []
    site = chapter.turns[0].site
    async with Sink() as sink:
        with installed(site, folder, sink, servers, empty_store=empty_store) as (installation, peer):
            story = Chapter(installation, peer, sink, seed=chapter.seed, flaw=flaw)
            for turn in chapter.turns:
                reports.append(await _play_turn(story, turn))
                if reports[-1].trouble is not None:
                    break
    return reports


async def _play_turn(story: Chapter, turn: Turn) -> Report:
    try:
        played = await story.play(turn.crash)
    except (AssertionError, AppError, OSError) as error:
        return Report(turn=turn, trouble=str(error).partition("\n")[0])
    return Report(turn=turn, is_hit=played.is_hit, verdict=played.verdict, begun_count=played.begun_count)


@contextmanager
def running_servers(sites: Sequence[Site]) -> Iterator[Mapping[str, ImapServer]]:
    """The IMAP servers of the sites, by name."""
    with ExitStack() as stack:
        servers: dict[str, ImapServer] = {}
        if any(not site.is_listener and not site.is_dovecot for site in sites):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pymap-")))
            servers["pymap"] = stack.enter_context(running_pymap(folder))
        if any(site.is_dovecot for site in sites):
            servers["dovecot"] = stack.enter_context(running_dovecot())
        yield servers


def sites_here() -> list[Site]:
    """All sites, without Dovecot's where it is not installed. Raises SystemExit when it must be (REQUIRE_ALL=1)."""
    if Path(DOVECOT).exists():
        return list(Site)
    if os.environ.get("REQUIRE_ALL") == "1":
        raise SystemExit(f"{DOVECOT} is not there")
    return [site for site in Site if not site.is_dovecot]


# ---- what is said in the end -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The figures of a campaign."""

    rounds_count: int
    lost_count: int
    double_count: int
    unknown_count: int
    #: Deliveries past their journal entry at the kills: so many may be unknown.
    begun_count: int
    #: Points that were hit, of all.
    hit_count: int
    points_count: int
    #: Rounds that could not be played to their end.
    troubles_count: int

    @classmethod
    def of(cls, reports: Sequence[Report], sites: Sequence[Site]) -> Summary:
        hit = {
            (report.turn.site, report.turn.crash.point, report.turn.crash.when) for report in reports if report.is_hit
        }
        return cls(
            rounds_count=len(reports),
            lost_count=sum(len(report.verdict.lost) for report in reports),
            double_count=sum(len(report.verdict.double) for report in reports),
            unknown_count=sum(len(report.verdict.unknown) for report in reports),
            begun_count=sum(report.begun_count for report in reports),
            hit_count=len(hit),
            points_count=len(points_of(sites)),
            troubles_count=sum(report.trouble is not None for report in reports),
        )

    @property
    def is_good(self) -> bool:
        """Every promise was kept and, with rounds enough, every point was hit."""
        is_kept = not (self.lost_count or self.double_count or self.troubles_count)
        is_complete = self.hit_count == self.points_count or self.rounds_count < self.points_count
        return is_kept and is_complete and self.unknown_count <= self.begun_count

    def __str__(self) -> str:
        return (
            f"rounds {self.rounds_count} lost {self.lost_count} double {self.double_count} "
            f"unknown {self.unknown_count} points {self.hit_count}/{self.points_count}"
        )
