"""Stores to test, and things to put into them."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailcase.clock import SystemClock
from mailcase.core.case import (
    SYSTEM,
    Case,
    CaseId,
    Holder,
    Link,
    LinkKind,
    MailboxName,
    MailId,
    Origin,
    OutgoingId,
    PartyId,
    PersonId,
    ProcessName,
    QueueName,
    Status,
    StatusReason,
    TextId,
)
from mailcase.core.events import CaseOpened, Event, NoteAdded
from mailcase.core.process import Notice
from mailcase.store.port import Hook, Store
from mailcase.store.rows.cases import SavedCase, Text
from mailcase.store.rows.changes import Changes
from mailcase.store.rows.inbox import MailOutcome, NewMail, Outcome, TraceStep
from mailcase.store.rows.outbox import DeliveryId, NewDelivery, OutgoingMail
from mailcase.store.sqlite import SqliteStore

DESK = MailboxName("desk")
ENQUIRY = ProcessName("enquiry")

OpenStore = Callable[..., Awaitable[Store]]


@dataclass(frozen=True)
class Samples:
    """Rows that are right in all that a test does not care about. Time starts at `start` and is told in minutes."""

    start: datetime = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def at(self, minutes: float) -> datetime:
        return self.start + timedelta(minutes=minutes)

    def mail(self, number: int, *, raw: bytes | None = None, minutes: float | None = None) -> NewMail:
        at = self.at(number if minutes is None else minutes)
        return NewMail(
            mailbox=DESK,
            source=f"imap:INBOX:1:{number}",
            raw=b"Subject: %d\r\n\r\nhello\r\n" % number if raw is None else raw,
            envelope_from="bob@example.net",
            envelope_to=("desk@example.org",),
            arrived_at=at,
            received_at=at,
        )

    def case(self, number: int, *, version: int = 1, status: Status = Status.TO_DO) -> Case:
        return Case(
            id=CaseId(number),
            process=ENQUIRY,
            origin=Origin.EMAIL,
            created_at=self.start,
            version=version,
            last_event_at=self.at(version),
            subject=TextId(number),
            requester=None,
            original_requester=None,
            address="desk@example.org",
            mailboxes=(DESK,),
            started_by=SYSTEM,
            status=status,
            status_reason=StatusReason.NEWLY_CREATED,
            status_set_by=SYSTEM,
            status_set_at=self.start,
            holder=Holder(queue=QueueName("support")),
        )

    def held_by(self, case: Case, person: str) -> Case:
        return replace(case, holder=replace(case.holder, assignee=PersonId(person)))

    def owned_by(self, case: Case, person: str) -> Case:
        return replace(case, holder=replace(case.holder, owner=PersonId(person)))

    def asked_by(self, case: Case, party: int) -> Case:
        return replace(case, requester=PartyId(party), original_requester=PartyId(party))

    def continuing(self, case: Case, closed: int) -> Case:
        return replace(case, links=(Link(kind=LinkKind.CONTINUES, other=CaseId(closed)),))

    def opened(self, case: Case) -> CaseOpened:
        return CaseOpened(
            at=self.start,
            by=SYSTEM,
            rule="T3",
            case_id=case.id,
            process=case.process,
            origin=case.origin,
            status=Status.TO_DO,
            subject=case.subject,
            requester=case.requester,
            mail=None,
            mailbox=DESK,
            address=case.address,
            acknowledge=True,
        )

    def noted(self, text: int) -> NoteAdded:
        return NoteAdded(at=self.start, by=SYSTEM, rule="note", text=TextId(text))

    def saved(
        self, case: Case, *, loaded_version: int = 0, wake: float | None = None, window: float | None = None
    ) -> SavedCase:
        events: tuple[Event, ...] = (self.opened(case),) if loaded_version == 0 else (self.noted(1),)
        return SavedCase(
            case=case,
            loaded_version=loaded_version,
            events=events,
            wake_at=None if wake is None else self.at(wake),
            window_at=None if window is None else self.at(window),
        )

    def new_case(self, number: int, *, wake: float | None = None, window: float | None = None) -> Changes:
        """A whole new case with its subject."""
        case = self.case(number)
        return Changes(
            cases=(self.saved(case, wake=wake, window=window),),
            texts=(Text(id=case.subject, case_id=case.id, text=f"subject of {number}"),),
        )

    def ended(self, mail_id: int, *, outcome: Outcome = Outcome.NEW_CASE, cases: tuple[int, ...] = ()) -> MailOutcome:
        return MailOutcome(
            mail_id=MailId(mail_id),
            outcome=outcome,
            reason="the first rule",
            kind="ordinary",
            message_id=f"m{mail_id}@example.net",
            from_address="bob@example.net",
            subject="hello",
            trace=(TraceStep(rule="EM-10", evidence="References", result="no match"),),
            case_ids=tuple(CaseId(number) for number in cases),
            handled_at=self.at(60),
        )

    def outgoing(self, number: int, case: int, *addresses: str, held: bool = False) -> OutgoingMail:
        """A mail whose deliveries are numbered from ten times its own number."""
        return OutgoingMail(
            id=OutgoingId(number),
            case_id=CaseId(case),
            kind=Notice.ACKNOWLEDGEMENT,
            message_id=f"out{number}@desk.example.org",
            envelope_from="desk@example.org",
            raw=b"Subject: out %d\r\n\r\n" % number,
            created_at=self.at(number),
            deliveries=tuple(
                NewDelivery(id=DeliveryId(number * 10 + place), address=address)
                for place, address in enumerate(addresses or ("bob@example.net",))
            ),
            is_held=held,
        )


@pytest.fixture
def samples() -> Samples:
    return Samples()


@pytest.fixture
def database(empty_store: Path, tmp_path: Path) -> Path:
    """The file of this test's store."""
    path = tmp_path / "mailcase.db"
    shutil.copy(empty_store, path)
    return path


@pytest.fixture
async def open_store(database: Path) -> AsyncIterator[OpenStore]:
    """Opens this test's store; called again after `close`, it finds what was committed. The one place that knows
    which filler of the port is tested.
    """
    async with AsyncExitStack() as opened:

        async def open_it(hook: Hook | None = None) -> Store:
            store = await SqliteStore.open(database, clock=SystemClock(), hook=hook, busy_timeout=timedelta(0))
            opened.push_async_callback(store.close)
            return store

        yield open_it


@pytest.fixture
async def store(open_store: OpenStore) -> Store:
    return await open_store()
