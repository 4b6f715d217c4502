"""`mailcase case`: everything a person may do to a case."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailcase.cli.arguments import REFERENCE, standard_input
from mailcase.cli.ending import refused
from mailcase.cli.options import Group, limit_option
from mailcase.cli.render_case import case_answered, case_list, case_show, case_summary
from mailcase.cli.session import Session, perform, perform_list
from mailcase.cli.times import parse_time
from mailcase.core.case import Status

if TYPE_CHECKING:
    from mailcase.inbound.protocol import Json

reference_argument = click.argument("ref", type=REFERENCE)


def _change(operation: str, **arguments: Json) -> None:
    perform(f"case.{operation}", arguments, view=case_summary, acts=True)


@click.group(cls=Group)
def case() -> None:
    """Make, take, answer, resolve and show cases."""


# ---- looking -------------------------------------------------------------------------------------------------------


@case.command("list")
@click.option("--status", type=click.Choice([status.value for status in Status]), help="Only cases in this status.")
@click.option("--queue", metavar="QUEUE", help="Only cases of this queue.")
@click.option("--assignee", metavar="PERSON", help="Only cases that this person has.")
@click.option("--requester", metavar="ADDRESS", help="Only cases of this address.")
@click.option("--list", "list_name", type=click.Choice(["inbox", "owned"]), help="Your work inbox, or what you own.")
@limit_option
def list_(
    status: str | None,
    queue: str | None,
    assignee: str | None,
    requester: str | None,
    list_name: str | None,
    limit: int | None,
) -> None:
    """List cases, newest change first.

    ! needs attention, * has something new.
    """
    arguments: dict[str, Json] = {
        "status": status,
        "queue": queue,
        "assignee": assignee,
        "requester": requester,
        "list": list_name,
    }
    # A list is that of whoever asks.
    perform_list("case.list", arguments, key="ref", limit=limit, view=case_list, acts=list_name is not None)


@case.command()
@reference_argument
def show(ref: str) -> None:
    """Show a case on one screen, with its timeline."""
    perform("case.show", {"ref": ref}, view=case_show, acts=False)


# ---- status --------------------------------------------------------------------------------------------------------


@case.command()
@click.option("--process", required=True, metavar="PROCESS", help="What kind of case.")
@click.option("--subject", required=True, metavar="SUBJECT", help="What it is about, one line.")
@click.option("--requester", metavar="ADDRESS", help="Who asked for it; gets the mail of the case.")
@click.option("--text", metavar="TEXT", help="The first note; - reads it from standard input.")
def new(process: str, subject: str, requester: str | None, text: str | None) -> None:
    """Make a draft; `case submit` makes it work."""
    text = standard_input() if text == "-" else text
    _change("new", process=process, subject=subject, requester=requester, text=text)


@case.command()
@reference_argument
def submit(ref: str) -> None:
    """Make work of a draft: to do, in its queue."""
    _change("submit", ref=ref)


@case.command()
@reference_argument
@click.option("--take-over", is_flag=True, help="Take it from whoever has it.")
def take(ref: str, take_over: bool) -> None:
    """Start working on a case; you have it from then on."""
    _change("take", ref=ref, take_over=take_over)


@case.command()
@reference_argument
def release(ref: str) -> None:
    """Give a case back to its queue."""
    _change("release", ref=ref)


@case.command()
@reference_argument
def progress(ref: str) -> None:
    """Set a case in progress."""
    _change("progress", ref=ref)


@case.command()
@reference_argument
def todo(ref: str) -> None:
    """Set a case to do."""
    _change("todo", ref=ref)


@case.command()
@reference_argument
@click.option("--info", metavar="REASON", help="For more information, by a reason of the process.")
@click.option("--until", metavar="TIME", help="Until a moment in your zone: 'YYYY-MM-DD HH:MM'.")
@click.option("--hold", is_flag=True, help="Without an end, until somebody goes on.")
def wait(ref: str, info: str | None, until: str | None, hold: bool) -> None:
    """Let a case wait: exactly one of --info, --until, --hold."""
    if sum((info is not None, until is not None, hold)) != 1:
        raise click.UsageError("say what it waits for: exactly one of --info REASON, --until TIME and --hold.")
    at = parse_time(until, Session.current().shell.zone) if until is not None else None
    _change("wait", ref=ref, info=info, until=at, hold=hold)


@case.command()
@reference_argument
@click.option("--method", metavar="METHOD", help="How it was resolved.")
def resolve(ref: str, method: str | None) -> None:
    """Resolve a case.

    An answer inside the feedback window reopens it.
    """
    _change("resolve", ref=ref, method=method)


@case.command()
@reference_argument
def reopen(ref: str) -> None:
    """Reopen a resolved case."""
    _change("reopen", ref=ref)


@case.command()
@reference_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
def cancel(ref: str, yes: bool) -> None:
    """Close a case without completing it. Final, so it asks first."""
    if not yes:
        if not sys.stdin.isatty():
            raise refused(f"cancelling {ref} is final and nobody is here to be asked: confirm with --yes")
        click.confirm(f"Cancel {ref}? It cannot be reopened.", abort=True, err=True)
    _change("cancel", ref=ref, yes=True)


# ---- people, flags, dates ------------------------------------------------------------------------------------------


@case.command()
@reference_argument
@click.argument("person")
@click.option("--note", metavar="TEXT", help="A word to the person.")
def assign(ref: str, person: str, note: str | None) -> None:
    """Give a case to a person."""
    _change("assign", ref=ref, person=person, note=note)


@case.command()
@reference_argument
@click.option("--undo", is_flag=True, help="Mark it as new again.")
def read(ref: str, undo: bool) -> None:
    """Mark what is new on a case as read."""
    _change("read", ref=ref, undo=undo)


@case.command()
@reference_argument
@click.argument("reason")
def attention(ref: str, reason: str) -> None:
    """Say that a problem stops a case, and which."""
    _change("attention", ref=ref, reason=reason)


@case.command()
@reference_argument
@click.argument("time")
def due(ref: str, time: str) -> None:
    """Set another due date: 'YYYY-MM-DD HH:MM' in your zone."""
    _change("due", ref=ref, at=parse_time(time, Session.current().shell.zone))


# ---- words ---------------------------------------------------------------------------------------------------------


@case.command()
@reference_argument
@click.argument("text")
def note(ref: str, text: str) -> None:
    """Add an internal remark; it is never sent."""
    _change("note", ref=ref, text=text)


@case.command()
@reference_argument
@click.option("--text", metavar="TEXT", help="The answer; without it, it is read from standard input.")
@click.option(
    "--attach",
    multiple=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path),
    help="A file to send with it; may be given several times.",
)
@click.option("--to", metavar="ADDRESS", help="Ask a third party instead of the requester.")
@click.option("--wait", metavar="REASON", help="Wait for the answer, by a reason of the process.")
def reply(ref: str, text: str | None, attach: tuple[Path, ...], to: str | None, wait: str | None) -> None:
    """Answer by mail, in the thread of the case."""
    from mailcase.cli.attachments import attached

    files, blobs = attached(attach)
    if text is None:
        if sys.stdin.isatty():
            click.echo("Write the answer; Ctrl-D on an empty line sends it, Ctrl-C gives up.", err=True)
        text = standard_input()
    if not text.strip() and not blobs:
        raise click.UsageError("there is nothing to send: give --text TEXT, text on standard input, or --attach FILE.")
    arguments: dict[str, Json] = {"ref": ref, "text": text, "to": to, "wait": wait, "attachments": files}
    perform("case.reply", arguments, view=case_answered, acts=True, blobs=blobs)
