"""`mailcase check`: everything that is wrong with what the operator wrote, and what it amounts to when nothing is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from mailcase.cli.options import Command
from mailcase.cli.session import Session, print_json
from mailcase.config.settings import (
    ImapSource,
    MailboxSettings,
    MaildirRelay,
    OutgoingMode,
    Settings,
)
from mailcase.core.process import Process
from mailcase.errors import ConfigError, Problem


@click.command(cls=Command)
def check() -> None:
    """Say everything that is wrong with configuration, templates and secret files."""
    session = Session.current()
    settings = session.load_settings(needs_secrets=True)
    if problems := template_problems(settings):
        raise ConfigError(problems)
    if session.options.json:
        print_json({"file": str(settings.file), "problems": []})
        return
    click.echo(f"ok: {settings.file}")
    for line in summary(settings):
        click.echo(f"  {line}")


def template_problems(settings: Settings) -> tuple[Problem, ...]:
    """What is wrong with the templates, as each of our addresses would use them."""
    from mailcase.outbound.templates import Templates, shipped_folder

    languages = {settings.language, *(person.language for person in settings.people.values())}
    own_folders: dict[Path | None, None] = {None: None}
    for mailbox in settings.mailboxes.values():
        for own in mailbox.addresses:
            languages.add(own.language)
            own_folders[own.templates] = None
    found: list[Problem] = []
    for own_folder in own_folders:
        folders = [folder for folder in (own_folder, settings.templates, shipped_folder()) if folder is not None]
        found += Templates(folders, language=settings.language).check(sorted(languages))
    return tuple(dict.fromkeys(found))


def summary(settings: Settings) -> Iterator[str]:
    """What is configured, a line per noun."""
    yield f"store      {settings.store}"
    for name, mailbox in settings.mailboxes.items():
        addresses = ", ".join(own.address for own in mailbox.addresses)
        yield f"mailbox    {name}: {_source(mailbox)}; {addresses}; {_count(len(mailbox.routes), 'route')}"
    for process in settings.processes.values():
        yield f"process    {process.name}: queue {process.queue}, {_window(process)}"
    people = ", ".join(person.id for person in settings.people.values() if not person.is_retired)
    yield f"people     {people or 'none'}"
    yield f"outgoing   {_outgoing(settings)}"


def _window(process: Process) -> str:
    window = process.feedback_window
    if window is None:
        return "no feedback window"
    return f"feedback window of {_count(window.days, 'working day' if window.calendar else 'day')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _source(mailbox: MailboxSettings) -> str:
    source = mailbox.source
    if isinstance(source, ImapSource):
        text = f"imap {source.user} at {source.host}:{source.port}, folder {source.folder}"
    else:
        text = f"{source.kind} on {source.host}:{source.port}"
    return text if mailbox.is_enabled else f"{text} (disabled)"


def _outgoing(settings: Settings) -> str:
    relay = settings.relay
    to = f"the folder {relay.path}" if isinstance(relay, MaildirRelay) else f"{relay.host}:{relay.port}, {relay.tls}"
    match settings.outgoing.mode:
        case OutgoingMode.SEND:
            return f"to {to}"
        case OutgoingMode.HOLD:
            return f"held; would go to {to}"
        case OutgoingMode.REDIRECT:
            return f"all of it to {settings.outgoing.redirect_to}, through {to}"
