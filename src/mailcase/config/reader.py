"""Reads the configuration file and names every problem in it at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import ValidationError

from mailcase.config import mailboxes, processes
from mailcase.config.document import Document
from mailcase.config.loader import parse
from mailcase.config.login_relations import login_problems
from mailcase.config.mailbox_relations import mailbox_problems
from mailcase.config.paths import Surroundings, path_problems
from mailcase.config.relations import relation_problems
from mailcase.config.schema import FileEntry, to_limits
from mailcase.config.settings import Settings
from mailcase.config.time_relations import time_problems
from mailcase.config.wording import schema_problems
from mailcase.errors import ConfigError, Problem

#: Far more than any configuration; a file that is larger is another file.
_LIMIT_BYTES = 1024 * 1024


def load(path: Path, *, environment: Mapping[str, str] | None = None, needs_secrets: bool = True) -> Settings:
    """The settings of the file. Raises ConfigError with every problem, in the order of the file.

    `environment` is that of the process unless given. `needs_secrets=False` is for commands that connect to no
    mailbox and no relay: files of secrets and certificates are not looked at, and `${CREDENTIALS_DIRECTORY}` may be
    unset.
    """
    around = _surroundings(path, environment, needs_secrets=needs_secrets)
    entry, problems = _examine(path, around)
    if entry is None or problems:
        raise ConfigError(problems)
    return _settings(path, entry, around)


def check(
    path: Path, *, environment: Mapping[str, str] | None = None, needs_secrets: bool = True
) -> tuple[Problem, ...]:
    """Everything that is wrong with the file, in its order; nothing when `load` would succeed."""
    return _examine(path, _surroundings(path, environment, needs_secrets=needs_secrets))[1]


def _surroundings(path: Path, environment: Mapping[str, str] | None, *, needs_secrets: bool) -> Surroundings:
    variables = os.environ if environment is None else environment
    return Surroundings(folder=path.absolute().parent, environment=variables, needs_secrets=needs_secrets)


def _examine(path: Path, around: Surroundings) -> tuple[FileEntry | None, tuple[Problem, ...]]:
    """The entries when their shape is right, and every problem."""
    text, unreadable = _text(path)
    if unreadable is not None:
        return None, (unreadable,)
    document, found = parse(text, str(path))
    if document.is_broken(()):
        return None, _in_order(found)
    entry: FileEntry | None = None
    problems = [*found]
    try:
        entry = FileEntry.model_validate(document.data)
    except ValidationError as error:
        problems.extend(schema_problems(document, error))
    problems.extend(_relation_problems(document, around))
    return entry, _in_order(problems)


def _relation_problems(document: Document, around: Surroundings) -> Iterable[Problem]:
    yield from relation_problems(document)
    yield from mailbox_problems(document)
    yield from login_problems(document)
    yield from time_problems(document)
    yield from path_problems(document, around)


def _in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """In the order of the file; of several about one value the first found, which is the most basic one."""
    by_place: dict[tuple[int, int, str], Problem] = {}
    for problem in problems:
        by_place.setdefault((problem.line or 0, problem.column or 0, problem.where), problem)
    return tuple(problem for _place, problem in sorted(by_place.items()))


def _text(path: Path) -> tuple[str, Problem | None]:
    file = str(path)
    try:
        with path.open("rb") as stream:
            content = stream.read(_LIMIT_BYTES + 1)
        if len(content) > _LIMIT_BYTES:
            return "", _file_problem(file, "is larger than 1 MiB", "Is it the configuration?")
        return content.decode("utf-8"), None
    except FileNotFoundError:
        hint = "`mailcase config example` prints one to start from."
        return "", _file_problem(file, "there is no such file", hint)
    except UnicodeDecodeError as error:
        before = content[: error.start]
        return "", Problem(
            file=file,
            line=before.count(b"\n") + 1,
            column=error.start - before.rfind(b"\n"),
            where="",
            message="is not written in UTF-8",
            hint="Save the file as UTF-8.",
        )
    except (OSError, ValueError) as error:
        # ValueError: a zero byte in the path.
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return "", _file_problem(file, f"cannot be read: {reason}", "Check path and permissions.")


def _file_problem(file: str, message: str, hint: str) -> Problem:
    return Problem(file=file, line=None, column=None, where="", message=message, hint=hint)


def _settings(path: Path, entry: FileEntry, around: Surroundings) -> Settings:
    store = around.resolve(entry.store)
    return Settings(
        file=path.absolute(),
        store=store,
        socket=around.socket(entry.socket, store.parent),
        language=entry.language,
        zone=entry.time_zone,
        people=processes.people(entry),
        queues=processes.queues(entry),
        processes=processes.processes(entry),
        mailboxes=mailboxes.mailboxes(entry, around),
        relay=mailboxes.relay(entry, around, default_maildir=store.parent / "outgoing"),
        outgoing=entry.outgoing,
        templates=around.resolve(entry.templates) if entry.templates else None,
        log_level=entry.log_level,
        limits=to_limits(entry.limits),
    )
