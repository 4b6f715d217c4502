"""`mailcase reload`: the running daemon reads its configuration again."""

from __future__ import annotations

from collections.abc import Iterator

import click

from mailcase.cli.ending import refused
from mailcase.cli.options import Command
from mailcase.cli.record import Record
from mailcase.cli.screen import Screen
from mailcase.cli.session import Session
from mailcase.cli.table import wrapped
from mailcase.cli.words import colon, word
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
    record = Record(answer)
    if "changed" not in record.names:
        # Refused: standard error says why.
        return
    if changed := record.texts("changed"):
        text = f"{word('Taken over', screen.language)}{colon(screen.language)}{', '.join(changed)}"
    else:
        text = word("The file is as it was; secrets and templates count as they are now.", screen.language)
    yield from wrapped(text, screen, indent=0)
