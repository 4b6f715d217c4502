"""`mailcase check`: everything that is wrong with what the operator wrote, and what it amounts to when nothing is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import click

from mailcase.cli.options import Command
from mailcase.cli.session import Session, print_json
from mailcase.config.settings import (
    ImapSource,
    MailboxSettings,
    MaildirRelay,
    OutgoingMode,
    Relay,
    Settings,
    Tls,
)
from mailcase.core.process import Process
from mailcase.errors import ConfigError


@click.command(cls=Command)
def check() -> None:
    """Say everything that is wrong with configuration, templates and secret files."""
    session = Session.current()
    try:
        settings = _checked(session)
    except ConfigError as error:
        if session.options.json:
            print_json({"file": error.problems[0].file, "problems": [asdict(problem) for problem in error.problems]})
        raise
    if session.options.json:
        print_json({"file": str(settings.file), "problems": []})
        return
    click.echo(f"ok: {settings.file}")
    for line in summary(settings):
        click.echo(f"  {line}")


def _checked(session: Session) -> Settings:
    from mailcase.outbound.template_check import template_problems

    settings = session.load_settings(needs_secrets=True)
    if problems := template_problems(settings):
        raise ConfigError(problems)
    return settings


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


def _tls(relay: Relay) -> str:
    return "without TLS" if relay.tls is Tls.NONE else f"by {relay.tls.upper()}"


def _outgoing(settings: Settings) -> str:
    relay = settings.relay
    to = f"the folder {relay.path}" if isinstance(relay, MaildirRelay) else f"{relay.host}:{relay.port}, {_tls(relay)}"
    match settings.outgoing.mode:
        case OutgoingMode.SEND:
            return f"to {to}"
        case OutgoingMode.HOLD:
            return f"held; would go to {to}"
        case OutgoingMode.REDIRECT:
            return f"all of it to {settings.outgoing.redirect_to}, through {to}"
