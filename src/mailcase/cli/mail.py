"""`mailcase mail`: what came in."""

from __future__ import annotations

import base64
import sys
from typing import TYPE_CHECKING

import click

from mailcase.cli.options import Group, limit_option
from mailcase.cli.record import Record
from mailcase.cli.render_mail import mail_list, mail_show
from mailcase.cli.session import Session, perform, perform_list
from mailcase.cli.times import parse_time
from mailcase.safe_text import safe_text
from mailcase.store.rows.inbox import Outcome

if TYPE_CHECKING:
    from mailcase.inbound.protocol import Json


@click.group(cls=Group)
def mail() -> None:
    """List, show and retry mail that came in."""


@mail.command("list")
@click.option("--outcome", type=click.Choice([outcome.value for outcome in Outcome]), help="Only mail that ended so.")
@click.option("--mailbox", metavar="MAILBOX", help="Only mail of this mailbox.")
@click.option("--since", metavar="TIME", help="Only mail since then: 'YYYY-MM-DD' or 'YYYY-MM-DD HH:MM' in your zone.")
@limit_option
def list_(outcome: str | None, mailbox: str | None, since: str | None, limit: int | None) -> None:
    """List mail, newest first, with how each ended."""
    at = parse_time(since, Session.current().shell.zone) if since is not None else None
    arguments: dict[str, Json] = {"outcome": outcome, "mailbox": mailbox, "since": at}
    perform_list("mail.list", arguments, key="id", limit=limit, view=mail_list, acts=False)


@mail.command()
@click.argument("mail_id", metavar="ID", type=click.IntRange(min=1))
@click.option("--raw", is_flag=True, help="Print the mail as it was received, byte for byte.")
def show(mail_id: int, raw: bool) -> None:
    """Show what is known of a mail and why it ended so."""
    if raw:
        show_raw("mail.show", mail_id)
    else:
        perform("mail.show", {"id": mail_id, "raw": False}, view=mail_show, acts=False)


@mail.command()
@click.argument("mail_id", metavar="ID", type=click.IntRange(min=1))
def retry(mail_id: int) -> None:
    """Handle a parked or unhandled mail again."""
    perform("mail.retry", {"id": mail_id}, view=mail_show, acts=True)


def show_raw(operation: str, row_id: int) -> None:
    """Prints the bytes of a mail; on a terminal with its control characters made visible (S7)."""
    session = Session.current()
    response = session.ask(operation, {"id": row_id, "raw": True}, acts=False)
    if response.exit or session.options.json:
        session.print(response, mail_show)
        return
    raw = base64.b64decode(Record(response.data).text("raw"))
    if sys.stdout.isatty():
        text = raw.decode("utf-8", "replace").replace("\r\n", "\n")
        click.echo(safe_text(text, keep_lines=True))
    else:
        sys.stdout.buffer.write(raw)
