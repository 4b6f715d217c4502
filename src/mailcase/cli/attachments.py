"""Files that go out with an answer."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from pathlib import Path

from mailcase.cli.ending import refused
from mailcase.inbound.protocol import DEFAULT_LIMITS, Json

_UNKNOWN_TYPE = "application/octet-stream"


def attached(paths: Sequence[Path]) -> tuple[list[Json], tuple[bytes, ...]]:
    """Name and media type of each file, and the bytes in the same order. Raises Ended when they are too large."""
    total = sum(path.stat().st_size for path in paths)
    if total > DEFAULT_LIMITS.stream_bytes:
        limit = DEFAULT_LIMITS.stream_bytes // 2**20
        raise refused(f"the files are {total // 2**20} MB together; at most {limit} MB can be sent")
    try:
        blobs = tuple(path.read_bytes() for path in paths)
    except OSError as error:
        raise refused(f"{error.filename}: {error.strerror}") from error
    return [{"name": _name(path), "type": _media_type(path)} for path in paths], blobs


def _name(path: Path) -> str:
    # A file name is bytes; what is not UTF-8 of it cannot stand in a mail.
    return path.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _media_type(path: Path) -> str:
    guessed, encoding = mimetypes.guess_type(path.name)
    # `report.csv.gz` is guessed as text/csv with an encoding that a mail has no field for.
    return guessed if guessed and encoding is None else _UNKNOWN_TYPE
