"""`make crash`: kills the daemon at every point, again and again; ends with a line of figures, and 1 when it failed."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from random import SystemRandom
from shutil import rmtree
from tempfile import mkdtemp

from tests.crash.campaign import Report, Summary, Turn, plan, play_all, points_of, running_servers, sites_here, up_to


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="how many rounds (200)")
    parser.add_argument("--seed", type=int, help="what happens in which order; chosen when left out, and printed")
    parser.add_argument("--only", type=int, metavar="ROUND", help="this round, with those before it on its store")
    options = parser.parse_args()
    seed = SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    sites = sites_here()
    chapters = plan(seed, rounds_count=options.rounds, sites=sites)
    if options.only is not None:
        chapters = up_to(chapters, options.only)
    print(f"seed {seed}, {len(points_of(sites))} points: {', '.join(site.value for site in sites)}", flush=True)
    folder = Path(mkdtemp(prefix="crash-"))
    reports: list[Report] = []
    began = time.monotonic()
    with running_servers(sites) as servers:
        for played in play_all(chapters, servers=servers, folder=folder):
            reports += played
            for report in played:
                _tell(report, f"make crash ROUNDS={options.rounds} SEED={seed} ONLY={report.turn.number}", folder)
    summary = Summary.of(reports, sites)
    seconds = time.monotonic() - began
    print(f"{seconds:.0f} s; {summary.begun_count} deliveries were past their journal entry at the kills")
    _tell_missed(reports, [turn for chapter in chapters for turn in chapter.turns])
    print(summary)
    if summary.is_good:
        rmtree(folder)
    sys.exit(0 if summary.is_good else 1)


def _tell(report: Report, again: str, folder: Path) -> None:
    """A round that failed: what, where its store and log are, and how to play it again."""
    if not report.failures:
        return
    print(f"{report.turn}, files in {folder}, again: {again}")
    for line in report.failures:
        print(f"  {line}", flush=True)


def _tell_missed(reports: list[Report], turns: list[Turn]) -> None:
    """Points that were planned and never hit."""
    hit = {(report.turn.site, report.turn.crash.point, report.turn.crash.when) for report in reports if report.is_hit}
    planned = {(turn.site, turn.crash.point, turn.crash.when) for turn in turns}
    for site, point, when in sorted(planned - hit, key=str):
        print(f"not hit: {when} {point} ({site.value})")


if __name__ == "__main__":
    main()
