"""A mail that kills the daemon: it is known by its attempts, which were counted before the work (R6, L6)."""

from __future__ import annotations

from tests.crash.judge import judge
from tests.crash.lives import Installation, mail_of
from tests.servers.eventually import eventually


async def test_a_mail_that_kills_the_daemon_is_parked_and_its_neighbours_are_handled(
    installation: Installation,
) -> None:
    deadly = mail_of(2)
    deadly.set_content("This is deadly.")
    waiting = [mail_of(1), deadly, mail_of(3)]
    lives_count = 0
    while waiting or installation.has_ended:
        await installation.start(is_deadly=True)
        lives_count += 1
        waiting = [mail for mail in waiting if not await installation.offers(mail)]

        async def idle_or_dead() -> bool:
            return installation.has_ended or await installation.is_idle()

        await eventually(idle_or_dead, "an idle daemon, or a dead one")
    (parked,) = await installation.asks("mail.list", outcome="parked")
    await installation.stop()

    assert lives_count == 4
    assert parked["reason"] == "attempts-used-up: its handling did not finish in any attempt"

    await installation.start()
    await installation.asks("mail.retry", id=parked["id"])
    await installation.until_settled()
    verdict = await judge(installation)
    assert not verdict.lost, installation.log
    assert not verdict.double, installation.log
