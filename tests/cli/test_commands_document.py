"""docs/commands.md has every command, no other, and examples that the command line accepts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from tests.cli.test_help import commands

from mailcase.cli import main

DOCUMENT = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")


def sections() -> dict[str, str]:
    """The text under each heading of a command."""
    parts = re.split(r"^### (mailcase .*)$", DOCUMENT, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def examples() -> Iterator[tuple[str, str]]:
    for name, text in sections().items():
        for line in re.findall(r"^    (mailcase .*)$", text, flags=re.MULTILINE):
            yield name, line


def test_every_command_is_described_and_no_other() -> None:
    names = {" ".join(("mailcase", *path)) for path, command in commands() if not isinstance(command, click.Group)}

    assert set(sections()) == names


def test_every_command_has_an_example() -> None:
    assert {name for name, _ in examples()} == set(sections())


@pytest.mark.parametrize(("name", "example"), list(examples()))
def test_every_example_is_accepted(name: str, example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.pdf").write_bytes(b"%PDF")
    words = shlex.split(re.sub(r"\s[<>].*", "", example))[1:]

    command: click.Command = main
    context = click.Context(main, info_name="mailcase")
    while isinstance(command, click.Group):
        _, found, words = command.resolve_command(context, words)
        assert found is not None
        command = found
        context = click.Context(command, info_name=command.name, parent=context)

    assert context.command_path == name
    # Parses the options and arguments, runs nothing.
    command.make_context(command.name, words, parent=context.parent)


@pytest.mark.parametrize("option", ["--config", "--json", "--as", "--lang"])
def test_the_options_that_stand_everywhere_are_described(option: str) -> None:
    assert f"- `{option}" in DOCUMENT
