"""What a connection to the listener may cost (A3-A5, R16, R19)."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.inbound.listening import RAW, Dialogue, desk, stuffed
from tests.servers.eventually import eventually

from mailcase.config.settings import Limits, ListenerKind
from mailcase.inbound.smtp import PROGRESS_BYTES
from mailcase.store.port import Point

SOON = timedelta(seconds=0.3)


async def test_connections_over_the_limit_per_address_get_421(tmp_path: Path) -> None:
    """A3: and a place that becomes free is given again."""
    async with desk(tmp_path, limits=Limits(sessions_per_address=8)) as here:
        clients = [await here.dial() for _ in range(8)]
        refused = await here.dial(greeting=None)
        answer, after = await refused.reply(), await refused.reply()
        await clients[0].say("QUIT")
        closed = await clients[0].reply()

        welcome = await (await here.dial(greeting=None)).reply()

        assert answer.startswith("421 4.7.0 ")
        assert after == closed == ""
        assert welcome.startswith("220 ")
        assert (await clients[7].deliver(RAW)).startswith("250 ")


async def test_connections_over_the_limit_in_all_get_421(tmp_path: Path) -> None:
    async with desk(tmp_path, limits=Limits(sessions=2)) as here:
        clients = [await here.dial(), await here.dial()]
        refused = await here.dial(greeting=None)

        assert (await refused.reply()).startswith("421 4.7.0 ")
        assert (await clients[1].deliver(RAW)).startswith("250 ")


async def test_recipients_over_the_limit_are_left_for_another_transaction(tmp_path: Path) -> None:
    async with desk(tmp_path, limits=Limits(recipients=2), knows_recipient=lambda _address: True) as here:
        client = await here.dial()
        await client.say("MAIL FROM:<anna@example.net>")
        replies = [await client.say(f"RCPT TO:<desk+{number}@example.org>") for number in range(3)]
        await client.say("DATA")
        client.send(stuffed(RAW) + b".\r\n")

        assert (await client.reply()).startswith("250 ")
        assert [reply[:9] for reply in replies] == ["250 2.1.5", "250 2.1.5", "452 4.5.3"]
        assert [len(row.envelope_to) for row in await here.mails()] == [2]


async def test_a_client_that_tries_out_addresses_is_sent_away(tmp_path: Path) -> None:
    async with desk(tmp_path, limits=Limits(recipients=3)) as here:
        client = await here.dial()
        replies = []
        for number in range(4):
            await client.say("RSET")
            await client.say("MAIL FROM:<anna@example.net>")
            replies.append(await client.say(f"RCPT TO:<guess{number}@example.org>"))

        assert [reply[:3] for reply in replies] == ["550", "550", "550", "421"]
        assert await client.reply() == ""


async def test_a_mail_that_says_it_is_too_big_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    async with desk(tmp_path, limits=Limits(message_bytes=1000)) as here:
        client = await here.dial(greeting=None)
        await client.reply()
        offered = await client.say("EHLO client.example.net")

        assert "250-SIZE 1000" in offered.split("\n")
        assert (await client.say("MAIL FROM:<anna@example.net> SIZE=1001")).startswith("552 ")
        assert (await client.deliver(RAW)).startswith("250 ")


async def test_a_mail_that_is_too_big_is_refused_after_it_was_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with desk(tmp_path, limits=Limits(message_bytes=1000)) as here:
        client = await here.dial()
        refused = await client.deliver(b"Subject: x\r\n\r\n" + b"line\r\n" * 200)
        taken = await client.deliver(RAW)

        assert refused.startswith("552 ")
        assert taken.startswith("250 ")
        assert await here.raws() == [RAW]
        assert "smtp_mail_refused" in capsys.readouterr().out


async def test_all_mails_on_their_way_in_share_one_room(tmp_path: Path) -> None:
    """S19: a mail has its room until it is committed; who finds none comes again."""
    reached, released = threading.Event(), threading.Event()

    def hook(point: Point, when: str) -> None:
        if point is Point.ACCEPT and when == "before":
            reached.set()
            released.wait(10)

    big = b"Subject: x\r\n\r\n" + b"line\r\n" * 1000
    async with desk(tmp_path, limits=Limits(sessions_bytes=len(big) + 100), hook=hook) as here:
        first, second = await here.dial(), await here.dial()
        await first.begin()
        first.send(big + b".\r\n")
        await asyncio.to_thread(reached.wait, 10)
        refused = await second.deliver(big)
        released.set()
        taken = await first.reply()
        again = await second.deliver(big)

        assert refused.startswith("452 4.3.1 ")
        assert taken.startswith("250 ")
        assert again.startswith("250 ")


@pytest.mark.parametrize(
    ("kind", "greeting", "length", "code"),
    [
        (ListenerKind.SMTP, "EHLO client.example.net", 2000, "250"),
        (ListenerKind.SMTP, "EHLO client.example.net", 2100, "500"),
        (ListenerKind.LMTP, "LHLO mail.example.org", 60_000, "250"),
        (ListenerKind.LMTP, "LHLO mail.example.org", 70_000, "500"),
    ],
)
async def test_lines_have_a_length_that_depends_on_who_sends_them(
    tmp_path: Path, kind: ListenerKind, greeting: str, length: int, code: str
) -> None:
    """A5: behind a mail server lines are longer; the refusal does not put the connection out of step."""
    async with desk(tmp_path, kind=kind) as here:
        client = await here.dial(greeting)
        answer = await client.deliver(b"Subject: x\r\n\r\n" + b"x" * length + b"\r\n")

        assert answer.startswith(code)
        assert (await client.deliver(RAW)).startswith("250 ")


async def test_a_silent_client_is_sent_away(tmp_path: Path) -> None:
    async with desk(tmp_path, limits=Limits(session_idle=SOON)) as here:
        client = await here.dial()

        assert (await client.reply()).startswith("421 4.4.2 ")
        assert await client.reply() == ""


async def test_a_client_that_falls_silent_in_a_mail_is_sent_away_and_nothing_is_taken(tmp_path: Path) -> None:
    async with desk(tmp_path, limits=Limits(session_idle=SOON)) as here:
        client = await here.dial()
        await client.begin()
        client.send(b"Subject: x\r\n")

        assert (await client.reply()).startswith("421 4.4.2 ")
        assert await here.mails() == []


async def test_a_client_that_sends_a_mail_byte_by_byte_is_as_good_as_silent(tmp_path: Path) -> None:
    """R19."""
    async with desk(tmp_path, limits=Limits(session_idle=SOON)) as here:
        client = await here.dial()
        await client.begin()

        assert (await answer_to_dripping(client, b"x")).startswith("421 4.4.2 ")


async def test_a_client_that_reads_nothing_keeps_no_place(tmp_path: Path) -> None:
    """R19: the goodbye to it never leaves, and its place must become free all the same."""
    async with desk(tmp_path, limits=Limits(sessions=1, session_idle=SOON)) as here:
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            deaf.connect(("127.0.0.1", here.listener.port))
            deaf.setblocking(False)
            await until_nothing_more_is_taken(deaf, b"EHLO x\r\n" * 500)

            async def is_admitted() -> bool:
                return (await (await here.dial(greeting=None)).reply()).startswith("220 ")

            await eventually(is_admitted, "a place")


async def until_nothing_more_is_taken(client: socket.socket, commands: bytes) -> None:
    """Sends commands until the server has read none for a while, because nobody reads its replies."""
    loop = asyncio.get_running_loop()
    with suppress(TimeoutError):
        while True:
            async with asyncio.timeout(SOON.total_seconds()):
                await loop.sock_sendall(client, commands)


async def test_a_slow_client_that_makes_progress_may_finish(tmp_path: Path) -> None:
    """A4: the library's own time-out would have counted the whole DATA as one command."""
    limits = Limits(session_idle=timedelta(seconds=0.4))
    line = b"x" * 1022 + b"\r\n"
    async with desk(tmp_path, limits=limits) as here:
        client = await here.dial()
        await client.begin()
        began = asyncio.get_running_loop().time()
        count = 0
        while asyncio.get_running_loop().time() < began + 0.8:
            client.send(line * (PROGRESS_BYTES // len(line)))
            count += 1
            assert await client.reply_within(0.1) is None
        client.send(b".\r\n")

        assert (await client.reply()).startswith("250 ")
        assert [row.size_bytes for row in await here.mails()] == [count * PROGRESS_BYTES]


async def test_a_session_ends_however_busy_it_is(tmp_path: Path) -> None:
    """A4: NOOP now and then would have held the place for ever."""
    async with desk(tmp_path, limits=Limits(session_for=SOON)) as here:
        client = await here.dial()
        answer = "250 OK"
        while answer.startswith("250"):
            answer = await client.say("NOOP")

        assert answer.startswith("421 4.4.2 session")


@pytest.mark.parametrize(("failure", "answer"), [(None, "250 "), (RuntimeError("secret"), "451 4.3.0 ")])
async def test_a_deadline_does_not_cut_off_a_commit(tmp_path: Path, failure: Exception | None, answer: str) -> None:
    """R1: the client hears what became of its mail, then goodbye."""
    released = threading.Event()

    def hook(point: Point, when: str) -> None:
        if point is Point.ACCEPT and when == "before":
            released.wait(10)
            if failure is not None:
                raise failure

    async with desk(tmp_path, limits=Limits(session_for=SOON), hook=hook) as here:
        client = await here.dial()
        await client.begin()
        client.send(stuffed(RAW) + b".\r\n")
        too_early = await client.reply_within(2 * SOON.total_seconds())
        released.set()

        assert too_early is None
        assert (await client.reply()).startswith(answer)
        assert (await client.reply()).startswith("421 4.4.2 session")


async def test_stopping_lets_a_mail_finish_and_says_goodbye_to_the_others(tmp_path: Path) -> None:
    """R16."""
    async with desk(tmp_path) as here:
        idle, busy = await here.dial(), await here.dial()
        await busy.begin()
        stopping = asyncio.create_task(here.listener.stop(timedelta(seconds=10)))
        goodbye = await idle.reply()
        with pytest.raises(ConnectionError):
            await here.dial()
        busy.send(stuffed(RAW) + b".\r\n")
        taken, after = await busy.reply(), await busy.reply()
        await stopping

        assert goodbye.startswith("421 4.3.2 ")
        assert taken.startswith("250 ")
        assert after.startswith("421 4.3.2 ")
        assert await here.raws() == [RAW]


async def test_stopping_cuts_what_does_not_finish_in_time(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        client = await here.dial()
        await client.begin()
        client.send(b"Subject: x\r\n")

        await here.listener.stop(timedelta(seconds=0.05))

        assert await client.reply() == ""
        assert await here.mails() == []


async def test_many_clients_at_once_are_all_served(tmp_path: Path) -> None:
    limits = replace(Limits(), sessions_per_address=8)

    async def deliver_five(client: Dialogue, number: int) -> list[str]:
        return [await client.deliver(b"Subject: %d.%d\r\n\r\n" % (number, index)) for index in range(5)]

    async with desk(tmp_path, limits=limits) as here:
        clients = [await here.dial() for _ in range(8)]
        replies = await asyncio.gather(*(deliver_five(client, number) for number, client in enumerate(clients)))

        assert {reply[:3] for group in replies for reply in group} == {"250"}
        assert len(await here.mails()) == 40


async def answer_to_dripping(client: Dialogue, drop: bytes) -> str:
    """Sends a drop again and again until there is an answer."""
    while True:
        client.send(drop)
        answer = await client.reply_within(0.02)
        if answer is not None:
            return answer
