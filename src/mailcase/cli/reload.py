"""`mailcase reload`: the running daemon reads its configuration again."""

from __future__ import annotations

from collections.abc import Iterator

import click

from mailcase.cli.ending import refused
from mailcase.cli.options import Command
from mailcase.cli.record import Record
from mailcase.cli.screen import Screen
from mailcase.cli.session import Session
from mailcase.cli.words import word
from mailcase.inbound.protocol import Json


@click.command(cls=Command)
def reload() -> None:
    """Have the running daemon take its configuration over as it is now: all of it, or nothing, and say why not."""
    session = Session.current()
    response = session.ask_running("reload")
    if response is None:
        raise refused("no daemon runs; `mailcase run` starts one with the configuration as it is now")
    session.print(response, _changed)


def _changed(answer: Json, screen: Screen) -> Iterator[str]:
    changed = Record(answer).texts("changed")
    if changed:
        yield from changed
    else:
        yield word("Nothing has changed but secrets and templates.", screen.language)
