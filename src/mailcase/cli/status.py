"""`mailcase status`: one screen, whose exit code serves monitoring."""

from __future__ import annotations

import click

from mailcase.cli.options import Command
from mailcase.cli.render_status import status_screen
from mailcase.cli.session import Session


@click.command(cls=Command)
def status() -> None:
    """Show on one screen how everything stands. Exit 0: well; 1: something wants an operator, and it says what."""
    session = Session.current()
    session.print(session.ask("status", {}, acts=False), status_screen)
