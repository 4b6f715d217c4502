"""Files that are there whole or not at all, and that nobody else may read."""

from __future__ import annotations

import os
from pathlib import Path


def create_private(path: Path) -> None:
    """Makes the folder 0700 and the empty file 0600 where they are missing; existing ones keep their modes."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def create_new_private(path: Path) -> None:
    """Makes an empty file 0600 in place of whatever an interrupted attempt left there; the folder must exist."""
    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))


def publish(finished: Path, target: Path) -> None:
    """Gives a finished file its name, on the disk before this returns. Raises FileExistsError: nothing is replaced."""
    _sync(finished)
    os.link(finished, target)
    finished.unlink()
    _sync(target.parent)


def replace(finished: Path, target: Path) -> None:
    """Puts a finished file in the place of another, on the disk before this returns; there is always one of the two."""
    _sync(finished)
    finished.replace(target)
    _sync(target.parent)


def write_private(path: Path, content: str) -> None:
    """Writes a file 0600, whole or not at all, in the place of one of that name; the folder must exist."""
    part = path.with_name(f"{path.name}.part")
    create_new_private(part)
    part.write_text(content, encoding="ascii")
    replace(part, path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
