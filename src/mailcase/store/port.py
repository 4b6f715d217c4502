"""The port to the database: one method per commit of the path (docs/decisions/0014), and the reads; a protocol for
each who asks. Its rows are in `rows`.

Every method may raise `StoreUnavailable`; then nothing of it was kept. Every read of several rows has an order. Ids are
given by `Ids`, before the commit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from mailcase.core.case import Case, CaseId, MailboxName, MailId, OutgoingId, PartyId, TextId
from mailcase.store.rows.cases import CaseBundle, CaseFilter
from mailcase.store.rows.changes import Changes, Recovered
from mailcase.store.rows.inbox import Accepted, ClaimedMail, MailFilter, MailRow, NewMail, Outcome
from mailcase.store.rows.lookup import Known, Wanted
from mailcase.store.rows.mailboxes import FolderState, MailboxState
from mailcase.store.rows.outbox import ClaimedOutgoing, DeliveryId, DeliveryRow
from mailcase.store.rows.standing import Standing, StandingOf


class Point(StrEnum):
    """Names of the commits; `hooks` run before and after each, and crash tests kill the daemon there."""

    ACCEPT = "C1-accept"
    CLAIM_INBOX = "C2-claim-inbox"
    SAVE_MAIL = "C3-save-mail"
    CLAIM_OUTBOX = "C4-claim-outbox"
    JOURNAL = "J-journal"
    SETTLE = "C5-settle"
    COMMAND = "command"
    TICK = "tick"
    MAILBOX = "mailbox"
    RECOVER = "recover"
    OUTBOX_ADMIN = "outbox-admin"
    INBOX_ADMIN = "inbox-admin"


class Hook(Protocol):
    """Called on the database thread around each commit; raising or dying there is what crash tests do."""

    def __call__(self, point: Point, when: str) -> None:
        """`when` is "before" or "after"."""
        ...


class Ids(Protocol):
    """Gives the next number of each kind; never the same twice. Gaps are allowed."""

    def case(self) -> CaseId: ...
    def text(self) -> TextId: ...
    def party(self) -> PartyId: ...
    def outgoing(self) -> OutgoingId: ...
    def delivery(self) -> DeliveryId: ...


class Saving(Protocol):
    """C3, commands, ticks, C5: whatever one stimulus changes."""

    async def save(self, point: Point, changes: Changes, *, now: datetime) -> None:
        """Saves everything in one commit. `now` becomes recorded_at.

        Raises:
            Conflict: a case has another version than `loaded_version`, an anchor or unit was taken meanwhile, or a mail
                has ended already.
            PermanentError: the changes do not fit together, e.g. an event of a case that does not exist.

        """
        ...


class Cases(Saving, Protocol):
    """What a stimulus is decided on; for the handlers."""

    @property
    def ids(self) -> Ids: ...

    @property
    def ran_until(self) -> datetime | None:
        """What happened until then may have been answered by a daemon whose store is lost (docs/decisions/0011); None
        when the store was never restored.
        """
        ...

    async def look_up(self, wanted: Wanted) -> Known: ...


class Mailboxes(Protocol):
    """C1, and how far each mailbox has been read; for what takes mail in."""

    async def accept(self, mails: Sequence[NewMail], *, folder: FolderState | None = None) -> tuple[Accepted, ...]:
        """Commits mails, and how far the folder has been read; answers in the order given. Known ones change nothing.

        A mail that came before the start and has no bytes (`raw` is b"") is recorded without any.
        """
        ...

    async def folder_states(self, mailbox: MailboxName) -> tuple[FolderState, ...]: ...
    async def save_mailbox(self, state: MailboxState) -> None: ...
    async def mailbox_states(self) -> Mapping[MailboxName, MailboxState]: ...

    async def knows_content(self, mailbox: MailboxName, sha256: Sequence[str]) -> frozenset[str]:
        """Those of the hex digests of raw bytes that this mailbox has a row for (UIDVALIDITY changed)."""
        ...

    async def outcomes_of(self, mailbox: MailboxName, sources: Sequence[str]) -> Mapping[str, Outcome]:
        """Those of the sources that this mailbox has a row for, with what became of each (unacknowledged mail is found
        again by a look at the whole folder, and must be told from mail that is new).
        """
        ...

    async def oldest_pending_at(self) -> datetime | None:
        """The earliest arrival among the mails without an outcome, claimed or not; None when there are none. Windows
        wait for them: a mail that is ours but not handled yet may still answer what a window is about to close.
        """
        ...


class Inbox(Saving, Protocol):
    """C2: mail to be handled; for its worker."""

    async def claim_inbox(
        self, *, now: datetime, limit_count: int, limit_bytes: int, lease_until: datetime
    ) -> tuple[ClaimedMail, ...]:
        """Claims pending mails: in order of arrival within one mailbox, a batch shared among all that have some (R18).
        Mails never tried come in batches; one that was tried before comes alone (docs/decisions/0014). Counts the
        attempt in the same commit.
        """
        ...

    async def release_inbox(self, mail_ids: Sequence[MailId], *, attempt_counts: bool) -> None:
        """Gives claimed mails back; `attempt_counts=False` (a clean stop) takes the attempt back too."""
        ...


class Timetable(Protocol):
    """When time changes a case; for the worker of due cases, and for a change of the process file."""

    async def due_cases(
        self, *, now: datetime, windows_through: datetime | None, limit_count: int, after: CaseId | None = None
    ) -> tuple[Case, ...]:
        """Cases with wake_at <= now, or window_at <= windows_through (None: no window), earliest first.

        `after` skips a case that could not be handled and all that stand before it; it means nothing once that case is
        not due any more.
        """
        ...

    async def next_wake(self) -> tuple[datetime | None, datetime | None]:
        """The least wake_at and the least window_at of all cases."""
        ...

    async def held_windows(self, *, now: datetime) -> tuple[tuple[CaseId, datetime], ...]:
        """Cases whose window has ended by the clock and is not closed yet."""
        ...

    async def open_cases(self, *, after: CaseId | None, limit_count: int) -> tuple[Case, ...]:
        """Cases that are not closed, by id; for computing deadlines anew after a change of the process file."""
        ...

    async def save_deadlines(self, deadlines: Sequence[tuple[CaseId, int, datetime | None, datetime | None]]) -> None:
        """Sets (case, version, wake_at, window_at) where the version still holds."""
        ...

    async def processes_in_use(self) -> Mapping[str, int]:
        """Number of cases that are not closed, per process name."""
        ...


class Outbox(Saving, Protocol):
    """C4 and J: mail to be sent; for its workers."""

    async def claim_outbox(
        self, *, now: datetime, limit_count: int, lease_until: datetime, holds_others: bool = False
    ) -> tuple[ClaimedOutgoing, ...]:
        """Claims due deliveries, oldest first; never one while an earlier one of the same case and recipient is queued,
        claimed or deferred. `limit_count` counts mails; those recipients of a mail that are due are claimed together.

        `holds_others` claims only what `retry_deliveries` has released; whatever else waits is held from then on.
        """
        ...

    async def journal(self, delivery_ids: Sequence[DeliveryId], *, now: datetime) -> None:
        """Records that an attempt begins, just before the mail's DATA (L32).

        Raises Conflict when one of them is not claimed any more, or has begun already: then nothing may be sent.
        """
        ...

    async def bring_forward(self, *, now: datetime, retry_for: timedelta) -> int:
        """Makes deliveries due that a clock which was ahead has put off; tells how many (R14)."""
        ...

    async def next_delivery_at(self) -> datetime | None:
        """When the earliest queued or deferred delivery is due; None when there is none."""
        ...


class Records(Protocol):
    """What an operator looks at and changes by hand; for the desk."""

    @property
    def revision(self) -> str:
        """The revision of the tables."""
        ...

    async def mailbox_states(self) -> Mapping[MailboxName, MailboxState]: ...
    async def pending_count(self) -> int: ...

    async def standing(self, of: StandingOf) -> Standing:
        """How everything stands, in numbers of one moment."""
        ...

    async def bundle(self, case_id: CaseId) -> CaseBundle | None: ...

    async def list_cases(self, wanted: CaseFilter) -> tuple[CaseBundle, ...]:
        """Newest change first; timelines, mail ids and message ids left empty."""
        ...

    async def count_cases(self, wanted: CaseFilter) -> int:
        """How many cases the list has without its limit."""
        ...

    async def list_mails(self, wanted: MailFilter, *, limit_count: int) -> tuple[MailRow, ...]:
        """Newest receipt first."""
        ...

    async def count_mails(self, wanted: MailFilter) -> int: ...

    async def mail(self, mail_id: MailId) -> MailRow | None: ...

    async def find_mail(self, message_id: str) -> MailRow | None:
        """The newest mail with that Message-ID (without brackets)."""
        ...

    async def raw(self, mail_id: MailId) -> bytes | None: ...

    async def retry_mail(self, mail_id: MailId) -> bool:
        """Puts a parked or unhandled mail back to pending with no attempts; False when it is neither, or was kept
        without its bytes.
        """
        ...

    async def list_deliveries(
        self, *, state: str | None, limit_count: int, after: DeliveryId | None = None
    ) -> tuple[DeliveryRow, ...]:
        """Newest first; `state` is a `DeliveryChoice`."""
        ...

    async def count_deliveries(self, *, state: str | None, after: DeliveryId | None = None) -> int: ...
    async def delivery(self, delivery_id: DeliveryId) -> DeliveryRow | None: ...
    async def outgoing_raw(self, outgoing_id: OutgoingId) -> bytes | None: ...
    async def deliveries_of(self, case_id: CaseId) -> tuple[DeliveryRow, ...]: ...

    async def delivery_ids(self, choice: str) -> tuple[DeliveryId, ...]:
        """All deliveries of a `DeliveryChoice`, oldest first."""
        ...

    async def retry_deliveries(self, delivery_ids: Sequence[DeliveryId], *, now: datetime) -> tuple[DeliveryId, ...]:
        """Queues those that are deferred, failed, unknown, cancelled, held or queued without ever having been released,
        for now; returns them. They go out even while others are held.
        """
        ...

    async def cancel_deliveries(self, delivery_ids: Sequence[DeliveryId]) -> tuple[DeliveryId, ...]:
        """Cancels those that are queued, held or deferred; returns them."""
        ...


class Store(Cases, Mailboxes, Inbox, Timetable, Outbox, Records, Protocol):
    """Everything, for those who open the store and start the rest."""

    async def close(self) -> None: ...

    async def threads_answer(self) -> None:
        """Returns when what was asked of the store before has come to an end, whatever end: a sign of life."""
        ...

    async def recover(self) -> Recovered:
        """Voids the claims of an earlier life; attempts stay counted. Called once at start, before any loop.

        An interrupted delivery is answered again at the next start, until a `DeliveryResult` was saved for it.
        """
        ...
