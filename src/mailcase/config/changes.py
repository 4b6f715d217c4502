"""What a new configuration changes: what can be taken over while the daemon runs, and what needs a restart. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import TypeVar

from mailcase.config.settings import Limits, ListenerSource, MailboxSettings, Settings
from mailcase.core.case import MailboxName
from mailcase.errors import Problem

Name = TypeVar("Name", bound=str)

#: Limits that a listener's open sessions, or the keys made at the start, depend on.
_LIMITS_OF_THE_START = frozenset(
    {
        "message_bytes",
        "sessions",
        "sessions_per_address",
        "sessions_bytes",
        "recipients",
        "session_for",
        "session_idle",
        "key_lifetime",
        "key_renewal",
    }
)
_HINT = "restart needed: set it back to reload the rest, or restart the daemon"


def changed_parts(old: Settings, new: Settings) -> tuple[str, ...]:
    """The names of what differs, in the words of the file, in its order: `processes.enquiry`, `relay`. Files that the
    configuration only points to, secrets and templates, are not compared.
    """
    return tuple(_changed(old, new))


def restart_problems(old: Settings, new: Settings) -> tuple[Problem, ...]:
    """What cannot be changed while the daemon runs, each with what to do. With one, nothing is applied."""
    return tuple(
        Problem(file=str(new.file), line=None, column=None, where=where, message=message, hint=_HINT)
        for where, message in _needs_restart(old, new)
    )


def _changed(old: Settings, new: Settings) -> Iterator[str]:
    for name in ("store", "socket", "language", "log_level"):
        if getattr(old, name) != getattr(new, name):
            yield name
    if old.zone.key != new.zone.key:
        yield "time_zone"
    yield from _changed_entries("people", old.people, new.people)
    if old.queues != new.queues:
        yield "queues"
    yield from _changed_entries("processes", old.processes, new.processes)
    yield from _changed_entries("mailboxes", old.mailboxes, new.mailboxes)
    for name in ("relay", "outgoing", "templates"):
        if getattr(old, name) != getattr(new, name):
            yield name
    yield from (f"limits.{name}" for name in _changed_limits(old.limits, new.limits))


def _changed_entries(noun: str, old: Mapping[Name, object], new: Mapping[Name, object]) -> Iterator[str]:
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name):
            yield f"{noun}.{name}"


def _changed_limits(old: Limits, new: Limits) -> Iterator[str]:
    for limit in fields(Limits):
        if getattr(old, limit.name) != getattr(new, limit.name):
            yield limit.name


def _needs_restart(old: Settings, new: Settings) -> Iterator[tuple[str, str]]:
    if old.store != new.store:
        yield "store", f"the store is {old.store} while the daemon runs"
    if old.socket != new.socket:
        yield "socket", f"the socket is {old.socket} while the daemon runs"
    for name in _changed_limits(old.limits, new.limits):
        if name in _LIMITS_OF_THE_START:
            yield f"limits.{name}", "is read once, at the start"
    before, after = _listeners(old), _listeners(new)
    for mailbox in dict.fromkeys((*before, *after)):
        if mailbox not in after:
            yield f"mailboxes.{mailbox}", "its listener is at work and cannot be taken away"
        elif mailbox not in before:
            yield f"mailboxes.{mailbox}", "a listener cannot be added"
        elif before[mailbox] != after[mailbox]:
            yield f"mailboxes.{mailbox}.receive", "a listener cannot be changed"


def _listeners(settings: Settings) -> dict[MailboxName, ListenerSource]:
    return {name: source for name, mailbox in settings.mailboxes.items() if (source := _listener(mailbox)) is not None}


def _listener(mailbox: MailboxSettings) -> ListenerSource | None:
    return mailbox.source if mailbox.is_enabled and isinstance(mailbox.source, ListenerSource) else None
