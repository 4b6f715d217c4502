"""`mailcase outbox`: what goes out, one line per recipient."""

from __future__ import annotations

from collections.abc import Callable

import click

from mailcase.cli.mail import show_raw
from mailcase.cli.options import Group, limit_option
from mailcase.cli.render_mail import outbox_changed, outbox_list, outbox_show
from mailcase.cli.session import perform, perform_list
from mailcase.store.rows.outbox import DeliveryChoice

delivery_argument = click.argument("delivery_id", metavar="ID", type=click.IntRange(min=1))


@click.group(cls=Group)
def outbox() -> None:
    """List, show, retry and cancel mail that goes out."""


@outbox.command("list")
@click.option("--state", type=click.Choice([choice.value for choice in DeliveryChoice]), help="Only deliveries in it.")
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


def _selection(*choices: DeliveryChoice) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Some deliveries by their numbers, or all of one of the states."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        state = click.Choice([choice.value for choice in choices])
        command = click.option("--state", type=state, help="Which of them, with --all.")(command)
        command = click.option("--all", "is_all", is_flag=True, help="All that are in the state.")(command)
        return click.argument("delivery_ids", metavar="[ID]...", type=click.IntRange(min=1), nargs=-1)(command)

    return decorate


@outbox.command()
@_selection(
    DeliveryChoice.UNKNOWN,
    DeliveryChoice.HELD,
    DeliveryChoice.FAILED,
    DeliveryChoice.DEFERRED,
    DeliveryChoice.CANCELLED,
)
def retry(delivery_ids: tuple[int, ...], is_all: bool, state: str | None) -> None:
    """Send now what is deferred, failed, unknown, cancelled or held."""
    _change("outbox.retry", delivery_ids, state=state, is_all=is_all)


@outbox.command()
@_selection(DeliveryChoice.HELD, DeliveryChoice.QUEUED, DeliveryChoice.DEFERRED)
def cancel(delivery_ids: tuple[int, ...], is_all: bool, state: str | None) -> None:
    """Do not send what has not gone out yet."""
    _change("outbox.cancel", delivery_ids, state=state, is_all=is_all)


def _change(operation: str, delivery_ids: tuple[int, ...], *, state: str | None, is_all: bool) -> None:
    if is_all != (state is not None) or is_all == bool(delivery_ids):
        raise click.UsageError("name deliveries by ID, or all of a state with --all --state STATE.")
    if is_all:
        perform(operation, {"state": state}, view=outbox_changed, acts=True)
    elif len(delivery_ids) == 1:
        perform(operation, {"id": delivery_ids[0]}, view=outbox_show, acts=True)
    else:
        perform(operation, {"ids": list(delivery_ids)}, view=outbox_changed, acts=True)
