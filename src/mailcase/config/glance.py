"""What a shell needs of the configuration to talk to a running daemon: a look at four keys, without the time that all
of it takes, and not disturbed by a mistake elsewhere in a file that the daemon does not use yet.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mailcase.config.document import Document
from mailcase.config.loader import parse
from mailcase.config.mistakes import Mistake
from mailcase.config.paths import DEFAULT_STORE, Surroundings
from mailcase.config.settings import Language, PersonSettings
from mailcase.core.case import PersonId

_LIMIT_BYTES = 1024 * 1024


class ShellSettings(Protocol):
    """What a shell beside a daemon works with; `Settings` are it too."""

    @property
    def socket(self) -> Path: ...
    @property
    def zone(self) -> ZoneInfo: ...
    @property
    def language(self) -> Language: ...
    @property
    def people(self) -> Mapping[PersonId, PersonSettings]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """The four keys; of people only what a shell shows or asks for."""

    socket: Path
    zone: ZoneInfo
    language: Language
    people: Mapping[PersonId, PersonSettings]


def glance(path: Path, environment: Mapping[str, str] = os.environ) -> Glance | None:
    """The keys as they stand in the file; None where anything about them is in doubt: `reader.load` will say what."""
    try:
        text = path.read_text(encoding="utf-8")
        if len(text) > _LIMIT_BYTES:
            return None
        document, problems = parse(text, str(path))
        if problems or not isinstance(document.data, dict):
            return None
        return _read(
            document, Surroundings(folder=path.absolute().parent, environment=environment, needs_secrets=False)
        )
    except (OSError, ValueError, TypeError, Mistake, ZoneInfoNotFoundError):
        return None


def _read(document: Document, around: Surroundings) -> Glance:
    top = document.mapping()
    language = Language(_text(top.get("language"), default="en"))
    store = around.resolve(_text(top.get("store"), default=DEFAULT_STORE))
    written = top.get("socket")
    people = top.get("people") or {}
    if not isinstance(people, dict):
        raise TypeError("people is no mapping")
    return Glance(
        socket=around.socket(None if written is None else _text(written), store.parent),
        zone=ZoneInfo(_text(top.get("time_zone"), default="UTC")),
        language=language,
        people={PersonId(str(name)): _person(str(name), entry, language) for name, entry in people.items()},
    )


def _person(name: str, entry: object, language: Language) -> PersonSettings:
    if not isinstance(entry, dict):
        raise TypeError("a person is no mapping")
    login = entry.get("login")
    return PersonSettings(
        id=PersonId(name),
        name=_text(entry.get("name"), default=name),
        address=_text(entry.get("address")),
        login=None if login is None else _text(login),
        queues=(),
        is_leader=False,
        is_retired=entry.get("retired") is True,
        language=Language(_text(entry.get("language"), default=language)),
    )


def _text(value: object, *, default: str | None = None) -> str:
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or not value.strip():
        raise TypeError("no text")
    return value
