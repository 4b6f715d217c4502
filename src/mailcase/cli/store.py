"""`mailcase store`: the database."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailcase.cli.options import Group
from mailcase.cli.render_store import backed_up, findings, migrated, restored
from mailcase.cli.session import Session, View, perform
from mailcase.cli.times import parse_time

if TYPE_CHECKING:
    from mailcase.inbound.protocol import Json

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group(cls=Group)
def store() -> None:
    """Look after the database."""


@store.command()
def migrate() -> None:
    """Bring the tables to the form this version needs."""
    perform("store.migrate", {}, view=migrated, acts=False)


@store.command()
@click.argument("file", type=_FILE)
def backup(file: Path) -> None:
    """Copy the store and its keys into a new file; the daemon may run."""
    from mailcase.store.backup import back_up

    session = Session.current()
    made = back_up(session.settings.store, file, now=session.clock.now())
    _tell(
        session,
        {
            "file": str(file),
            "size_bytes": file.stat().st_size,
            "made_at": made.made_at.isoformat(),
            "revision": made.revision,
            "mails": made.mails,
            "cases": made.cases,
            "deliveries": made.deliveries,
            "secrets": list(made.secrets),
        },
        backed_up,
    )


@store.command()
@click.argument("file", type=_FILE)
@click.option("--yes", is_flag=True, help="Move the store that is there aside.")
@click.option(
    "--ran-until",
    metavar="TIME",
    help="When the lost daemon last worked: 'YYYY-MM-DD HH:MM' in your zone; now, if not said.",
)
def restore(file: Path, yes: bool, ran_until: str | None) -> None:
    """Make a backup the store again, so that no mail goes out twice. The daemon must be stopped."""
    from datetime import datetime

    from mailcase.store.lock import StoreLock
    from mailcase.store.restore import refuse_another_user
    from mailcase.store.restore import restore as put_back

    session = Session.current()
    now = session.clock.now()
    until = datetime.fromisoformat(parse_time(ran_until, session.settings.zone)) if ran_until is not None else now
    refuse_another_user(session.settings.store)
    with StoreLock.acquire(session.settings.store):
        done = put_back(session.settings.store, file, now=now, ran_until=until, may_replace=yes)
    _tell(
        session,
        {
            "store": str(session.settings.store),
            "backup_made_at": done.backup.made_at.isoformat(),
            "mails": done.backup.mails,
            "cases": done.backup.cases,
            "deliveries_unknown": done.unknown,
            "next_case_after": done.cases_after,
            "held_until": until.isoformat(),
            "moved_aside_to": str(done.moved_to) if done.moved_to else None,
        },
        restored,
    )


@store.command()
def check() -> None:
    """Say what in the store does not add up; the daemon may run."""
    from mailcase.inbound.protocol import Exit, Response
    from mailcase.store.check import check as look_through

    session = Session.current()
    found = look_through(session.settings.store, session.settings.processes, now=session.clock.now())
    error = f"{len(found)} thing{'s do' if len(found) > 1 else ' does'} not add up" if found else None
    session.print(
        Response(exit=Exit.REFUSED if found else Exit.DONE, data=[asdict(finding) for finding in found], error=error),
        findings,
    )


def _tell(session: Session, what: dict[str, Json], view: View) -> None:
    from mailcase.inbound.protocol import Response

    session.print(Response(data=what), view)
