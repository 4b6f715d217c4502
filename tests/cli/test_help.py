"""Help: every command has it, it waits for no library, and a slip of the finger is pointed out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from tests.cli.scripted import ScriptedDaemon

from mailcase import __version__
from mailcase.cli import main
from mailcase.inbound.protocol import Response

Mailcase = Callable[..., Result]


def commands(
    command: click.Command = main, path: tuple[str, ...] = (), parent: click.Context | None = None
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command and group with the words that call it."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, parent=parent)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, (*path, name), context)


@pytest.mark.parametrize("path", [path for path, _ in commands()], ids=" ".join)
def test_every_command_has_help_with_an_explanation_of_each_option(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, [*path, "--help"])

    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: {' '.join(['mailcase', *path])} ")
    for option in ("--config FILE", "--json", "--as PERSON", "--lang [en|fr]"):
        assert option in result.stdout


def test_every_command_and_option_says_what_it_does() -> None:
    for path, command in commands():
        assert command.help, path
        for parameter in command.params:
            assert not isinstance(parameter, click.Option) or parameter.help, (path, parameter.name)


def test_the_first_help_shows_all_nouns_in_one_screen() -> None:
    lines = CliRunner().invoke(main, ["-h"]).stdout.splitlines()

    assert len(lines) <= 36
    assert any(line.split()[:1] == ["case"] for line in lines)


def test_the_version_is_told() -> None:
    assert CliRunner().invoke(main, ["--version"]).stdout.strip().endswith(__version__)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["mial"], "'mail'"),
        (["caes", "list"], "'case'"),
        (["case", "resolv", "1-C"], "'resolve'"),
        (["case", "take", "1-C", "--take-ovr"], "--take-over"),
    ],
)
def test_a_slip_of_the_finger_is_pointed_out(words: list[str], hint: str) -> None:
    result = CliRunner().invoke(main, words)

    assert result.exit_code == 2
    assert hint in result.stderr


HEAVY = ("sqlite3", "aiosqlite", "jinja2", "imap_tools", "aiosmtpd", "aiosmtplib", "sqlalchemy", "alembic", "holidays")


def imported_by(words: list[str]) -> set[str]:
    """The modules that a call of the command line has imported when it ends."""
    script = (
        "import sys\n"
        "from mailcase.cli import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        "print('modules', *sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=True)
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("words", "unwanted"),
    [
        (["--help"], (*HEAVY, "pydantic", "yaml", "structlog", "asyncio")),
        (["case", "--help"], (*HEAVY, "pydantic", "yaml")),
        (["config", "example"], (*HEAVY, "pydantic")),
        (["config", "show"], HEAVY),
        (["check", "--help"], HEAVY),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_needs_no_library_waits_for_none(folder: Path, words: list[str], unwanted: tuple[str, ...]) -> None:
    assert imported_by(words) & {*unwanted} == set()


@pytest.mark.parametrize("words", [["case", "list"], ["status"], ["mail", "list"]])
def test_a_shell_beside_a_daemon_waits_for_nothing_that_only_the_daemon_needs(
    daemon: ScriptedDaemon, folder: Path, words: list[str]
) -> None:
    """Shell commands take less than half a second, start included."""
    daemon.response = Response(data=[])

    assert imported_by(words) & {*HEAVY, "pydantic", "structlog"} == set()


@pytest.mark.parametrize("words", [["case", "list"], ["mail", "list"], ["outbox", "list"]])
def test_a_question_without_a_daemon_waits_for_nothing_that_only_a_daemon_needs(
    folder: Path, mailcase: Mailcase, words: list[str]
) -> None:
    """Shell commands take less than half a second, start included."""
    # A store that has its tables already: making them is what takes Alembic.
    assert mailcase("store", "migrate").exit_code == 0

    of_a_daemon = {"mailcase.app", "mailcase.handlers", "mailcase.workers", "mailcase.outbound"}
    assert imported_by(words) & {*HEAVY, *of_a_daemon} == {"sqlite3", "aiosqlite"}
