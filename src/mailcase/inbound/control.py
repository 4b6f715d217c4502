"""The shell's socket, the daemon's end: a command line sends one command, and gets one answer.

Rules that hold here:
1. A socket file is removed only when it is ours and nobody listens on it; a symlink is never followed.
2. The file has mode 0660 before the first connection is possible.
3. The peer's uid comes from the kernel (SO_PEERCRED), never from the request (S23).
4. Whoever asks gets an answer or a closed connection; a failing command never stops the daemon.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
import struct
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType

from mailcase.errors import AppError, PermanentError, TransientError
from mailcase.inbound.control_client import ask_daemon, is_trusted_owner, short_name
from mailcase.inbound.protocol import (
    DEFAULT_LIMITS,
    Answer,
    ControlLimits,
    Exit,
    Json,
    MalformedRequest,
    Request,
    Response,
    encode_response,
    read_request,
    refusal,
)
from mailcase.log import get_logger

__all__ = [
    "DEFAULT_LIMITS",
    "Answer",
    "ControlLimits",
    "ControlServer",
    "Exit",
    "Json",
    "Request",
    "Response",
    "answered",
    "ask_daemon",
    "is_trusted_owner",
    "peer_uid",
    "refusal",
]

log = get_logger()

SOCKET_MODE = 0o660
_UCRED = struct.Struct("3i")


class ControlServer:
    """Listens on `path` and hands each request to `answer`; use `start` and `stop`, or `async with`."""

    def __init__(self, path: Path, answer: Answer, *, limits: ControlLimits = DEFAULT_LIMITS) -> None:
        self._path = path
        self._answer = answer
        self._limits = limits
        self._server: asyncio.Server | None = None
        self._inode: int | None = None
        self._reading: set[asyncio.Task[None]] = set()
        self._answering: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begins to listen.

        Raises:
            TransientError: another process listens there.
            PermanentError: the path cannot be used, and why.

        """
        listener = _bind(self._path)
        self._inode = self._path.lstat().st_ino
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=self._limits.command_bytes)
        log.info("control_listening", path=str(self._path))

    async def stop(self, within: timedelta = timedelta(seconds=5)) -> None:
        """Takes no more requests, lets those in work end for so long, then abandons them."""
        if self._server is None:
            return
        self._server.close()
        self._remove_file()
        for task in self._reading:
            task.cancel()
        if pending := self._reading | self._answering:
            _, late = await asyncio.wait(pending, timeout=within.total_seconds())
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    async def __aenter__(self) -> ControlServer:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _remove_file(self) -> None:
        # Only our own: a daemon that came after us may have put its file there.
        with contextlib.suppress(FileNotFoundError):
            if self._path.lstat().st_ino == self._inode:
                self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection is served outside a task")
        self._reading.add(task)
        try:
            response = await self._response(reader, writer, task)
            writer.write(encode_response(response))
            async with asyncio.timeout(self._limits.read_for.total_seconds()):
                await writer.drain()
        except (ConnectionError, TimeoutError, asyncio.IncompleteReadError) as error:
            log.debug("control_connection_lost", error=type(error).__name__)
        except asyncio.CancelledError:
            # `stop` gave up on this connection; ending quietly is what it waits for.
            log.debug("control_connection_lost", error="stopping")
        finally:
            await self._hang_up(writer)
            self._reading.discard(task)
            self._answering.discard(task)

    async def _hang_up(self, writer: asyncio.StreamWriter) -> None:
        """Closes, for a peer that does not read as well: what it left unread would keep the connection for ever."""
        writer.close()
        try:
            async with asyncio.timeout(self._limits.read_for.total_seconds()):
                await writer.wait_closed()
        except (TimeoutError, OSError):
            writer.transport.abort()
        except asyncio.CancelledError:
            writer.transport.abort()
            raise

    async def _response(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, task: asyncio.Task[None]
    ) -> Response:
        if len(self._reading) + len(self._answering) > self._limits.connections:
            return Response(exit=Exit.LATER, error="the daemon is busy with other commands; try again")
        uid = peer_uid(writer.get_extra_info("socket"))
        try:
            async with asyncio.timeout(self._limits.read_for.total_seconds()):
                request, blobs = await read_request(reader, self._limits)
        except MalformedRequest as error:
            log.warning("control_request_malformed", uid=uid, reason=str(error))
            return Response(exit=Exit.USAGE, error=str(error))
        self._reading.discard(task)
        self._answering.add(task)
        return await answered(self._answer, request, uid=uid, blobs=blobs)


async def answered(answer: Answer, request: Request, *, uid: int | None, blobs: Sequence[bytes]) -> Response:
    """Asks `answer` and turns whatever it raises into a response."""
    try:
        response = await answer(request, uid=uid, blobs=blobs)
    except AppError as error:
        response = refusal(error)
    except Exception:
        # The edge of the loop over commands: a bad one must not stop the daemon.
        log.exception("command_failed", operation=request.operation, person=request.as_, uid=uid)
        return Response(exit=Exit.REFUSED, error="this failed inside mailcase; its log says how")
    facts = {"operation": request.operation, "person": request.as_, "uid": uid}
    if response.exit == Exit.DONE:
        log.debug("control_answered", **facts)
    else:
        log.info("control_refused", **facts, exit=int(response.exit), reason=response.error)
    return response


def peer_uid(connection: socket.socket) -> int:
    """The user at the other end of a Unix socket, as the kernel saw it when the connection was made."""
    _pid, uid, _gid = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return int(uid)


def _bind(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(path)
        with short_name(path) as name:
            listener.bind(name)
        # Nobody can connect before listen(), so there is no moment with a wider mode.
        path.chmod(SOCKET_MODE)
    except OSError as error:
        listener.close()
        raise PermanentError(f"{path}: cannot make the socket of the command line: {error.strerror}") from error
    except AppError:
        listener.close()
        raise
    return listener


def _remove_stale(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISLNK(found.st_mode):
        raise PermanentError(f"{path}: is a symbolic link; remove it")
    if not stat.S_ISSOCK(found.st_mode):
        raise PermanentError(f"{path}: is not a socket; remove it or move it away")
    if found.st_uid != os.geteuid():
        raise PermanentError(f"{path}: belongs to user {found.st_uid}; remove it, or run as that user")
    with short_name(path) as name, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(name)
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass
    raise TransientError(f"{path}: another mailcase daemon listens there")
