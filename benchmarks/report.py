"""What a run leaves: the table on the terminal, `var/bench.json`, the figures and picture of docs/performance.md."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
FIGURES_FILE = ROOT / "var" / "bench.json"
PAGE = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "stations.svg"
_BEGIN, _END = "<!-- figures: written by `make bench` -->", "<!-- end of figures -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of `var/bench.json`."""

    key: str
    meaning: str
    value: float
    #: What it must reach, or stay under; empty where it is only shown.
    bound: str = ""

    @property
    def is_reached(self) -> bool:
        """True where nothing is demanded."""
        if not self.bound:
            return True
        sign, limit = self.bound.split()
        return self.value >= float(limit) if sign == ">=" else self.value < float(limit)

    @property
    def shown(self) -> str:
        return f"{self.value:.2f}" if self.value < 10 else f"{self.value:.0f}"


def write_json(figures: Sequence[Figure]) -> None:
    """Flat, one key per figure."""
    FIGURES_FILE.parent.mkdir(exist_ok=True)
    FIGURES_FILE.write_text(json.dumps({figure.key: round(figure.value, 4) for figure in figures}, indent=2) + "\n")


def table(figures: Sequence[Figure]) -> str:
    """For a terminal."""
    rows = [(figure.key, figure.shown, figure.bound, "" if figure.is_reached else "MISSED") for figure in figures]
    return "\n".join(f"{key:<26}{value:>8}   {bound:<10}{missed}".rstrip() for key, value, bound, missed in rows)


def write_page(figures: Sequence[Figure], details: Sequence[str], stations: Mapping[str, float]) -> None:
    """Rewrites the figures between the markers of the page, and the picture beside it. `stations`: ms per mail."""
    rows = "\n".join(f"| {figure.meaning} | {figure.shown} | {figure.bound} | `{figure.key}` |" for figure in figures)
    times = "\n".join(f"| {name} | {ms:.2f} |" for name, ms in stations.items())
    block = (
        f"{_BEGIN}\n\n| what | measured | wanted | key |\n|---|---|---|---|\n{rows}\n\n"
        + "\n".join(f"- {detail}" for detail in details)
        + f"\n\n![processor time of a mail, station by station](stations.svg)\n\n"
        f"| station | ms of processor time per mail |\n|---|---|\n{times}\n"
        f"| **all** | **{sum(stations.values()):.2f}** |\n\n{_END}"
    )
    page = PAGE.read_text()
    PAGE.write_text(re.sub(f"{re.escape(_BEGIN)}.*{re.escape(_END)}", lambda _match: block, page, flags=re.DOTALL))
    PICTURE.write_text(_picture(stations))


def _picture(stations: Mapping[str, float]) -> str:
    """One bar per station, in the order of the path; text and bars keep their contrast on white and on black."""
    widest = max(stations.values())
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="640" height="{len(stations) * 26 + 12}" '
        'font-family="sans-serif" font-size="13" role="img">',
        "<title>processor time of a mail, in milliseconds, station by station</title>",
    ]
    for row, (name, ms) in enumerate(stations.items()):
        top = row * 26 + 8
        width = max(1.0, ms / widest * 360)
        lines += [
            f'<text x="196" y="{top + 14}" text-anchor="end" fill="#777">{name}</text>',
            f'<rect x="204" y="{top}" width="{width:.1f}" height="18" rx="2" fill="#4a90c2"/>',
            f'<text x="{210 + width:.1f}" y="{top + 14}" fill="#777">{ms:.2f} ms</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"
