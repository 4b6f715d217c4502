"""`mailcase demo`: the whole life of a case, played over real sockets."""

from __future__ import annotations

import click

from mailcase.cli.options import Command


@click.command(cls=Command)
def demo() -> None:
    """Play the whole life of a case over real SMTP, step by step, and check every step."""
    from mailcase.cli.demo import main

    main()
