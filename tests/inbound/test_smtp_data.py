"""The bytes between DATA and the final dot: which they are, and what they cost (A5, A7, S10, S12)."""

from __future__ import annotations

import asyncio
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.inbound.listening import stuffed

from mailcase.inbound.smtp_data import Content, Refusal, Room

MIB = 1024 * 1024
#: Endings, dots and halves of both, in every order.
DOTTED = st.lists(st.sampled_from([b"\r\n", b"\r\n", b".", b"..", b"x", b"\r", b"\n"]), max_size=40).map(b"".join)


def content(*, room: Room | None = None, limit_bytes: int = MIB, line_bytes: int = 2048) -> Content:
    return Content(room or Room(MIB), limit_bytes=limit_bytes, line_bytes=line_bytes)


async def collected(taking: Content, *pieces: bytes) -> tuple[bytes | Refusal, bytes]:
    """What it makes of these pieces, each of which arrives alone, and what it leaves in the reader."""
    reader = asyncio.StreamReader(limit=MIB)
    with taking:
        reading = asyncio.create_task(taking.read(reader))
        for piece in pieces:
            reader.feed_data(piece)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        taken = await reading
    reader.feed_eof()
    return taken, await reader.read()


@given(text=DOTTED, size=st.integers(1, 8), after=st.sampled_from([b"", b"QUIT\r\n", b".\r\n"]))
@settings(max_examples=300, deadline=None)
def test_the_mail_is_what_was_stuffed_wherever_it_is_cut(text: bytes, size: int, after: bytes) -> None:
    """S12, R8: nothing but the one final dot ends it, and what is behind the dot is left for the next command."""
    raw = text + b"\r\n"
    sent = stuffed(raw) + b".\r\n" + after
    pieces = [sent[at : at + size] for at in range(0, len(sent), size)]

    assert asyncio.run(collected(content(), *pieces)) == (raw, after)


async def test_a_mail_may_be_empty() -> None:
    assert await collected(content(), b".\r\n") == (b"", b"")


@pytest.mark.parametrize(
    ("raw", "refusal"),
    [
        (b"x\r\n" * 40, Refusal.TOO_LARGE),
        (b"x" * 30 + b"\r\n", Refusal.LINE_TOO_LONG),
        (b"x\r\n" * 20, Refusal.NO_ROOM),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_what_is_refused_is_read_to_its_end_and_leaves_nothing(raw: bytes, refusal: Refusal, size: int) -> None:
    room = Room(50)
    sent = raw * 10 + b"\r\n.\r\nNOOP\r\n"
    pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
    taking = content(room=room, limit_bytes=100 if refusal is Refusal.TOO_LARGE else 10_000, line_bytes=30)
    if refusal is Refusal.TOO_LARGE:
        room.give_back(1000)

    taken, left = await collected(taking, *pieces)

    assert (taken, left) == (refusal, b"NOOP\r\n")


async def test_room_is_shared_and_given_back() -> None:
    room = Room(100)
    mail = b"x\r\n" * 20 + b".\r\n"
    reader = asyncio.StreamReader(limit=MIB)
    reader.feed_data(mail)
    with content(room=room) as first:
        await first.read(reader)
        meanwhile, _left = await collected(content(room=room), mail)
    afterwards, _left = await collected(content(room=room), mail)

    assert meanwhile is Refusal.NO_ROOM
    assert afterwards == b"x\r\n" * 20
    assert room.take(100)


async def test_a_client_that_goes_in_the_middle_is_an_error_and_gives_its_room_back() -> None:
    room = Room(10)
    reader = asyncio.StreamReader()
    reader.feed_data(b"x\r\n.\r")
    reader.feed_eof()

    with pytest.raises(ConnectionResetError), content(room=room) as taking:
        await taking.read(reader)

    assert room.take(10)


@pytest.mark.parametrize("line", [b"\r\n", b"x\r\n", b"..\r\n", b"x" * 70 + b"\r\n"])
async def test_a_mail_costs_no_more_than_twice_its_size(line: bytes) -> None:
    """S10: the library made an object of every line, at sixty times the size of a short one."""
    size = 8 * MIB
    reader = asyncio.StreamReader(limit=64 * MIB)
    reader.feed_data(line * (size // len(line)) + b".\r\n")
    tracemalloc.start()
    try:
        with content(room=Room(size), limit_bytes=size) as taking:
            taken = await taking.read(reader)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert isinstance(taken, bytes)
    assert peak < 2 * size + 4 * MIB
