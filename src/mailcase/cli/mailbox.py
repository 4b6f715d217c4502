"""`mailcase mailbox`: the mailboxes that are watched."""

from __future__ import annotations

import click

from mailcase.cli.options import Group
from mailcase.cli.render_mail import mailbox_check, mailbox_list
from mailcase.cli.session import perform


@click.group(cls=Group)
def mailbox() -> None:
    """List and check the mailboxes that are watched."""


@mailbox.command("list")
def list_() -> None:
    """List the mailboxes, how far each has been read, and what is wrong."""
    perform("mailbox.list", {}, view=mailbox_list, acts=False)


@mailbox.command()
@click.argument("name", required=False)
def check(name: str | None) -> None:
    """Connect to a mailbox, or to all, and say what works and what does not."""
    perform("mailbox.check", {"name": name}, view=mailbox_check, acts=False)
