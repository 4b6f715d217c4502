"""What the tests of the configuration share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from mailcase.config import reader
from mailcase.config.settings import Settings
from mailcase.errors import Problem

#: The least that works, for tests that write something else before it.
BASE = """\
processes: {enquiry: {}}
mailboxes:
  desk:
    receive: {kind: smtp, listen: "127.0.0.1:2525"}
    addresses: [support@example.org]
    fallback: enquiry
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a configuration file and gives its path."""

    def written(text: str) -> Path:
        path = tmp_path / "mailcase.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return written


@pytest.fixture
def load(write: Callable[[str], Path]) -> Callable[..., Settings]:
    """The settings of a text: dedented, with BASE after it unless told otherwise."""

    def loaded(text: str, *, base: str = BASE, needs_secrets: bool = False) -> Settings:
        return reader.load(write(dedent(text) + base), environment={}, needs_secrets=needs_secrets)

    return loaded


@pytest.fixture
def check(write: Callable[[str], Path]) -> Callable[..., list[str]]:
    """The problems of a text, each as `LINE:COLUMN KEY: MESSAGE | HINT`; dedented, with BASE after it unless told."""

    def checked(text: str, *, base: str = BASE, needs_secrets: bool = False) -> list[str]:
        path = write(dedent(text) + base)
        return [shown(problem) for problem in reader.check(path, environment={}, needs_secrets=needs_secrets)]

    return checked


def shown(problem: Problem) -> str:
    """A problem on one line, without its file."""
    hint = f" | {problem.hint}" if problem.hint else ""
    return f"{problem.line}:{problem.column} {problem.where}: {problem.message}{hint}"
