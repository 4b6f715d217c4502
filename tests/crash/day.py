"""What happens to an installation on one day: customers write and answer, agents work. Nobody waits for a daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as default_policy
from random import Random
from typing import Any

from tests.crash.judge import Row
from tests.crash.ledger import GREY, Wish
from tests.crash.lives import SUPPORT, Installation, mail_of
from tests.crash.peers import Peer
from tests.servers.eventually import eventually

from mailcase.errors import TransientError
from mailcase.store.port import Point

#: Numbers of customers that one day may use.
CUSTOMERS_PER_DAY = 10


def grey_customer(number: int) -> str:
    return f"{GREY}{number}@customer.example"


def answer_to(acknowledgement: EmailMessage, number: int) -> EmailMessage:
    """A customer's answer to a mail of ours."""
    mail = EmailMessage()
    mail["Message-ID"] = f"<answer{number}@customer.example>"
    mail["From"] = str(acknowledgement["To"])
    mail["To"] = str(acknowledgement["Reply-To"] or SUPPORT)
    mail["Subject"] = f"Re: {acknowledgement['Subject']}"
    mail["In-Reply-To"] = str(acknowledgement["Message-ID"])
    mail.set_content(f"It still smokes, {number}.")
    return mail


def stray_report(number: int) -> EmailMessage:
    """A report about a mail that was never sent: for a person to look at."""
    raw = (
        f"Message-ID: <report{number}@mx.example>\r\nFrom: mailer-daemon@mx.example\r\nTo: {SUPPORT}\r\n"
        "Subject: Undelivered Mail\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="cut"\r\n\r\n'
        "--cut\r\nContent-Type: text/plain\r\n\r\nNot delivered.\r\n"
        "--cut\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
        "Final-Recipient: rfc822; nobody@elsewhere.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--cut--\r\n"
    )
    return BytesParser(EmailMessage, policy=default_policy).parsebytes(raw.encode())


Job = Callable[[], Awaitable[object]]


@dataclass
class Day:
    """Mail that is offered until it is taken, and jobs of the shell that are begun once."""

    installation: Installation
    peer: Peer
    mails: list[tuple[EmailMessage, Wish]]
    jobs: list[Job] = field(default_factory=list)
    #: The customer whose provider puts our mail off.
    grey: str | None = None
    #: Called after each mail that was taken.
    on_taken: Callable[[], None] = lambda: None

    async def pass_by(self) -> None:
        """Everything that can be done with the present daemon, which may end at any time."""
        await self.offer()
        while self.jobs and not self.installation.has_ended:
            await self.jobs.pop(0)()

    async def offer(self) -> None:
        """Offers what has not been taken yet, all at once."""
        are_taken = await asyncio.gather(*(self._offer(mail, wish) for mail, wish in self.mails))
        self.mails = [mail for mail, is_taken in zip(self.mails, are_taken, strict=True) if not is_taken]

    async def _offer(self, mail: EmailMessage, wish: Wish) -> bool:
        is_taken = await self.peer.offers(mail, wish)
        if is_taken:
            self.on_taken()
        return is_taken


def plan_day(
    installation: Installation, peer: Peer, cases: list[Row], *, number: int, random: Random, point: str
) -> Day:
    """A day like others, with what it takes to come by `point`. `cases` are those of the evening before."""
    first = number * CUSTOMERS_PER_DAY
    mails = [(mail_of(first + index), Wish.CASE) for index in range(random.randint(2, 3))]
    jobs: list[Job] = []
    grey = grey_customer(first) if point == Point.OUTBOX_ADMIN.name else None
    if grey is not None:
        mails.append((mail_of(first + CUSTOMERS_PER_DAY - 1, from_=grey), Wish.CASE))
        jobs.append(lambda: release_grey(installation, grey))
    if point == Point.INBOX_ADMIN.name:
        jobs.append(lambda: retry_report(installation))
    talked_about = [case for case in cases if _is_odd(case) and installation.copies_to(case["requester"])]
    if talked_about:
        answered, asked = random.choice(talked_about), random.choice(talked_about)
        last = installation.copies_to(answered["requester"])[-1]
        mails.append((answer_to(last, first), Wish.ANSWER))
        jobs.append(lambda: ask(installation, asked["ref"]))
    worked_on = [case for case in cases if is_worked_on(case)]
    if worked_on:
        case = random.choice(worked_on)
        work = random.choice([put_off, resolve])
        jobs.append(lambda: work(installation, case["ref"]))
    if cases:
        noted = random.choice(cases)
        jobs.append(lambda: note(installation, noted["ref"], f"note {number}"))
    random.shuffle(mails)
    random.shuffle(jobs)
    return Day(installation, peer, mails, jobs, grey)


def _is_odd(case: Row) -> bool:
    """With customers of odd numbers we talk, the cases of the others are worked on: each has an account of its own."""
    name = str(case["requester"]).partition("@")[0]
    return name.startswith("customer") and int(name.removeprefix("customer")) % 2 == 1


def is_worked_on(case: Row) -> bool:
    """An agent may put it off or resolve it."""
    return not _is_odd(case) and case["status"] in ("to-do", "in-progress")


# ---- what agents do --------------------------------------------------------------------------------------------------


async def ask(installation: Installation, ref: str) -> bool:
    """Asks the customer, and waits for the answer; True when that is done."""
    return await installation.gives("case.reply", ref=ref, text="Since when?", wait="client")


async def put_off(installation: Installation, ref: str) -> bool:
    """Takes a case and lets it wait until tomorrow; True when that is done."""
    await installation.gives("case.take", ref=ref)
    until = installation.now() + timedelta(hours=12)
    return await installation.gives("case.wait", ref=ref, until=until.isoformat())


async def resolve(installation: Installation, ref: str) -> bool:
    """Takes a case and resolves it; True when that is done. Its window ends days later."""
    await installation.gives("case.take", ref=ref)
    return await installation.gives("case.resolve", ref=ref)


async def note(installation: Installation, ref: str, text: str) -> None:
    """Writes a note; a closed case refuses it."""
    installation.ledger.notes[text] = False
    installation.ledger.notes[text] = await installation.gives("case.note", ref=ref, text=text)


async def retry_report(installation: Installation) -> None:
    """Looks at the report that nobody could place once more; nothing comes of it."""
    try:
        for row in await installation.asks("mail.list", outcome="unhandled"):
            await installation.asks("mail.retry", id=row["id"])
    except TransientError:
        return


async def release_grey(installation: Installation, customer: str) -> None:
    """Sends again at once what the customer's provider has put off."""

    async def found() -> list[Any]:
        if installation.has_ended:
            return [None]
        rows = [row for row in await installation.asks("outbox.list") if row["to"] == customer]
        return [row for row in rows if row["state"] not in ("queued", "claimed")]

    try:
        for row in await eventually(found, "a mail that was put off"):
            if row is not None and row["state"] == "deferred":
                await installation.asks("outbox.retry", id=row["id"])
    except TransientError:
        return
