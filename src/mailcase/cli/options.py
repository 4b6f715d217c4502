"""The options that stand everywhere, before or after the command: --config, --json, --as, --lang.

What is given after the command wins over what is given before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import click


@dataclass(slots=True)
class Options:
    """What was said on the command line beside the command itself; None where nothing was."""

    config: Path | None = None
    json: bool = False
    person: str | None = None
    #: `en` or `fr`.
    language: str | None = None


def _keeper(name: str) -> Callable[[click.Context, click.Parameter, object], None]:
    def keep(context: click.Context, _parameter: click.Parameter, value: object) -> None:
        # Also makes the object in the outermost context, from which all others inherit it.
        options = context.ensure_object(Options)
        if value is not None:
            setattr(options, name, value)

    return keep


#: Every command and every group takes them.
SHARED: tuple[click.Parameter, ...] = (
    click.Option(
        ["--config"],
        type=click.Path(path_type=Path),
        metavar="FILE",
        expose_value=False,
        callback=_keeper("config"),
        help="Configuration file; else MAILCASE_CONFIG, ./config.yaml, ./config.example.yaml, /etc/mailcase/.",
    ),
    click.Option(
        ["--json"],
        is_flag=True,
        default=None,
        expose_value=False,
        callback=_keeper("json"),
        help="Print one JSON document.",
    ),
    click.Option(
        ["--as"],
        metavar="PERSON",
        expose_value=False,
        callback=_keeper("person"),
        help="Act as this person; else the one whose login is yours.",
    ),
    click.Option(
        ["--lang"],
        type=click.Choice(["en", "fr"]),
        expose_value=False,
        callback=_keeper("language"),
        help="Language of labels.",
    ),
)

#: For every list that may be long; JSON without it has every row.
limit_option = click.option(
    "--limit", metavar="N", type=click.IntRange(1, 5000), help="At most so many, 200 if not said; JSON then has all."
)


class Command(click.Command):
    """A command with the options that stand everywhere."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *SHARED]


class Group(click.Group):
    """A noun with its verbs."""

    command_class = Command

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *SHARED]


class LazyGroup(Group):
    """A group whose commands are imported when they are called, so that help never waits for a library."""

    #: Name of the command -> (`module:attribute`, its line in the help).
    lazy: Mapping[str, tuple[str, str]]

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lazy:
            return None
        module, _, attribute = self.lazy[cmd_name][0].partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}:{attribute} is not a command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            raise click.exceptions.NoSuchCommand(
                error.command_name, possibilities=self.list_commands(ctx), ctx=ctx
            ) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.lazy.items()])
