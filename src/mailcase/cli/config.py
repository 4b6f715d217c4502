"""`mailcase config`: what is in force, without secrets, and a file to begin with."""

from __future__ import annotations

import click

from mailcase.cli.options import Group
from mailcase.cli.session import Session, print_json


@click.group(cls=Group)
def config() -> None:
    """Show the effective configuration, or an example."""


@config.command()
def show() -> None:
    """Show what is in force, every default written out; of secrets only where they are kept."""
    import yaml

    from mailcase.config.effective import effective

    session = Session.current()
    values = effective(session.settings)
    if session.options.json:
        print_json(values)
    else:
        # PyYAML escapes what is not printable.
        click.echo(yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100), nl=False)


@config.command()
def example() -> None:
    """Print a commented configuration that works as it stands."""
    from mailcase.config import example as shipped

    click.echo(shipped.example(), nl=False)
