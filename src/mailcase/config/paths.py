"""Paths of the configuration: where they count from, and whether what they name can be used."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mailcase.config.document import ANY, Document, KeyPath, escaped, quoted
from mailcase.config.mistakes import Mistake
from mailcase.errors import Problem

CREDENTIALS = "CREDENTIALS_DIRECTORY"
RUNTIME = "RUNTIME_DIRECTORY"
SOCKET_NAME = "mailcase.sock"
#: Counts from the folder of the configuration file.
DEFAULT_STORE = "var/mailcase.db"
_VARIABLE = re.compile(r"\$\{([^}]*)\}")

#: Servers of the operator that we log in at.
_SERVERS: tuple[KeyPath, ...] = (("mailboxes", ANY, "receive"), ("relay",))
_SECRETS: tuple[KeyPath, ...] = tuple(
    (*server, *key)
    for server in _SERVERS
    for key in (
        ("password_file",),
        ("login", "oauth", "client_secret_file"),
        ("login", "oauth", "refresh_token_file"),
    )
)
_CERTIFICATES: tuple[KeyPath, ...] = tuple(
    (*server, *key) for server in _SERVERS for key in (("ca_file",), ("login", "oauth", "ca_file"))
)
_PROGRAMS: tuple[KeyPath, ...] = tuple((*server, "login", "token_command", 0) for server in _SERVERS)
_FOLDERS: tuple[KeyPath, ...] = (("templates",), ("mailboxes", ANY, "addresses", ANY, "templates"))
#: Made when missing.
_OWN: tuple[KeyPath, ...] = (("socket",), ("relay", "maildir"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the paths of a file depend on."""

    #: Folder of the configuration file; relative paths count from it.
    folder: Path
    environment: Mapping[str, str]
    #: Where systemd keeps the state of services, and where it keeps their runtime folders.
    state_root: Path = Path("/var/lib")
    runtime_root: Path = Path("/run")
    #: False for a command that connects to no server: secrets and certificates are not looked at, and credentials may
    #: be out of reach.
    needs_secrets: bool

    def resolve(self, text: str) -> Path:
        """The absolute path. Raises Mistake for a variable other than CREDENTIALS_DIRECTORY, or one without value."""
        if text.startswith("~"):
            raise Mistake("begins with ~, which differs from user to user", "Write the whole path.")
        return self.folder / _VARIABLE.sub(self._value, text)

    def _value(self, match: re.Match[str]) -> str:
        name = match[1]
        if name != CREDENTIALS:
            raise Mistake(
                f"the variable {quoted(name)} is not known here", f"Only ${{{CREDENTIALS}}} may stand in paths."
            )
        value = self.environment.get(name, "")
        if not value and self.needs_secrets:
            hint = "systemd sets it for a unit with LoadCredential; from a shell, write a plain path."
            raise Mistake(f"{CREDENTIALS} has no value", hint)
        return value or match[0]

    def socket(self, written: str | None, state_folder: Path) -> Path:
        """The socket of the daemon: as written, else in systemd's runtime folder, else beside the store.

        Only the service itself is told its runtime folder. A shell finds it by its name, which is that of the state
        folder: the store in `/var/lib/mailcase` has its socket in `/run/mailcase`, where that folder is there.
        """
        if written is not None:
            return self.resolve(written)
        # systemd joins several folders with colons (systemd.exec(5)); ours is the first.
        runtime = self.environment.get(RUNTIME, "").partition(":")[0]
        if runtime:
            return Path(runtime) / SOCKET_NAME
        twin = self.runtime_root / state_folder.name
        is_of_a_service = state_folder.parent == self.state_root and twin.is_dir()
        return (twin if is_of_a_service else state_folder) / SOCKET_NAME

    def is_credential(self, path: Path) -> bool:
        """True for a file that systemd put there for this service alone."""
        folder = self.environment.get(CREDENTIALS)
        return bool(folder) and path.is_relative_to(folder or "")


def path_problems(document: Document, around: Surroundings) -> Iterator[Problem]:
    """Paths that cannot be resolved or do not name what they should."""
    yield from _checked(document, around, (("store",),), _check_store)
    yield from _checked(document, around, _OWN, lambda _path: None)
    yield from _checked(document, around, _FOLDERS, _check_folder)
    if around.needs_secrets:
        yield from _checked(document, around, _CERTIFICATES, _check_file)
        yield from _checked(document, around, _SECRETS, lambda path: _check_secret(path, around))
        yield from _checked(document, around, _PROGRAMS, _check_program)
    else:
        yield from _checked(document, around, (*_CERTIFICATES, *_SECRETS, *_PROGRAMS), lambda _path: None)


def _shown(path: Path) -> str:
    """The whole path: cut, it would not help."""
    return f"`{escaped(str(path))}`"


def _checked(
    document: Document, around: Surroundings, patterns: tuple[KeyPath, ...], check: Callable[[Path], None]
) -> Iterator[Problem]:
    for pattern in patterns:
        for place, text in document.texts(*pattern):
            if document.mapping(*place[:2]).get("enabled") is False:
                continue
            try:
                path = around.resolve(text)
                _check(check, path)
            except Mistake as mistake:
                yield document.problem(place, mistake.message, mistake.hint)


def _check(check: Callable[[Path], None], path: Path) -> None:
    try:
        check(path)
    except Mistake:
        raise
    except (OSError, ValueError) as error:
        # ValueError: a zero byte in the path.
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise Mistake(f"{_shown(path)} cannot be used: {reason}", "Check path and permissions.") from error


def _check_file(path: Path) -> None:
    with path.open("rb"):
        pass


def _check_folder(path: Path) -> None:
    if not stat.S_ISDIR(path.stat().st_mode):
        raise Mistake(f"{_shown(path)} is no folder", "Write the folder that holds the templates.")


def _check_secret(path: Path, around: Surroundings) -> None:
    """Looks at the file, never into it."""
    try:
        status = path.stat()
    except FileNotFoundError:
        hint = f"Write the secret alone into it, and chmod 600 {escaped(str(path))}"
        raise Mistake(f"there is no file {_shown(path)}", hint) from None
    if not stat.S_ISREG(status.st_mode):
        raise Mistake(f"{_shown(path)} is no file")
    _check_file(path)
    if status.st_size == 0:
        raise Mistake(f"{_shown(path)} is empty", "Its first line is the secret.")
    if status.st_mode & (stat.S_IROTH | stat.S_IWOTH) and not around.is_credential(path):
        raise Mistake(f"everybody on this machine can read or change {_shown(path)}", f"chmod 600 {escaped(str(path))}")


def _check_program(path: Path) -> None:
    if not stat.S_ISREG(path.stat().st_mode) or not os.access(path, os.X_OK):
        raise Mistake(f"{_shown(path)} is no program that can be run", f"chmod +x {escaped(str(path))}")


def _check_store(path: Path) -> None:
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, PermissionError):
        # Made when missing; and whoever only speaks with the daemon need not see it.
        return
    if is_folder:
        raise Mistake(f"{_shown(path)} is a folder", "Write the path of a file in it.")
