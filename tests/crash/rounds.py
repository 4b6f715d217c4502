"""The shortest round: mail comes in, the daemon is killed, another one takes over, and the peer offers again."""

from __future__ import annotations

from tests.crash.judge import Verdict, judge
from tests.crash.lives import Installation, mail_of
from tests.crash.points import Crash

#: Enough that the crash falls between mails too.
MAILS_COUNT = 3


async def play(installation: Installation, crash: Crash) -> Verdict:
    """Plays the whole path with a crash in it; what the daemon promised is judged when it has nothing left to do."""
    waiting = [mail_of(number) for number in range(MAILS_COUNT)]
    await installation.start(crash)
    waiting = [mail for mail in waiting if not await installation.offers(mail)]
    await installation.until_killed()
    await installation.start()
    assert all([await installation.offers(mail) for mail in waiting])
    await installation.until_settled()
    return await judge(installation)
