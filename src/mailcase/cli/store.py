"""`mailcase store`: the database."""

from __future__ import annotations

import click

from mailcase.cli.options import Group
from mailcase.cli.render_mail import facts
from mailcase.cli.session import perform


@click.group(cls=Group)
def store() -> None:
    """Look after the database."""


@store.command()
def migrate() -> None:
    """Bring the tables to the form this version needs."""
    perform("store.migrate", {}, view=facts, acts=False)
