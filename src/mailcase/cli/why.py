"""`mailcase why`: the rules that were tried on a mail, their evidence, and the one that decided."""

from __future__ import annotations

import click

from mailcase.cli.options import Command
from mailcase.cli.render_mail import mail_show
from mailcase.cli.session import perform


@click.command(cls=Command)
@click.argument("mail")
def why(mail: str) -> None:
    """Say why a mail went where it went; MAIL is its number or its Message-ID."""
    perform("why", {"mail": mail.strip().removeprefix("<").removesuffix(">")}, view=mail_show, acts=False)
