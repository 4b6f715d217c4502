"""`kill -9` before and after every commit of the path, then a start: nothing is lost and nothing is there twice.

R1 to R4: C1 to C5 and the journal (docs/decisions/0014), and the commits of commands and of time.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.crash.lives import ANN, CONNECTIONS, Installation, customer, mail_of
from tests.crash.points import Crash
from tests.crash.rounds import MAILS_COUNT, play
from tests.servers.eventually import eventually
from tests.servers.smtp_sink import SmtpSink

from mailcase.errors import TransientError
from mailcase.store.port import Point

WHEN = ("before", "after")
PATH = (Point.ACCEPT, Point.CLAIM_INBOX, Point.SAVE_MAIL, Point.CLAIM_OUTBOX, Point.JOURNAL, Point.SETTLE)
CRASHES = [Crash(point=point.name, when=when, nth=nth) for point in PATH for when in WHEN for nth in (1,)]
CRASHES += [Crash(point=Point.ACCEPT.name, when="after", nth=2), Crash(point=Point.SETTLE.name, when="before", nth=3)]


@pytest.mark.parametrize("crash", CRASHES, ids=str)
async def test_a_killed_daemon_loses_nothing_and_does_nothing_twice(installation: Installation, crash: Crash) -> None:
    """R1 to R4: what was acknowledged is a case, once, and its customer hears of it, once."""
    verdict = await play(installation, crash)

    assert not verdict.lost, installation.log
    assert not verdict.double, installation.log
    assert len(installation.ledger.taken) == MAILS_COUNT
    # Each connection may have had one mail between its journal entry and its settling.
    assert len(verdict.unknown) <= CONNECTIONS


@pytest.mark.parametrize(("when", "point", "copies_count"), [("after", "JOURNAL", 0), ("before", "SETTLE", 1)])
async def test_an_attempt_that_was_journaled_and_not_settled_is_unknown_and_not_sent_again(
    installation_of_one_connection: Installation, point: str, when: str, copies_count: int
) -> None:
    """L32: the daemon cannot know whether the sink has it. The customer's mail goes first, and the case says it."""
    installation = installation_of_one_connection
    verdict = await play(installation, Crash(point=point, when=when))

    (unknown,) = await installation.asks("outbox.list", state="unknown")
    (case,) = [row for row in await installation.asks("case.list") if row["ref"] == unknown["case"]]
    assert not verdict.lost
    assert len(installation.copies_to(case["requester"])) == copies_count
    assert "needs-attention" in case["flags"]


async def test_a_mail_that_is_sent_again_after_a_kill_is_the_same_mail(tmp_path: Path, empty_store: Path) -> None:
    """R3: where the operator prefers two copies to none, they have one Message-ID and the same bytes."""
    async with SmtpSink() as sink:
        installation = Installation(
            tmp_path,
            sink,
            empty_store=empty_store,
            connections=1,
            limits="{resend_unknown: true, retry_step: 1 second}",
        )
        try:
            await installation.start(Crash(point="SETTLE", when="before"))
            assert await installation.offers(mail_of(1))
            await installation.until_killed()
            await installation.start()
            await installation.until_settled()
            unknown = await installation.asks("outbox.list", state="unknown")
        finally:
            installation.destroy()

    first, *others = [mail.raw for mail in sink.mails]
    assert others.count(first) == 1
    assert len(sink.mails) == 3
    assert not unknown


async def test_a_start_that_is_killed_is_made_good_by_the_next(installation: Installation) -> None:
    """The crash falls into putting right what an earlier crash left: the case still hears of its unknown mail."""
    await installation.start(Crash(point="SETTLE", when="before"))
    assert await installation.offers(mail_of(1))
    await installation.until_killed()
    await installation.start(Crash(point="RECOVER", when="after"))
    await installation.until_killed()
    await installation.start(Crash(point="SETTLE", when="before"))
    await installation.until_killed()
    await installation.start()
    await installation.until_settled()

    unknown = {row["to"] for row in await installation.asks("outbox.list", state="unknown")}
    case = await installation.asks("case.show", ref="1001-C")
    assert unknown
    assert ("needs-attention" in case["flags"]) == (customer(1) in unknown)


@pytest.mark.parametrize("when", WHEN)
async def test_a_command_is_done_once_or_not_at_all(installation: Installation, when: str) -> None:
    await installation.start(Crash(point="COMMAND", when=when))
    assert await installation.offers(mail_of(1))
    await installation.until_settled()
    with pytest.raises(TransientError):
        await installation.asks("case.take", ref="1001-C")
    await installation.until_killed()
    await installation.start()
    case = await installation.asks("case.show", ref="1001-C")

    assert case["status"] == ("to-do" if when == "before" else "in-progress")
    assert case["assignee"] == (None if when == "before" else "ann")
    if when == "before":
        assert (await installation.asks("case.take", ref="1001-C"))["status"] == "in-progress"


@pytest.mark.parametrize("when", WHEN)
async def test_a_wait_ends_once(installation: Installation, when: str) -> None:
    await installation.start()
    assert await installation.offers(mail_of(1))
    await installation.until_settled()
    await installation.asks("case.take", ref="1001-C")
    await installation.asks("case.wait", ref="1001-C", until="2099-01-01T09:00:00Z")
    await installation.until_settled()
    await installation.stop()
    before = len(installation.copies_to(ANN))
    # Past the end of the wait, whatever today is.
    await installation.start(Crash(point="TICK", when=when), ahead_days=100 * 365)
    await installation.until_killed()
    await installation.start(ahead_days=100 * 365)

    async def has_ended() -> bool:
        return str((await installation.asks("case.show", ref="1001-C"))["status"]) == "to-do"

    await eventually(has_ended, f"the end of the wait\n{installation.log}")
    await installation.until_settled()
    # A start after that finds nothing to do.
    await installation.stop()
    await installation.start(ahead_days=100 * 365)
    await installation.until_settled()

    case = await installation.asks("case.show", ref="1001-C")
    assert case["flags"] == ["wait-ended"]
    assert len(installation.copies_to(ANN)) - before == 1
