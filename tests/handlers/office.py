"""A whole installation without sockets: a real store, a stepped clock, mail as bytes, the shell's own desk."""

from __future__ import annotations

import base64
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as default_policy
from email.utils import getaddresses
from pathlib import Path
from textwrap import dedent
from typing import Any

from tests.handlers.reading_here import reads_here

from mailcase.app import App, Ground, World
from mailcase.clock import SteppedClock
from mailcase.config.reader import load
from mailcase.config.settings import Limits, Settings
from mailcase.core.case import Case, MailboxName, MailId, Status, parse_reference, reference
from mailcase.core.evolve import replay
from mailcase.entropy import SeededEntropy
from mailcase.handlers.read import Reader
from mailcase.inbound.protocol import Json, Request
from mailcase.mail.signing import Key, KeyRing
from mailcase.store.rows.cases import CaseBundle, CaseFilter, Role
from mailcase.store.rows.inbox import MailRow, NewMail, Reason
from mailcase.store.rows.mailboxes import MailboxState
from mailcase.store.rows.outbox import DeliveryRow
from mailcase.store.sqlite import SqliteStore
from mailcase.workers.inbox import Reads

#: Monday, 10:00 in Paris.
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SUPPORT = "support@example.org"
SALES = "sales@example.org"
MARIE = "marie@customer.example"
BOB = "bob@elsewhere.example"
ANN = "ann@example.org"
CARL = "carl@example.org"

#: Two desks with one address each are the least in which everything of this part can happen.
SETTINGS = """\
store: mailcase.db
time_zone: Europe/Paris
people:
  ann: {name: Ann Lee, address: ann@example.org, queues: [support], role: leader}
  carl: {name: Carl Roux, address: carl@example.org, queues: [support, sales], language: fr}
queues: {support: {}, sales: {}}
calendars:
  office: {days: mon-fri, hours: "09:00-17:00"}
processes:
  enquiry:
    queue: support
    due: {add: 2 working days, calendar: office, add_wait_time: true}
    feedback_window: 5 days
    wait_reasons: [{name: client, ask: requester}, {name: third party}]
  offer: {queue: sales, feedback_window: 5 days}
mailboxes:
  desk:
    receive: {kind: smtp, listen: "127.0.0.1:2525"}
    addresses:
      support@example.org: {name: Example Support}
      sales@example.org: {name: Example Sales}
    routes:
      - {to: sales@example.org, process: offer}
    fallback: enquiry
"""


def raw_mail(
    from_: str | None = MARIE,
    *,
    to: str = SUPPORT,
    cc: str = "",
    subject: str | None = "My printer smokes",
    text: str = "It smokes and smells.",
    message_id: str | None = None,
    irt: str = "",
    refs: Sequence[str] = (),
    headers: Iterable[tuple[str, str]] = (),
    files: Iterable[tuple[str, bytes]] = (),
) -> bytes:
    """A mail as it stands on the wire; ids are given without their angle brackets, None leaves a header out."""
    fields = [
        ("From", from_),
        ("To", to or None),
        ("Cc", cc or None),
        ("Subject", subject),
        ("Message-ID", f"<{message_id}>" if message_id else None),
        ("In-Reply-To", f"<{irt}>" if irt else None),
        ("References", " ".join(f"<{ref}>" for ref in refs) or None),
        *headers,
    ]
    head = "".join(f"{name}: {value}\r\n" for name, value in fields if value is not None)
    body = text.replace("\n", "\r\n") + "\r\n"
    if not (parts := "".join(_part(name, content) for name, content in files)):
        return f"{head}\r\n{body}".encode()
    kind = 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="cut"\r\n'
    return f"{head}{kind}\r\n--cut\r\nContent-Type: text/plain\r\n\r\n{body}{parts}\r\n--cut--\r\n".encode()


def _part(name: str, content: bytes) -> str:
    encoded = base64.encodebytes(content).decode().replace("\n", "\r\n")
    return (
        f'\r\n--cut\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename="{name}"\r\n'
        f"Content-Transfer-Encoding: base64\r\n\r\n{encoded}"
    )


def bounce_of(
    mail: EmailMessage, recipient: str, *, action: str = "failed", status: str = "5.1.1", original_id: str = ""
) -> bytes:
    """A delivery report (RFC 3464) about a mail of ours."""
    original = original_id or id_of(mail)
    return (
        dedent(f"""\
        From: Mail Delivery System <MAILER-DAEMON@mx.customer.example>
        To: {SUPPORT}
        Subject: Undelivered Mail Returned to Sender
        Message-ID: <report.{action}.{status}.{original}>
        Auto-Submitted: auto-replied
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=delivery-status; boundary="cut"

        --cut
        Content-Type: text/plain

        It could not be delivered.

        --cut
        Content-Type: message/delivery-status

        Reporting-MTA: dns; mx.customer.example

        Final-Recipient: rfc822; {recipient}
        Action: {action}
        Status: {status}

        --cut
        Content-Type: message/rfc822

        Message-ID: <{original}>
        To: {recipient}
        Subject: what we wrote

        --cut--
        """)
        .replace("\n", "\r\n")
        .encode()
    )


def id_of(mail: EmailMessage) -> str:
    """Its Message-ID without brackets."""
    return str(mail["Message-ID"]).strip("<> ")


def ids_in(mail: EmailMessage, header: str) -> list[str]:
    """The ids of In-Reply-To or References, oldest first."""
    return [word.strip("<>") for word in str(mail[header] or "").split()]


def answer_to(
    mail: EmailMessage,
    from_: str = MARIE,
    *,
    text: str = "Here is my answer.",
    to: str | None = None,
    subject: str | None = None,
    **changes: Any,
) -> bytes:
    """What a mail client writes when somebody answers a mail of ours."""
    return raw_mail(
        from_,
        to=to or str(mail["Reply-To"] or mail["From"]),
        subject=subject or f"Re: {mail['Subject']}",
        text=text,
        irt=id_of(mail),
        refs=(*ids_in(mail, "References"), id_of(mail)),
        **changes,
    )


@dataclass
class Office:
    """An installation and what people do with it. Times are told by `clock`, which moves only here."""

    settings: Settings
    app: App
    store: SqliteStore
    clock: SteppedClock
    ring: KeyRing
    #: Mail handed in so far; makes every one a mail of its own to the inbox.
    count: int = 0
    #: Mailboxes whose reading stands still, with the time up to which they were read.
    stuck: dict[str, datetime] = field(default_factory=dict)

    # -- time

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def later(self, **span: float) -> None:
        self.clock.step(timedelta(**span))

    async def ticks(self) -> int:
        """Hands out everything that is due; the number of rounds in which something was."""
        for name in self.settings.mailboxes:
            await self._read_through(name, self.stuck.get(name, self.now))
        rounds = 0
        while await self.app._due_worker().work_once():  # the daemon makes the same one
            rounds += 1
        return rounds

    async def _read_through(self, name: str, at: datetime) -> None:
        state = MailboxState(
            mailbox=MailboxName(name), account=None, read_through_at=at, checked_at=self.now, last_error=None
        )
        await self.store.save_mailbox(state)

    # -- mail in

    async def accepts(
        self,
        raw: bytes,
        *,
        at: datetime | None = None,
        mailbox: str = "desk",
        envelope_to: Sequence[str] = (),
        envelope_from: str | None = None,
    ) -> MailId:
        """C1 alone: the mail is ours and waits to be handled."""
        self.count += 1
        mail = NewMail(
            mailbox=MailboxName(mailbox),
            source=f"imap:INBOX:{id(self)}:{self.count}",
            raw=raw,
            envelope_from=envelope_from,
            envelope_to=tuple(envelope_to),
            arrived_at=at or self.now,
            received_at=self.now,
        )
        return (await self.store.accept([mail]))[0].mail_id

    async def handles(self) -> None:
        """Everything that was accepted comes to its end."""
        worker = self.app._inbox_worker()
        while await worker.work_once():
            pass

    async def receives(
        self,
        raw: bytes,
        *,
        at: datetime | None = None,
        mailbox: str = "desk",
        envelope_to: Sequence[str] = (),
        envelope_from: str | None = None,
    ) -> MailRow:
        """Takes one mail to its end."""
        mail_id = await self.accepts(raw, at=at, mailbox=mailbox, envelope_to=envelope_to, envelope_from=envelope_from)
        await self.handles()
        return await self.mail(mail_id)

    async def receives_together(self, *raws: bytes) -> list[MailRow]:
        """Takes several mails to their end in one batch, in this order."""
        ids = [await self.accepts(raw) for raw in raws]
        await self.handles()
        return [await self.mail(mail_id) for mail_id in ids]

    # -- people

    async def does(self, operation: str, *, as_: str = "ann", blobs: Sequence[bytes] = (), **arguments: Json) -> Json:
        """One operation of the shell. Raises what the desk raises."""
        request = Request(operation=operation, arguments=arguments, as_=as_)
        return (await self.app.desk.answer(request, uid=None, blobs=blobs)).data

    async def resolved_after_wait(self, ref: str = "1001-C") -> None:
        """Brings a waiting case to resolved."""
        await self.does("case.todo", ref=ref)
        await self.resolved(ref)

    async def resolved(self, ref: str = "1001-C") -> None:
        """Brings an open case to resolved."""
        await self.does("case.resolve", ref=ref)

    async def closed(self, ref: str = "1001-C") -> None:
        """Brings an open case to closed: resolved, and the window over."""
        await self.resolved(ref)
        self.later(days=6)
        await self.ticks()
        assert (await self.case(ref)).status is Status.CLOSED

    # -- what came of it

    async def mail(self, mail_id: MailId) -> MailRow:
        """A mail as it ended; its reason is a word of the closed vocabulary, with a detail where it is parked."""
        row = await self.store.mail(mail_id)
        assert row is not None
        if row.reason is not None:
            assert row.reason.partition(": ")[0] in set(Reason)
        return row

    async def bundle(self, ref: str = "1001-C") -> CaseBundle:
        case_id = parse_reference(ref)
        assert case_id is not None
        bundle = await self.store.bundle(case_id)
        assert bundle is not None, f"there is no case {ref}"
        assert replay([recorded.event for recorded in bundle.timeline]) == bundle.case
        return bundle

    async def case(self, ref: str = "1001-C") -> Case:
        return (await self.bundle(ref)).case

    async def refs(self) -> list[str]:
        """All cases there are, in order."""
        bundles = await self.store.list_cases(CaseFilter())
        return [reference(case_id) for case_id in sorted(bundle.case.id for bundle in bundles)]

    async def roles(self, ref: str = "1001-C") -> dict[str, Role]:
        return {party.address: role for party, role in (await self.bundle(ref)).participants}

    async def notes(self, ref: str = "1001-C") -> list[str]:
        """The texts of a case that are not its subject, oldest first."""
        bundle = await self.bundle(ref)
        return [text for text_id, text in sorted(bundle.texts.items()) if text_id != bundle.case.subject]

    async def deliveries(self, address: str | None = None) -> list[DeliveryRow]:
        """Deliveries, oldest first; those to one address when it is given."""
        rows = await self.store.list_deliveries(state=None, limit_count=1000)
        return [row for row in sorted(rows, key=lambda row: row.id) if address in (None, row.address)]

    async def mails_to(self, address: str, notice: str | None = None) -> list[EmailMessage]:
        """What was queued for an address, oldest first; of one kind when it is given."""
        rows = [row for row in await self.deliveries(address) if notice in (None, row.kind)]
        return [await self.written(row) for row in rows]

    async def written(self, row: DeliveryRow) -> EmailMessage:
        """The mail of a delivery, read back by the standard library."""
        raw = await self.store.outgoing_raw(row.outgoing_id)
        assert raw is not None
        return BytesParser(EmailMessage, policy=default_policy).parsebytes(raw)

    async def notices(self) -> list[tuple[str, str]]:
        """(kind, address) of everything queued, oldest first."""
        return [(row.kind, row.address) for row in await self.deliveries()]


#: Opens an office on settings of the test's own.
OfficeOf = Callable[[str], Awaitable[Office]]


def addresses(value: object) -> list[str]:
    """The addresses of an address header."""
    return [address for _, address in getaddresses([str(value or "")])]


def body_of(mail: EmailMessage) -> str:
    """The text part."""
    part = mail.get_body(preferencelist=("plain",))
    assert part is not None
    return str(part.get_content())


def rules(row: MailRow) -> list[tuple[str, str]]:
    """(rule, result) of a mail's trace."""
    return [(step.rule, step.result) for step in row.trace]


_HERE = reads_here()


@asynccontextmanager
async def open_office(
    folder: Path, template: Path, text: str = SETTINGS, *, reads: Callable[[Reader, Limits], Reads] = _HERE
) -> AsyncIterator[Office]:
    """An office in that folder, with the store that is there or a copy of the empty one. `reads` may fail."""
    file = folder / "mailcase.yaml"
    file.write_text(text, encoding="utf-8")
    settings = load(file, environment={}, needs_secrets=False)
    if not settings.store.exists():
        shutil.copy(template, settings.store)
    clock, entropy = SteppedClock(START), SeededEntropy(7)
    ring = KeyRing(keys=(Key(id="aa", secret=b"a" * 32, created_at=START),))
    store = await SqliteStore.open(settings.store, clock=clock)
    world = World(clock=clock, entropy=entropy, reads=reads)
    app = App(settings, world, Ground.over(store, ring, settings.state_folder, world))
    try:
        yield Office(settings=settings, app=app, store=store, clock=clock, ring=ring)
    finally:
        await store.close()
