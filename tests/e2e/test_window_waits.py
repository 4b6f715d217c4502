"""A feedback window closes only when the mail has been read past its end (docs/decisions/0002; T26, T28)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from tests.e2e.hindrance import Hindrance
from tests.e2e.house import MARIE, START, House, house, imap_mailbox, living, mail_text, message_id, settings_in
from tests.servers.eventually import eventually
from tests.servers.imap_servers import ImapServer
from tests.servers.smtp_sink import SmtpSink

from mailcase.app import World
from mailcase.clock import SteppedClock
from mailcase.config.settings import ImapSource, Settings
from mailcase.core.case import MailboxName
from mailcase.inbound.imap import ImapSession
from mailcase.store.port import Point

DESK = MailboxName("desk")


class Network:
    """The way to the mail server; while it is down, nobody listens at its other end."""

    def __init__(self) -> None:
        self.is_up = True

    def __call__(self, source: ImapSource) -> ImapSession:
        return ImapSession(source if self.is_up else replace(source, port=1))


@dataclass
class Desk:
    """A desk whose mail comes by IMAP, over several lives of its daemon."""

    settings: Settings
    server: ImapServer
    folder: str
    sink: SmtpSink
    network: Network

    @asynccontextmanager
    async def lives(self, at: datetime) -> AsyncIterator[House]:
        async with living(self.settings, clock=SteppedClock(at), world=World(imap_connect=self.network)) as here:
            yield here

    def receives(self, raw: bytes, *, at: datetime) -> None:
        """A mail arrives on the server."""
        with self.server.program() as program:
            program.put(self.folder, raw, at=at)

    async def until_looked(self, here: House) -> None:
        """Waits for a complete look at the mailbox in this life's time."""
        now = here.clock.now()

        async def looked() -> bool:
            here.daemon.watchers[DESK].look_now()
            state = (await here.app.store.mailbox_states()).get(DESK)
            return state is not None and state.checked_at is not None and state.checked_at >= now

        await eventually(looked, "a look at the mailbox")


@asynccontextmanager
async def resolved_desk(tmp_path: Path, server: ImapServer) -> AsyncIterator[Desk]:
    """A case that Marie wrote about and Ann resolved on START; its window ends five days later."""
    folder = server.new_folder()
    async with SmtpSink() as sink:
        mailbox = imap_mailbox(tmp_path, server, folder)
        settings = settings_in(tmp_path, relay_port=sink.port, mailboxes=mailbox)
        desk = Desk(settings=settings, server=server, folder=folder, sink=sink, network=Network())
        async with desk.lives(START) as here:
            await desk.until_looked(here)
            desk.receives(mail_text(1), at=START)

            async def handled() -> bool:
                here.daemon.watchers[DESK].look_now()
                return await here.outcomes() == ["new-case"]

            await eventually(handled, "a handled mail")
            await here.until_sent(2)
            await here.asks("case.resolve", ref="1001-C")
        yield desk


async def test_an_answer_that_arrived_inside_the_window_reopens_although_it_is_read_after_its_end(
    tmp_path: Path, imap_server: ImapServer
) -> None:
    """The mailbox is out of reach across the end of the window; the daemon was down too."""
    async with resolved_desk(tmp_path, imap_server) as desk:
        answer = mail_text(2, subject="Re: My printer smokes", answers=message_id(desk.sink, MARIE))
        desk.receives(answer, at=START + timedelta(days=3))
        desk.network.is_up = False
        with structlog.testing.capture_logs() as logs:
            async with desk.lives(START + timedelta(days=7)) as here:

                async def is_held() -> bool:
                    return any(entry["event"] == "window_held" for entry in logs)

                await eventually(is_held, "a held window")
                status_while_down = await here.status()
                desk.network.is_up = True
                here.daemon.watchers[DESK].look_now()
                await here.until_status("to-do")
                case = await here.asks("case.show", ref="1001-C")

    assert status_while_down == "resolved"
    assert [reopening["cause"] for reopening in case["reopenings"]] == ["mail"]
    assert len([entry for entry in logs if entry["event"] == "window_held"]) == 1


async def test_a_window_without_an_answer_closes_once_the_mailbox_is_read_past_its_end(
    tmp_path: Path, imap_server: ImapServer
) -> None:
    async with resolved_desk(tmp_path, imap_server) as desk:
        desk.network.is_up = False
        async with desk.lives(START + timedelta(days=7)) as here:
            with structlog.testing.capture_logs() as logs:
                await here.app._due_worker().work_once()
                status_while_down = await here.status()
                desk.network.is_up = True
                here.daemon.watchers[DESK].look_now()
                await here.until_status("closed")
    (closed,) = [entry for entry in logs if entry["event"] == "timer_fired"]

    assert status_while_down == "resolved"
    assert closed["late_s"] == timedelta(days=2).total_seconds()


async def test_an_answer_that_arrived_after_the_end_makes_a_new_case(tmp_path: Path, pymap: ImapServer) -> None:
    """T30, EM-25: late by its arrival, whenever it is read."""
    async with resolved_desk(tmp_path, pymap) as desk:
        answer = mail_text(2, subject="Re: My printer smokes", answers=message_id(desk.sink, MARIE))
        desk.receives(answer, at=START + timedelta(days=6))
        async with desk.lives(START + timedelta(days=7)) as here:
            outcomes = await here.until_handled(2)
            await here.until_status("closed")
            linked = await here.asks("case.show", ref="1002-C")

    assert outcomes == ["new-case", "new-case"]
    assert linked["links"] == [{"ref": "1001-C", "kind": "continues"}]


# ---- mail that is here and not handled yet ---------------------------------------------------------------------------


async def test_a_window_waits_for_mail_that_waits_in_the_inbox(tmp_path: Path) -> None:
    refusing = Hindrance(Point.SAVE_MAIL)
    async with house(tmp_path, world=World(hook=refusing)) as (here, sink):
        await here.writes(mail_text(1))
        await here.until_handled(1)
        await here.until_sent(2)
        await here.asks("case.resolve", ref="1001-C")
        here.clock.step(timedelta(days=4, hours=23, minutes=59))
        refusing.begin()
        await here.writes(mail_text(2, subject="Re: My printer smokes", answers=message_id(sink, MARIE)))
        with structlog.testing.capture_logs() as logs:
            here.clock.step(timedelta(hours=1))

            async def is_held() -> bool:
                return any(entry["event"] == "window_held" for entry in logs)

            await eventually(is_held, "a held window")
            refusing.end()
            await here.until_status("to-do")

    assert "timer_fired" not in [entry["event"] for entry in logs]


async def test_no_mailbox_is_read_past_a_mail_that_is_being_committed(tmp_path: Path) -> None:
    committing, going_on = threading.Event(), threading.Event()

    def hold(point: Point, when: str) -> None:
        if (point, when) == (Point.ACCEPT, "before"):
            committing.set()
            going_on.wait(20)

    async with house(tmp_path, world=World(hook=hold)) as (here, _sink):
        writing = asyncio.create_task(here.writes(mail_text(1)))
        await asyncio.to_thread(committing.wait, 20)
        here.clock.step(timedelta(minutes=10))
        while_committing = (await here.app.progress.read_through())([DESK])
        going_on.set()
        await writing
        await here.until_handled(1)
        afterwards = (await here.app.progress.read_through())([DESK])

    assert while_committing == START
    assert afterwards == START + timedelta(minutes=10)
