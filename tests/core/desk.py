"""A process, its people and a desk with a stepped clock, for the tests of the core."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from mailcase.core import engine
from mailcase.core.case import (
    SYSTEM,
    ActorId,
    Case,
    CaseId,
    Holder,
    MailboxName,
    MailId,
    Origin,
    OutgoingId,
    PartyId,
    PersonId,
    ProcessName,
    QueueName,
    TextId,
    WaitType,
)
from mailcase.core.commands import (
    Command,
    OpenCase,
    ReceiveMail,
    Resolve,
    StartWait,
    Submit,
    Take,
    Tick,
)
from mailcase.core.deadlines import next_deadline
from mailcase.core.effects import Effect
from mailcase.core.events import Event
from mailcase.core.process import (
    DueRule,
    FeedbackWindow,
    Notice,
    Person,
    Process,
    Span,
    SpanUnit,
    WaitReason,
)
from mailcase.core.refusal import Refused

#: People are asked for both as those who act and as those who have a case.
ANN: Any = "ann"
BOB: Any = "bob"
#: Worked here once.
OLD: Any = "old"
#: Nobody of the process.
ZOE: Any = "zoe"

SUPPORT = QueueName("support")
CLIENT = WaitReason(name="client", asks_requester=True)
THIRD_PARTY = WaitReason(name="third party")

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

PROCESS = Process(
    name=ProcessName("support"),
    queue=SUPPORT,
    zone=ZoneInfo("Europe/Paris"),
    people=(
        Person(id=PersonId(ANN), queues=frozenset({SUPPORT}), is_leader=True),
        Person(id=PersonId(BOB), queues=frozenset({SUPPORT})),
        Person(id=PersonId(OLD), queues=frozenset({SUPPORT}), is_retired=True),
    ),
    due=DueRule(add=Span(amount=8, unit=SpanUnit.HOURS), add_wait_time=True),
    feedback_window=FeedbackWindow(days=5),
    wait_reasons=(CLIENT, THIRD_PARTY),
    notices=frozenset(Notice),
)
NO_WINDOW = replace(PROCESS, feedback_window=None)


def holder(assignee: ActorId | None = None, owner: ActorId | None = None, *, queue: bool = False) -> tuple[Any, ...]:
    """Assignee, owner and queue as `who` gives them."""
    return (assignee, owner, SUPPORT if queue else None)


def who(case: Case) -> tuple[Any, ...]:
    """Who has it, without how they came to have it."""
    held: Holder = case.holder
    return (held.assignee, held.owner, held.queue)


class Desk:
    """One case, played command by command; keeps its timeline and what went out."""

    def __init__(self, process: Process = PROCESS) -> None:
        self.process = process
        self.now = START
        self.timeline: list[Event] = []
        self.notices: list[Effect] = []
        self.opened: Case | None = None

    @property
    def case(self) -> Case:
        """The case as it stands."""
        assert self.opened is not None
        return self.opened

    def command(self, kind: type[Any], by: ActorId = ANN, **details: Any) -> Command:
        """The command as of now."""
        command: Command = kind(at=self.now, by=by, **details)
        return command

    def ask(self, kind: type[Any], by: ActorId = ANN, **details: Any) -> tuple[Event, ...] | Refused:
        """Gives the command now; keeps what it led to."""
        answer = engine.decide(self.process, self.opened, self.command(kind, by, **details))
        if isinstance(answer, Refused):
            return answer
        before = self.opened
        for event in answer:
            self.opened = engine.evolve(self.opened, event)
        self.timeline += answer
        self.notices = list(engine.react(self.process, before, answer, self.case)) if answer else []
        return answer

    def do(self, kind: type[Any], by: ActorId = ANN, **details: Any) -> tuple[Event, ...]:
        """Gives a command that must be accepted."""
        answer = self.ask(kind, by, **details)
        assert not isinstance(answer, Refused), answer
        return answer

    def refused(self, kind: type[Any], by: ActorId = ANN, **details: Any) -> Refused:
        """Gives a command that must be refused, and must then have changed nothing."""
        before = self.opened
        answer = self.ask(kind, by, **details)
        assert isinstance(answer, Refused), answer
        assert self.opened == before
        return answer

    def open_from_mail(self, **details: Any) -> tuple[Event, ...]:
        """T3."""
        given: dict[str, Any] = {
            "case_id": CaseId(7),
            "origin": Origin.EMAIL,
            "subject": TextId(1),
            "requester": PartyId(1),
            "mail": MailId(1),
            "mailbox": MailboxName("support"),
            "address": "support@example.org",
        }
        return self.do(OpenCase, SYSTEM, **(given | details))

    def open_by_hand(self, by: ActorId = ANN, **details: Any) -> tuple[Event, ...]:
        """T1."""
        given: dict[str, Any] = {"case_id": CaseId(7), "origin": Origin.MANUAL, "subject": TextId(1)}
        return self.do(OpenCase, by, **(given | details))

    def mail(self, arrived_at: datetime | None = None) -> tuple[Event, ...] | Refused:
        """The customer writes; the mail arrived now unless said otherwise."""
        return self.ask(
            ReceiveMail,
            SYSTEM,
            mail=MailId(2),
            party=PartyId(1),
            mailbox=MailboxName("support"),
            arrived_at=arrived_at or self.now,
        )

    def tick(self, read_through_at: datetime | None = None, *, late_by: timedelta = timedelta(0)) -> tuple[Event, ...]:
        """Time is looked at once, in time and with all mail read unless said otherwise."""
        return self.do(Tick, SYSTEM, now=self.now + late_by, read_through_at=read_through_at or self.now)

    def wait_for(self, span: timedelta) -> None:
        """The clock goes on by that much; whatever comes due on the way happens in order, each at its time."""
        end = self.now + span
        while (deadline := next_deadline(self.process, self.case, end, end, now=self.now)) is not None:
            self.now = max(deadline.at, self.case.last_event_at)
            self.tick()
        self.now = end


def draft(process: Process = PROCESS) -> Desk:
    """Ann's draft."""
    desk = Desk(process)
    desk.open_by_hand()
    return desk


def submitted(process: Process = PROCESS) -> Desk:
    """To do, in Ann's ownership and free to take; nothing is highlighted."""
    desk = draft(process)
    desk.do(Submit)
    return desk


def mailed(process: Process = PROCESS) -> Desk:
    """To do, from a mail that nobody has read."""
    desk = Desk(process)
    desk.open_from_mail()
    return desk


def in_progress(process: Process = PROCESS, by: ActorId = ANN) -> Desk:
    """In the hands of Ann."""
    desk = mailed(process)
    desk.do(Take, by)
    return desk


def waiting(wait: WaitType, process: Process = PROCESS) -> Desk:
    """Ann set it waiting: for the client, for two days, or on hold."""
    desk = in_progress(process)
    desk.do(StartWait, **details(wait, desk.now))
    return desk


def details(wait: WaitType, now: datetime) -> dict[str, Any]:
    """What a valid wait of that type needs."""
    shapes: dict[WaitType, dict[str, Any]] = {
        WaitType.MORE_INFO: {"type": wait, "reason": CLIENT.name},
        WaitType.UNTIL: {"type": wait, "until": now + 2 * DAY},
        WaitType.ON_HOLD: {"type": wait},
    }
    return shapes[wait]


def resolved(process: Process = PROCESS) -> Desk:
    """Ann resolved it."""
    desk = in_progress(process)
    desk.do(Resolve, method=TextId(9))
    return desk


def closed(process: Process = NO_WINDOW) -> Desk:
    """Resolved for good."""
    return resolved(process)


def outgoing() -> OutgoingId:
    """A mail of ours."""
    return OutgoingId(5)
