"""The shell's socket, the command line's end: one command goes to the daemon that has the store. Imports no more than
that needs, because every command pays for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from mailcase.errors import CommandRefused, TransientError
from mailcase.inbound.protocol import DEFAULT_LIMITS, ControlLimits, Request, Response, decode_response, encode_request

#: sun_path holds 108 bytes (unix(7)); longer paths are reached through a descriptor of their folder.
_PATH_LIMIT = 100


async def ask_daemon(
    path: Path, request: Request, blobs: Sequence[bytes] = (), *, limits: ControlLimits = DEFAULT_LIMITS
) -> Response | None:
    """The daemon's answer; None when no daemon listens on `path`.

    Raises:
        CommandRefused: the socket may not be used by this user, is not to be trusted, or the request is too large.
        TransientError: the daemon went away or did not answer in time.

    """
    if not _may_trust(path):
        return None
    message = encode_request(request, blobs, limits)
    try:
        with short_name(path) as name:
            reader, writer = await asyncio.open_unix_connection(name, limit=limits.response_bytes)
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except PermissionError as error:
        raise CommandRefused(_no_right(path)) from error
    try:
        async with asyncio.timeout(limits.answer_within.total_seconds()):
            writer.write(message)
            await writer.drain()
            return decode_response(await reader.readline())
    except TimeoutError as error:
        raise TransientError(f"no answer from the daemon in {limits.answer_within}") from error
    except ConnectionError as error:
        raise TransientError("the daemon closed the connection before it had answered") from error
    finally:
        writer.close()


def _may_trust(path: Path) -> bool:
    """False when there is nothing to connect to; raises CommandRefused for what only looks like our socket."""
    try:
        found, folder = path.lstat(), path.parent.stat()
    except FileNotFoundError:
        return False
    except PermissionError as error:
        raise CommandRefused(_no_right(path)) from error
    if not stat.S_ISSOCK(found.st_mode):
        raise CommandRefused(f"{path}: is not a socket (nor is a link followed); remove it")
    if not is_trusted_owner(found.st_uid, folder_uid=folder.st_uid, own_uid=os.geteuid()):
        raise CommandRefused(f"{path}: belongs to user {found.st_uid}, who is neither you nor the owner of its folder")
    return True


def is_trusted_owner(socket_uid: int, *, folder_uid: int, own_uid: int) -> bool:
    """Whether commands may be sent to a socket: its owner is the owner of its folder, root, or whoever asks."""
    return socket_uid in (folder_uid, own_uid, 0)


def _no_right(path: Path) -> str:
    return f"{path}: this user may not talk to the daemon; join the group of that file, or use sudo -u"


@contextlib.contextmanager
def short_name(path: Path) -> Iterator[str]:
    """A name for `path` that fits into a socket address, good while the context lasts."""
    if len(os.fsencode(path)) <= _PATH_LIMIT:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
