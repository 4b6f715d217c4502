"""The campaign itself: what it plans, what it says in the end, and that its judge finds what is wrong (R4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.crash.campaign import ChapterPlan, Report, Summary, Turn, plan, play_chapter, points_of, up_to
from tests.crash.flaws import Flaw
from tests.crash.judge import Verdict
from tests.crash.points import AFTER, BEFORE, Crash, Site, crashes_at
from tests.servers.imap_servers import ImapServer

from mailcase.store.port import Point

SITES = list(Site)
ALL = len(points_of(SITES))

#: Plays rounds of one site, on one store.
Play = Callable[..., Sequence[Report]]


def turn(number: int = 1, *, site: Site = Site.SMTP, point: str = "ACCEPT", when: str = AFTER) -> Turn:
    return Turn(number=number, site=site, crash=Crash(point=point, when=when))


@pytest.fixture
def plays(tmp_path: Path, empty_store: Path, pymap: ImapServer) -> Play:
    def play(site: Site, *crashes: Crash, flaw: Flaw | None = None) -> Sequence[Report]:
        turns = tuple(Turn(number=number, site=site, crash=crash) for number, crash in enumerate(crashes, 1))
        # Folders of the server are called after those of the chapters.
        folder = tmp_path / "chapters"
        folder.mkdir()
        chapter = ChapterPlan(seed=f"{tmp_path.name}", turns=turns)
        return play_chapter(chapter, servers={"pymap": pymap}, folder=folder, empty_store=empty_store, flaw=flaw)

    return play


# ---- the judge -------------------------------------------------------------------------------------------------------


def test_a_day_with_a_crash_after_the_other_breaks_no_promise(plays: Play) -> None:
    """R1 to R5: mail, answers, commands and time, on a store that has seen crashes before."""
    crashes = [Crash(point=point.name, when=BEFORE) for point in (Point.SAVE_MAIL, Point.TICK, Point.SETTLE)]

    reports = plays(Site.SMTP, *crashes)

    assert [report.failures for report in reports] == [[]] * len(crashes)
    assert all(report.is_hit for report in reports)


def test_mail_that_was_acknowledged_before_the_commit_is_found_lost(plays: Play) -> None:
    """R1."""
    (report,) = plays(Site.PYMAP_MOVE, Crash(point="ACCEPT", when=BEFORE, nth=1), flaw=Flaw.ACKNOWLEDGES_FIRST)

    assert report.verdict.lost
    assert all(line.endswith("is not there") for line in report.verdict.lost)


def test_mail_that_was_sent_twice_is_found_double(plays: Play) -> None:
    """R3."""
    (report,) = plays(Site.SMTP, Crash(point="CLAIM_INBOX", when=BEFORE), flaw=Flaw.SENDS_TWICE)

    assert report.verdict.double
    assert not report.verdict.lost


def test_mail_that_was_journaled_after_it_was_sent_is_found_double(plays: Play) -> None:
    """R3, L32: whoever starts next takes it for a mail that never left."""
    (report,) = plays(Site.SMTP, Crash(point="JOURNAL", when=BEFORE), flaw=Flaw.JOURNALS_LATE)

    assert [line.endswith("is there 2 times") for line in report.verdict.double] == [True]


# ---- the plan --------------------------------------------------------------------------------------------------------


def test_every_point_of_the_store_is_part_of_the_campaign_at_every_site() -> None:
    for site in SITES:
        points = {(crash.point, crash.when) for crash in crashes_at(site)}

        assert points >= {(point.name, when) for point in Point for when in (BEFORE, AFTER)}


def test_as_many_rounds_as_there_are_points_come_by_all_of_them() -> None:
    turns = [turn for chapter in plan(1, rounds_count=ALL, sites=SITES) for turn in chapter.turns]

    assert {(turn.site, replace(turn.crash, nth=1)) for turn in turns} == set(points_of(SITES))


def test_rounds_are_numbered_once_and_those_of_one_site_share_a_store() -> None:
    chapters = plan(7, rounds_count=500, sites=SITES)

    assert sorted(turn.number for chapter in chapters for turn in chapter.turns) == list(range(1, 501))
    assert all(len({turn.site for turn in chapter.turns}) == 1 for chapter in chapters)


def test_a_seed_gives_the_same_plan_and_another_one_another() -> None:
    assert plan(3, rounds_count=300, sites=SITES) == plan(3, rounds_count=300, sites=SITES)
    assert plan(3, rounds_count=300, sites=SITES) != plan(4, rounds_count=300, sites=SITES)


def test_a_round_is_played_again_with_those_that_came_before_it_on_its_store() -> None:
    chapters = plan(3, rounds_count=300, sites=SITES)
    (chapter,) = [chapter for chapter in chapters if any(turn.number == 100 for turn in chapter.turns)]

    (again,) = up_to(chapters, 100)

    assert again.seed == chapter.seed
    assert again.turns == tuple(turn for turn in chapter.turns if turn.number <= 100)


# ---- what is said in the end -----------------------------------------------------------------------------------------


def every_point_hit() -> list[Report]:
    return [
        Report(turn=Turn(number=number, site=site, crash=crash), is_hit=True, begun_count=1)
        for number, (site, crash) in enumerate(points_of(SITES), 1)
    ]


def test_the_last_line_has_the_figures() -> None:
    verdict = Verdict(lost=["a", "b"], double=["c"], unknown=["d", "e", "f"])
    reports = [Report(turn=turn(), is_hit=True, verdict=verdict), Report(turn=turn(2), verdict=Verdict(lost=["g"]))]

    assert str(Summary.of(reports, SITES)) == f"rounds 2 lost 3 double 1 unknown 3 points 1/{ALL}"


def test_a_campaign_that_kept_every_promise_is_good() -> None:
    assert Summary.of(every_point_hit(), SITES).is_good


@pytest.mark.parametrize(
    "bad",
    [
        Report(turn=turn(), verdict=Verdict(lost=["a mail"])),
        Report(turn=turn(), verdict=Verdict(double=["a mail"])),
        Report(turn=turn(), verdict=Verdict(unknown=["a mail"] * (ALL + 1))),
        Report(turn=turn(), trouble="the daemon does not start"),
    ],
    ids=["lost", "double", "more unknown than were begun", "not played to its end"],
)
def test_one_bad_round_makes_it_bad(bad: Report) -> None:
    assert not Summary.of([*every_point_hit(), bad], SITES).is_good


def test_a_point_that_was_never_hit_makes_it_bad_when_there_were_rounds_enough() -> None:
    reports = every_point_hit()

    assert Summary.of(reports[1:], SITES).is_good
    assert not Summary.of([*reports[1:], Report(turn=turn())], SITES).is_good
