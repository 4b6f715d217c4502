"""`mailcase outbox`: what goes out, one line per recipient."""

from __future__ import annotations

import click

from mailcase.cli.mail import show_raw
from mailcase.cli.options import Group, limit_option
from mailcase.cli.render_mail import outbox_list, outbox_show
from mailcase.cli.session import perform, perform_list
from mailcase.store.rows.outbox import DeliveryState

delivery_argument = click.argument("delivery_id", metavar="ID", type=click.IntRange(min=1))


@click.group(cls=Group)
def outbox() -> None:
    """List, show, retry and cancel mail that goes out."""


@outbox.command("list")
@click.option("--state", type=click.Choice([state.value for state in DeliveryState]), help="Only deliveries in it.")
@limit_option
def list_(state: str | None, limit: int | None) -> None:
    """List deliveries, newest first."""
    perform_list("outbox.list", {"state": state}, key="id", limit=limit, view=outbox_list, acts=False)


@outbox.command()
@delivery_argument
@click.option("--raw", is_flag=True, help="Print the mail as it goes out, byte for byte.")
def show(delivery_id: int, raw: bool) -> None:
    """Show where a delivery stands."""
    if raw:
        show_raw("outbox.show", delivery_id)
    else:
        perform("outbox.show", {"id": delivery_id, "raw": False}, view=outbox_show, acts=False)


@outbox.command()
@delivery_argument
def retry(delivery_id: int) -> None:
    """Send now what is deferred, failed, unknown, cancelled or held."""
    perform("outbox.retry", {"id": delivery_id}, view=outbox_show, acts=True)


@outbox.command()
@delivery_argument
def cancel(delivery_id: int) -> None:
    """Do not send what has not gone out yet."""
    perform("outbox.cancel", {"id": delivery_id}, view=outbox_show, acts=True)
