"""`mailcase status`: one screen, whose exit code serves monitoring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mailcase.cli.options import Command
from mailcase.cli.render_status import status_screen
from mailcase.cli.session import Session

if TYPE_CHECKING:
    from mailcase.config.settings import Settings
    from mailcase.inbound.protocol import Request, Response


@click.command(cls=Command)
def status() -> None:
    """Show on one screen how everything stands. Exit 0: well; 1: something wants an operator, and it says what."""
    session = Session.current()
    session.print(session.ask("status", {}, acts=False, alone=_alone), status_screen)


async def _alone(settings: Settings, request: Request, _blobs: Sequence[bytes]) -> Response:
    from mailcase.desk.alone import status_alone

    return await status_alone(settings, request, Session.current().clock)
