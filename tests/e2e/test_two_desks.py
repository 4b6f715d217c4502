"""Two daemons that are each other's customer, over real sockets: they do not talk to each other for ever (R25, S9)."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from email.message import EmailMessage
from pathlib import Path

import pytest
from tests.e2e.house import START, House, living
from tests.servers.eventually import eventually
from tests.servers.imap_servers import free_port

from mailcase.clock import SteppedClock
from mailcase.config.reader import load

#: Without people, so that every mail that leaves a desk is for the other one.
CONFIGURATION = """\
store: state/mailcase.db
processes: {{enquiry: {{}}}}
mailboxes:
  desk:
    receive: {{kind: smtp, listen: "127.0.0.1:{port}"}}
    addresses: [{address}]
    fallback: enquiry
relay: {{host: 127.0.0.1, port: {relay_port}, tls: none}}
"""
HERE, THERE = "help@here.example", "help@there.example"


@pytest.fixture
async def desks(tmp_path: Path) -> AsyncIterator[tuple[House, House]]:
    """Each has the other for its relay."""
    here_port, there_port = free_port(), free_port()
    plan = [(HERE, here_port, there_port), (THERE, there_port, here_port)]
    async with AsyncExitStack() as stack:
        houses = []
        for address, port, relay_port in plan:
            file = tmp_path / address / "config.yaml"
            file.parent.mkdir()
            file.write_text(CONFIGURATION.format(address=address, port=port, relay_port=relay_port))
            settings = load(file, environment={})
            houses.append(await stack.enter_async_context(living(settings, clock=SteppedClock(START))))
        yield houses[0], houses[1]


def write(port: int) -> None:
    """A question from one desk to the other, by a person's mail program."""
    mail = EmailMessage()
    mail["Message-ID"], mail["From"], mail["To"], mail["Subject"] = "<1@there.example>", THERE, HERE, "A question"
    mail.set_content("Do you know?")
    with smtplib.SMTP("127.0.0.1", port, local_hostname="there.example", timeout=10) as smtp:
        smtp.send_message(mail)


async def has_come_to_rest(*houses: House) -> bool:
    """Nothing is on its way, and nothing waits to be handled or sent."""
    for house in houses:
        if "pending" in await house.outcomes():
            return False
        if any(row["state"] in ("queued", "claimed", "deferred") for row in await house.deliveries()):
            return False
    return True


async def test_R25_two_desks_that_write_to_each_other_stop_after_one_answer(desks: tuple[House, House]) -> None:
    """One desk's mail is another's enquiry, which is acknowledged; the acknowledgement is answered by nobody."""
    here, there = desks
    await asyncio.to_thread(write, here.port)

    async def is_answered() -> bool:
        return bool(await there.mails()) and await has_come_to_rest(here, there)

    await eventually(is_answered, "an acknowledgement, and silence after it")

    assert [row["notice"] for row in await here.deliveries()] == ["acknowledgement"]
    assert await there.deliveries() == []
    assert (len(await here.mails()), len(await there.mails())) == (1, 1)
