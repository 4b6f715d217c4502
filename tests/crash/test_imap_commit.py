"""The same with an IMAP mailbox: `kill -9` before and after the commit, and so always before the MOVE (R1, L11)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.crash.judge import judge
from tests.crash.lives import Installation, mail_of
from tests.crash.peers import Peer, installed
from tests.crash.points import Crash, Site
from tests.servers.eventually import eventually
from tests.servers.imap_servers import ImapServer
from tests.servers.smtp_sink import SmtpSink

MAILS_COUNT = 3


@pytest.fixture
async def mailbox(tmp_path: Path, empty_store: Path, pymap: ImapServer) -> AsyncIterator[tuple[Installation, Peer]]:
    async with SmtpSink() as sink:
        with installed(Site.PYMAP_MOVE, tmp_path, sink, {"pymap": pymap}, empty_store=empty_store) as made:
            yield made


@pytest.mark.parametrize(
    "crash",
    [
        # The first commit is that of the first contact, without mail.
        Crash(point="ACCEPT", when="after", nth=1),
        Crash(point="ACCEPT", when="before", nth=2),
        Crash(point="ACCEPT", when="after", nth=2),
        Crash(point="SAVE_MAIL", when="before"),
    ],
    ids=str,
)
async def test_a_mailbox_is_taken_once_and_moved_whenever_the_end_comes(
    mailbox: tuple[Installation, Peer], crash: Crash
) -> None:
    installation, peer = mailbox
    for number in range(MAILS_COUNT):
        await peer.offers(mail_of(number))
    await installation.start(crash)
    await installation.until_killed()
    await installation.start()

    async def all_moved() -> bool:
        return await peer.unacknowledged_count() == 0

    await eventually(all_moved, f"moved mail\n{installation.log}")
    await installation.until_settled()
    verdict = await judge(installation)
    assert not verdict.lost, installation.log
    assert not verdict.double, installation.log
