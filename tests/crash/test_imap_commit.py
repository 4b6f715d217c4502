"""The same with an IMAP mailbox: `kill -9` before and after the commit, and so always before the MOVE (R1, L11)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.crash.judge import judge
from tests.crash.ledger import Wish
from tests.crash.lives import Installation, mail_of
from tests.crash.points import Crash
from tests.servers.eventually import eventually
from tests.servers.imap_servers import ImapServer
from tests.servers.smtp_sink import SmtpSink

MAILS_COUNT = 3


@pytest.fixture
def box(pymap: ImapServer) -> str:
    return pymap.new_folder()


@pytest.fixture
async def installation(tmp_path: Path, empty_store: Path, pymap: ImapServer, box: str) -> AsyncIterator[Installation]:
    secret = tmp_path / "secret"
    secret.write_text(pymap.secret.read_text())
    secret.chmod(0o600)
    receive = (
        f"{{kind: imap, host: 127.0.0.1, port: {pymap.port}, tls: none, user: {pymap.user}, password_file: secret, "
        f"folder: {box}, start: all, after: {{move: {box} done}}}}"
    )
    async with SmtpSink() as sink:
        made = Installation(tmp_path, sink, receive=receive, empty_store=empty_store)
        yield made
        made.destroy()


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
    installation: Installation, pymap: ImapServer, box: str, crash: Crash
) -> None:
    with pymap.program() as program:
        for number in range(MAILS_COUNT):
            mail = mail_of(number)
            program.put(box, mail.as_bytes().replace(b"\n", b"\r\n"))
            installation.ledger.takes(mail, Wish.CASE)
    await installation.start(crash)
    await installation.until_killed()
    await installation.start()

    async def all_taken() -> bool:
        return len(await installation.asks("mail.list")) >= MAILS_COUNT

    await eventually(all_taken, "mail in the inbox")
    await installation.until_settled()

    async def all_moved() -> bool:
        with pymap.program() as program:
            return not program.uids(box) and len(program.uids(f"{box} done")) == MAILS_COUNT

    await eventually(all_moved, f"moved mail\n{installation.log}")
    verdict = await judge(installation)
    assert not verdict.lost, installation.log
    assert not verdict.double, installation.log
