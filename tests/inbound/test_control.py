"""The shell's socket, with real sockets in a real folder (S23)."""

from __future__ import annotations

import asyncio
import json
import os
import select
import socket
import stat
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from tests.servers.eventually import eventually

from mailcase.config.settings import Language
from mailcase.errors import CommandRefused, ConfigError, PermanentError, Problem, TransientError
from mailcase.inbound.control import (
    ControlLimits,
    ControlServer,
    Exit,
    Json,
    Request,
    Response,
    ask_daemon,
    is_trusted_owner,
)
from mailcase.inbound.protocol import encode_request


class Scripted:
    """Keeps what it was asked, answers what it was given."""

    def __init__(self, response: Response | Exception | None = None) -> None:
        self.response = response or Response()
        self.asked: list[tuple[Request, int | None, tuple[bytes, ...]]] = []

    async def __call__(self, request: Request, *, uid: int | None, blobs: Sequence[bytes]) -> Response:
        self.asked.append((request, uid, tuple(blobs)))
        if isinstance(self.response, Exception):
            raise self.response
        return self.response


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mailcase.sock"


def talk(path: Path, sent: bytes) -> bytes:
    """What a client that is not ours gets back."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        client.sendall(sent)
        received = b""
        while chunk := client.recv(65536):
            received += chunk
        return received


# ---- a command and its answer --------------------------------------------------------------------------------------


async def test_a_command_reaches_the_daemon_with_the_uid_of_the_peer(path: Path) -> None:
    scripted = Scripted(Response(data={"ref": "1-C", "subject": "Été"}))
    request = Request(
        operation="case.take", arguments={"ref": "1-C", "take_over": True}, as_="ann", language=Language.FRENCH
    )

    async with ControlServer(path, scripted):
        response = await ask_daemon(path, request)

    assert response == Response(data={"ref": "1-C", "subject": "Été"})
    assert scripted.asked == [(request, os.getuid(), ())]


async def test_text_and_attachments_may_be_far_larger_than_a_command(path: Path) -> None:
    scripted = Scripted()
    text, blobs = "é" * 500_000, (b"\x00\xff\n" * 700_000, b"", b"small")
    arguments: dict[str, Json] = {"ref": "1-C", "text": text, "attachments": [{"name": "a", "type": "image/png"}]}
    request = Request(operation="case.reply", arguments=arguments, as_="ann")

    async with ControlServer(path, scripted):
        response = await ask_daemon(path, request, blobs)

    assert response == Response()
    assert scripted.asked == [(request, os.getuid(), blobs)]


async def test_an_absent_text_stays_absent_and_an_empty_one_empty(path: Path) -> None:
    scripted = Scripted()

    async with ControlServer(path, scripted):
        for arguments in ({"ref": "1-C"}, {"ref": "1-C", "text": None}, {"ref": "1-C", "text": ""}):
            await ask_daemon(path, Request(operation="case.note", arguments=arguments))

    assert [request.arguments for request, _, _ in scripted.asked] == [
        {"ref": "1-C"},
        {"ref": "1-C", "text": None},
        {"ref": "1-C", "text": ""},
    ]


async def test_several_shells_are_answered_at_the_same_time(path: Path) -> None:
    both_asked = asyncio.Barrier(2)

    async def answer(request: Request, *, uid: int | None, blobs: Sequence[bytes]) -> Response:
        await both_asked.wait()
        return Response(data=request.operation)

    async with ControlServer(path, answer):
        answers = await asyncio.gather(*(ask_daemon(path, Request(operation=name)) for name in ("a", "b")))

    assert [answer.data for answer in answers if answer] == ["a", "b"]


async def test_nobody_listening_is_no_answer(path: Path) -> None:
    assert await ask_daemon(path, Request(operation="case.list")) is None

    async with ControlServer(path, Scripted()):
        pass

    assert await ask_daemon(path, Request(operation="case.list")) is None


async def test_a_socket_left_behind_by_a_killed_daemon_is_no_answer(path: Path) -> None:
    leave_stale_socket(path)

    assert await ask_daemon(path, Request(operation="case.list")) is None


# ---- errors become answers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "exit_code", "text"),
    [
        (CommandRefused("1-C is closed"), Exit.REFUSED, "1-C is closed"),
        (TransientError("the store is busy"), Exit.LATER, "the store is busy"),
        (
            ConfigError((Problem(file="c.yaml", line=3, column=1, where="people", message="is missing"),)),
            Exit.CONFIGURATION,
            "c.yaml:3:1: people: is missing",
        ),
    ],
)
async def test_errors_of_ours_become_exit_codes_with_their_reason(
    path: Path, error: Exception, exit_code: Exit, text: str
) -> None:
    async with ControlServer(path, Scripted(error)):
        response = await ask_daemon(path, Request(operation="case.take"))

    assert response == Response(exit=exit_code, error=text)


async def test_a_failing_command_tells_nothing_of_the_inside_and_the_next_is_answered(path: Path) -> None:
    scripted = Scripted(ZeroDivisionError("secret inside"))

    async with ControlServer(path, scripted):
        failed = await ask_daemon(path, Request(operation="case.take"))
        scripted.response = Response(data="well")
        after = await ask_daemon(path, Request(operation="case.take"))

    assert failed is not None
    assert failed.exit == Exit.REFUSED
    assert "secret" not in (failed.error or "")
    assert after == Response(data="well")


# ---- limits and malformed requests (S23) ---------------------------------------------------------------------------


async def test_a_command_over_64_kb_is_refused_by_the_daemon(path: Path) -> None:
    scripted = Scripted()

    async with ControlServer(path, scripted):
        received = await asyncio.to_thread(talk, path, b"{" + b" " * 70_000 + b"}\n")

    assert json.loads(received)["exit"] == Exit.USAGE
    assert "64 kB" in json.loads(received)["error"]
    assert scripted.asked == []


async def test_a_command_over_64_kb_is_not_even_sent(path: Path) -> None:
    scripted = Scripted()

    async with ControlServer(path, scripted):
        with pytest.raises(CommandRefused, match="64 kB"):
            await ask_daemon(path, Request(operation="case.new", arguments={"subject": "x" * 70_000}))

    assert scripted.asked == []


async def test_announced_attachments_over_the_limit_are_refused_before_they_are_read(path: Path) -> None:
    head = {"operation": "case.reply", "arguments": {}, "as": "ann", "language": "en", "text_bytes": 1}
    line = json.dumps(head | {"blob_bytes": [29 * 2**20, 2 * 2**20]}).encode() + b"\n"
    scripted = Scripted()

    async with ControlServer(path, scripted):
        received = await asyncio.to_thread(talk, path, line)

    assert "30 MB" in json.loads(received)["error"]
    assert scripted.asked == []


async def test_too_large_attachments_are_refused_by_the_shell_itself(path: Path) -> None:
    limits = ControlLimits(stream_bytes=1000)

    async with ControlServer(path, Scripted(), limits=limits):
        with pytest.raises(CommandRefused, match="together"):
            await ask_daemon(path, Request(operation="case.reply"), (b"x" * 600, b"x" * 600), limits=limits)


@pytest.mark.parametrize(
    "line",
    [
        b"case.list\n",
        b"[]\n",
        b"\xff\xfe\n",
        b"[" * 60_000 + b"\n",
        b'{"operation": 1, "arguments": {}, "as": null, "language": "en", "text_bytes": null, "blob_bytes": []}\n',
        b'{"operation": "x", "arguments": {}, "as": null, "language": "de", "text_bytes": null, "blob_bytes": []}\n',
        b'{"operation": "x", "arguments": {}, "as": null, "language": "en", "text_bytes": -1, "blob_bytes": []}\n',
        b'{"operation": "x", "arguments": {}, "as": null, "language": "en", "text_bytes": null, "blob_bytes": ["9"]}\n',
        b'{"operation": "x", "arguments": {}, "as": null, "language": "en", "text_bytes": true, "blob_bytes": []}\n',
    ],
)
async def test_a_malformed_request_is_answered_as_wrong_usage(path: Path, line: bytes) -> None:
    scripted = Scripted()

    async with ControlServer(path, scripted):
        received = await asyncio.to_thread(talk, path, line)

    assert json.loads(received)["exit"] == Exit.USAGE
    assert scripted.asked == []


async def test_a_peer_that_sends_half_a_command_does_not_keep_its_place(path: Path) -> None:
    limits = ControlLimits(read_for=timedelta(milliseconds=50))

    async with ControlServer(path, Scripted(), limits=limits):
        received = await asyncio.to_thread(talk, path, b'{"operation": ')

    assert received == b""


async def test_a_peer_that_does_not_read_its_answer_is_left(path: Path) -> None:
    """S23: neither its connection nor the answer may stay for as long as it likes."""
    answer = Response(data="x" * 10_000_000)

    async with ControlServer(path, Scripted(answer), limits=ControlLimits(read_for=timedelta(milliseconds=50))):
        reader, writer = await asyncio.open_unix_connection(path, limit=1)
        writer.write(encode_request(Request(operation="case.list"), ()))
        await asyncio.sleep(0)

        async def is_cut() -> bool:
            return writer.transport.is_closing() or is_hung_up(writer.get_extra_info("socket"))

        await eventually(is_cut, "the end of the connection")
        received = await reader.read()
        writer.close()

    assert 0 < len(received) < 10_000_000


def is_hung_up(connection: socket.socket) -> bool:
    """The other end is closed, whatever there is still to read."""
    poller = select.poll()
    poller.register(connection.fileno(), 0)
    return bool(poller.poll(0))


async def test_more_connections_than_allowed_are_asked_to_come_again(path: Path) -> None:
    async with ControlServer(path, Scripted(), limits=ControlLimits(connections=1)):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"{")
        await writer.drain()
        response = await ask_daemon(path, Request(operation="case.list"))
        writer.close()
        assert await reader.read() == b""

    assert response is not None
    assert response.exit == Exit.LATER


# ---- the file of the socket (S23) ----------------------------------------------------------------------------------


def leave_stale_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def mode_of(path: Path) -> int:
    return path.lstat().st_mode


def is_there(path: Path) -> bool:
    return os.path.lexists(path)


async def test_the_socket_is_for_owner_and_group_only_and_goes_with_the_daemon(path: Path) -> None:
    async with ControlServer(path, Scripted()):
        mode = mode_of(path)

    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o660
    assert not is_there(path)


async def test_a_stale_socket_is_replaced(path: Path) -> None:
    leave_stale_socket(path)

    async with ControlServer(path, Scripted(Response(data=1))):
        response = await ask_daemon(path, Request(operation="case.list"))

    assert response == Response(data=1)


async def test_a_socket_on_which_a_daemon_listens_is_left_alone(path: Path) -> None:
    async with ControlServer(path, Scripted(Response(data="first"))):
        with pytest.raises(TransientError, match="another mailcase"):
            await ControlServer(path, Scripted()).start()
        response = await ask_daemon(path, Request(operation="case.list"))

    assert response == Response(data="first")


@pytest.fixture
def elsewhere(path: Path) -> Path:
    """Where the symbolic link at `path` leads."""
    target = path.with_name("elsewhere.sock")
    path.symlink_to(target)
    return target


async def test_a_symbolic_link_is_never_followed_by_either_end(path: Path, elsewhere: Path) -> None:
    async with ControlServer(elsewhere, Scripted()):
        with pytest.raises(PermanentError, match="symbolic link"):
            await ControlServer(path, Scripted()).start()
        with pytest.raises(CommandRefused, match="not a socket"):
            await ask_daemon(path, Request(operation="case.list"))

    assert stat.S_ISLNK(mode_of(path))


@pytest.fixture
def precious(path: Path) -> Path:
    """A file that stands where the socket should be."""
    path.write_text("precious")
    return path


async def test_a_file_that_is_no_socket_is_never_removed(precious: Path) -> None:
    with pytest.raises(PermanentError, match="not a socket"):
        await ControlServer(precious, Scripted()).start()

    assert stat.S_ISREG(mode_of(precious))


async def test_a_folder_that_cannot_be_used_is_a_reason_not_a_traceback(precious: Path) -> None:
    with pytest.raises(PermanentError, match="cannot make the socket"):
        await ControlServer(precious / "mailcase.sock", Scripted()).start()


@pytest.mark.parametrize(
    ("socket_uid", "folder_uid", "own_uid", "is_trusted"),
    [
        (1000, 1000, 1000, True),
        (999, 999, 1000, True),  # the daemon's user in its own folder
        (0, 1000, 1000, True),  # a daemon started by root
        (1001, 1000, 1000, False),
        (1001, 0, 1000, False),  # another user's socket in /tmp or /run
    ],
)
def test_commands_go_only_to_sockets_of_somebody_to_trust(
    socket_uid: int, folder_uid: int, own_uid: int, is_trusted: bool
) -> None:
    assert is_trusted_owner(socket_uid, folder_uid=folder_uid, own_uid=own_uid) is is_trusted


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to another user")
async def test_the_socket_of_another_user_is_refused_by_either_end(path: Path) -> None:
    leave_stale_socket(path)
    os.chown(path, 12345, -1)

    with pytest.raises(CommandRefused, match="user 12345"):
        await ask_daemon(path, Request(operation="case.list"))
    with pytest.raises(PermanentError, match="user 12345"):
        await ControlServer(path, Scripted()).start()

    assert is_there(path)


async def test_a_path_longer_than_a_socket_address_works(tmp_path: Path) -> None:
    path = tmp_path / ("deep" * 30) / "mailcase.sock"

    async with ControlServer(path, Scripted(Response(data=1))):
        response = await ask_daemon(path, Request(operation="case.list"))

    assert response == Response(data=1)
    assert not is_there(path)


# ---- stopping ------------------------------------------------------------------------------------------------------


async def test_a_stop_lets_the_command_in_work_end_and_is_answered(path: Path) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def answer(request: Request, *, uid: int | None, blobs: Sequence[bytes]) -> Response:
        begun.set()
        await go_on.wait()
        return Response(data="done")

    server = ControlServer(path, answer)
    await server.start()
    asking = asyncio.create_task(ask_daemon(path, Request(operation="case.take")))
    await begun.wait()
    stopping = asyncio.create_task(server.stop())
    await asyncio.sleep(0)
    go_on.set()
    await stopping

    assert await asking == Response(data="done")


async def test_a_command_that_outlasts_the_stop_is_abandoned_and_the_shell_told(path: Path) -> None:
    begun = asyncio.Event()

    async def answer(request: Request, *, uid: int | None, blobs: Sequence[bytes]) -> Response:
        begun.set()
        await asyncio.Event().wait()
        return Response()

    server = ControlServer(path, answer)
    await server.start()
    asking = asyncio.create_task(ask_daemon(path, Request(operation="case.take")))
    await begun.wait()
    await server.stop(timedelta(milliseconds=20))

    with pytest.raises(TransientError, match="before it had answered"):
        await asking


async def test_a_daemon_that_does_not_answer_in_time_is_given_up(path: Path) -> None:
    async def answer(request: Request, *, uid: int | None, blobs: Sequence[bytes]) -> Response:
        await asyncio.Event().wait()
        return Response()

    server = ControlServer(path, answer)
    await server.start()
    with pytest.raises(TransientError, match="no answer"):
        await ask_daemon(
            path, Request(operation="case.list"), limits=ControlLimits(answer_within=timedelta(milliseconds=50))
        )
    await server.stop(timedelta(0))
