"""What one command leads to: the events of one decision, and the case as they leave it.

The rows of the table (table.py) tell the story with these verbs; each keeps the rule it names.
"""

from __future__ import annotations

from datetime import datetime

from mailcase.core import assignment, calendar, sla
from mailcase.core.case import (
    SYSTEM,
    ActorId,
    Attention,
    AttentionCause,
    Case,
    Flag,
    Holder,
    PersonId,
    ReopeningCause,
    Status,
    StatusReason,
    TextId,
    Wait,
)
from mailcase.core.events import (
    AttentionRaised,
    CaseReopened,
    CaseResolved,
    ClockPaused,
    ClockResumed,
    ClockStarted,
    Event,
    FlagCleared,
    FlagRaised,
    HolderChanged,
    StatusChanged,
)
from mailcase.core.evolve import evolve
from mailcase.core.process import Process

READABLE = (Flag.NEW_INFORMATION, Flag.WAIT_ENDED)


class Story:
    """Collects events. `rule` is the row of the table; what follows from another rule says so itself."""

    def __init__(self, process: Process, case: Case, *, at: datetime, by: ActorId, rule: str) -> None:
        self.process = process
        self.case = case
        self.at = at
        self.by = by
        self.rule = rule
        self.events: list[Event] = []

    def record(self, event: Event) -> None:
        """Adds the event and moves the case on."""
        self.events.append(event)
        self.case = evolve(self.case, event)

    def change_status(self, after: Status, reason: StatusReason, wait: Wait | None = None) -> None:
        """ST-7."""
        self.record(
            StatusChanged(
                at=self.at,
                by=self.by,
                rule=self.rule,
                before=self.case.status,
                after=after,
                reason=reason,
                wait=wait,
            )
        )

    def raise_flag(self, flag: Flag) -> None:
        """Sets the flag; nothing to tell where it is set already."""
        if flag not in self.case.flags:
            self.record(FlagRaised(at=self.at, by=self.by, rule=self.rule, flag=flag))

    def clear_flags(self, *flags: Flag, rule: str = "") -> None:
        """Takes away those of the flags that are set, by the row's own rule if no other is given."""
        for flag in self.case.flags:
            if flag in flags:
                self.record(FlagCleared(at=self.at, by=self.by, rule=rule or self.rule, flag=flag))

    def update_by_hand(self) -> None:
        """AS-7: a person's update of the case is the proof that the news has been seen."""
        self.clear_flags(*READABLE, rule="AS-7")

    def raise_attention(self, cause: AttentionCause, text: TextId | None) -> None:
        """T9, T9p, T31. The owner's rights go to whoever owned or had it when the first problem arose (8.36)."""
        holder, earlier = self.case.holder, self.case.attention
        settler = (earlier.settler if earlier else None) or holder.owner or holder.assignee
        attention = Attention(cause=cause, text=text, since=self.at, settler=settler)
        self.record(AttentionRaised(at=self.at, by=self.by, rule=self.rule, attention=attention))

    def resolve(self, method: TextId | None) -> None:
        """T24, T25: the window, if there is one, is fixed now, whatever the process says later."""
        window = self.process.feedback_window
        until: datetime | None = None
        if self.case.status is Status.RESOLVED and window is not None:
            zone = self.process.zone
            until = (
                calendar.add_days(zone, self.at, window.days)
                if window.calendar is None
                else calendar.add_working_days(window.calendar, self.at, window.days, zone)
            )
        self.record(
            CaseResolved(
                at=self.at,
                by=self.by,
                rule=self.rule,
                method=method,
                reason=StatusReason.COMPLETED,
                feedback_until=until,
            )
        )

    def reopen(self, cause: ReopeningCause) -> None:
        """A reopening that a mail caused is by System (ST-22)."""
        by = self.by if cause is ReopeningCause.PERSON else SYSTEM
        self.record(CaseReopened(at=self.at, by=by, rule=self.rule, cause=cause))

    def start_clock(self) -> None:
        """SL-11; without a due rule there is no due date."""
        if self.process.due is not None:
            due_at = sla.first_due(self.process.due, self.process.zone, self.at)
            self.record(ClockStarted(at=self.at, by=SYSTEM, rule="SL-11", due_at=due_at))

    def hand_to(self, holder: Holder, rule: str, note: TextId | None = None) -> None:
        """ST-9: says who has it now, if that is somebody else than before."""
        if holder != self.case.holder:
            self.record(HolderChanged(at=self.at, by=self.by, rule=rule, holder=holder, note=note))

    def take(self, person: PersonId) -> None:
        """The person has it by hand."""
        self.hand_to(assignment.take(self.process, self.case, person), self.rule)

    def give_back(self, rule: str) -> None:
        """Nobody has it."""
        self.hand_to(assignment.give_back(self.process, self.case), rule)

    def place(self, *, is_acknowledgement: bool = False) -> None:
        """AS-1."""
        holder = assignment.place(self.process, self.case, is_acknowledgement=is_acknowledgement)
        self.hand_to(holder, "AS-1")

    def settle_clock(self) -> None:
        """Pauses or resumes the clock as the wait demands (SL-1, SL-4, SL-5).

        A clock that is paused stays so for the whole wait for information, even if the process has changed its mind.
        """
        case = self.case
        if case.paused_remaining is not None:
            if not sla.is_wait_for_information(case):
                due_at = sla.due_after(self.process, case.paused_remaining, self.at, case.hidden_due_at)
                self.record(ClockResumed(at=self.at, by=SYSTEM, rule="SL-5", due_at=due_at))
        elif case.due_at is not None and sla.pauses(self.process, case):
            remaining = sla.remaining_at(self.process, case.due_at, self.at)
            paused = ClockPaused(at=self.at, by=SYSTEM, rule="SL-4", remaining=remaining, due_at=case.due_at)
            self.record(paused)
