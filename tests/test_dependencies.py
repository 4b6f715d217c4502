"""S22: whatever mailcase and its tests need, and whatever that needs, stands in constraints.txt with one version."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"


def pinned() -> dict[str, str]:
    """Distribution -> version. Fails on a line that is no pin, and on a place to fetch from."""
    lines = [line for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    pins = [re.fullmatch(r"([\w.-]+)==([\w.]+)( ?;.*)?", line) for line in lines]
    assert None not in pins, [line for line, pin in zip(lines, pins, strict=True) if pin is None]
    return {canonicalize_name(pin.group(1)): pin.group(2) for pin in pins if pin is not None}


def needed(name: str, extra: str = "") -> Iterator[str]:
    """Every distribution that one needs here, itself left out."""
    seen = {name}
    waiting = [(name, extra)]
    while waiting:
        distribution, with_extra = waiting.pop()
        for words in metadata.requires(distribution) or ():
            requirement = Requirement(words)
            other = canonicalize_name(requirement.name)
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": with_extra}):
                continue
            if other not in seen:
                seen.add(other)
                waiting.append((other, ""))
                yield other


def test_S22_every_dependency_is_pinned_and_is_what_runs() -> None:
    pins = pinned()
    versions = {name: metadata.version(name) for name in needed("mailcase", extra="dev")}

    assert len(versions) > 20
    assert {name: pins.get(name) for name in versions} == versions
