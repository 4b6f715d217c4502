"""How everything stands, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mailcase.core.case import MailboxName, Status
from mailcase.store.rows.outbox import DeliveryState


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingOf:
    """The moments that the numbers are counted by."""

    now: datetime
    #: The first moment of tomorrow, where the operator is.
    tomorrow_at: datetime
    #: What is older than this is not recent.
    recent_since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Some:
    """A number of things, and the time of the oldest of them."""

    count: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The numbers of `mailcase status`."""

    #: Those that occur.
    cases: Mapping[Status, int]
    #: Cases at work whose due date has passed, is later today, or later than that (SL-9).
    past_due_count: int
    due_today_count: int
    due_later_count: int
    #: Windows that have ended by the clock and are not closed, by their ends.
    held_windows: Some
    #: Mail accepted and not handled, by mailbox and arrival.
    backlog: Mapping[MailboxName, Some]
    #: Mail that was set aside, of all times and recently.
    unhandled_count: int
    unhandled_recent_count: int
    parked_count: int
    parked_recent_count: int
    #: Deliveries in each state but `sent` and `cancelled`, those that occur; queued ones without those that are held.
    deliveries: Mapping[DeliveryState, int]
    #: Deliveries of recent mail that failed, or about which nothing is known.
    failed_recent_count: int
    unknown_recent_count: int
    held_deliveries: Some
    #: Deliveries that wait to be sent, by when their mail was written.
    waiting_deliveries: Some
