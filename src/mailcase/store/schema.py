"""Every table, once. Used by the migrations and by the tests; the running daemon never imports it.

Times are microseconds since 1970 UTC, lists are JSON text. Big columns stand last, so that a scan of the small ones
does not read them. What must never break is a constraint here, not a hope in the code.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: SQLite numbers rows by itself only where the type is exactly INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")
Time = BigInteger


def _where(name: str, table_columns: tuple[Column[int], ...], condition: str) -> Index:
    return Index(name, *table_columns, sqlite_where=text(condition), postgresql_where=text(condition))


# ---- mail that came in

raw_mail = Table(
    "raw_mail",
    metadata,
    # Hex digest of the bytes; the same bytes twice are one row.
    Column("sha256", Text, primary_key=True),
    Column("raw", LargeBinary, nullable=False),
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("mailbox", Text, nullable=False),
    Column("source", Text, nullable=False),
    # NULL for mail that was only recorded (before-start).
    Column("sha256", Text, ForeignKey("raw_mail.sha256")),
    Column("size_bytes", Integer, nullable=False),
    Column("envelope_from", Text),
    Column("envelope_to", Text, nullable=False),
    Column("arrived_at", Time, nullable=False),
    Column("received_at", Time, nullable=False),
    Column("attempts", Integer, nullable=False),
    # End of the lease; set exactly while claimed.
    Column("claimed_until", Time),
    Column("outcome", Text, nullable=False),
    Column("reason", Text),
    Column("kind", Text),
    Column("message_id", Text),
    Column("from_address", Text),
    Column("subject", Text),
    Column("handled_at", Time),
    Column("trace", Text, nullable=False),
    UniqueConstraint("mailbox", "source"),
    CheckConstraint("sha256 IS NOT NULL OR outcome = 'before-start'", name="has_bytes"),
)
_where("ix_inbox_pending", (inbox.c.mailbox, inbox.c.arrived_at, inbox.c.id), "outcome = 'pending'")
Index(None, inbox.c.sha256, inbox.c.mailbox)
_where("ix_inbox_message_id", (inbox.c.message_id,), "message_id IS NOT NULL")
Index(None, inbox.c.received_at, inbox.c.id)
Index(None, inbox.c.outcome, inbox.c.received_at, inbox.c.id)

mailbox_state = Table(
    "mailbox_state",
    metadata,
    Column("mailbox", Text, primary_key=True),
    Column("account", Text),
    Column("read_through_at", Time),
    Column("checked_at", Time),
    Column("last_error", Text),
)

folder_state = Table(
    "folder_state",
    metadata,
    Column("mailbox", Text, primary_key=True),
    Column("folder", Text, primary_key=True),
    Column("uidvalidity", BigInteger, nullable=False),
    Column("last_uid", BigInteger, nullable=False),
    Column("started_at", Time, nullable=False),
)

# One row per restore from a backup.
restores = Table(
    "restores",
    metadata,
    Column("restored_at", Time, primary_key=True, autoincrement=False),
    Column("backup_at", Time, nullable=False),
    # The daemon before may have worked until then: our mail about that time may have gone out already.
    Column("ran_until", Time, nullable=False),
    # Numbers of cases up to this one may have been given.
    Column("cases_after", Id, nullable=False),
)

# ---- cases

cases = Table(
    "cases",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("process", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("queue", Text),
    Column("assignee", Text),
    Column("owner", Text),
    Column("requester_id", Id),
    Column("subject_id", Id, nullable=False),
    Column("is_highlighted", Boolean, nullable=False),
    Column("is_in_inbox", Boolean, nullable=False),
    Column("is_owned", Boolean, nullable=False),
    Column("due_at", Time),
    Column("wake_at", Time),
    Column("window_at", Time),
    Column("updated_at", Time, nullable=False),
    # The case whole; the columns above repeat what queries need.
    Column("state", Text, nullable=False),
)
_where("ix_cases_wake_at", (cases.c.wake_at, cases.c.id), "wake_at IS NOT NULL")
_where("ix_cases_window_at", (cases.c.window_at, cases.c.id), "window_at IS NOT NULL")
_where("ix_cases_open", (cases.c.process, cases.c.id), "status <> 'closed'")
_where("ix_cases_due_at", (cases.c.status, cases.c.due_at), "due_at IS NOT NULL")
Index(None, cases.c.updated_at, cases.c.id)
Index(None, cases.c.status, cases.c.updated_at, cases.c.id)
Index(None, cases.c.queue, cases.c.updated_at, cases.c.id)
_where("ix_cases_assignee", (cases.c.assignee, cases.c.updated_at, cases.c.id), "assignee IS NOT NULL")
_where("ix_cases_owner", (cases.c.owner, cases.c.updated_at, cases.c.id), "owner IS NOT NULL")
_where("ix_cases_requester", (cases.c.requester_id, cases.c.updated_at, cases.c.id), "requester_id IS NOT NULL")
_where("ix_cases_in_inbox", (cases.c.updated_at, cases.c.id), "is_in_inbox")
_where("ix_cases_owned", (cases.c.updated_at, cases.c.id), "is_owned")

events = Table(
    "events",
    metadata,
    Column("case_id", Id, ForeignKey("cases.id"), primary_key=True, autoincrement=False),
    # From 1; the newest is the version of the case.
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("recorded_at", Time, nullable=False),
    Column("event", Text, nullable=False),
)

texts = Table(
    "texts",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("case_id", Id, ForeignKey("cases.id"), nullable=False),
    Column("text", Text, nullable=False),
    Index(None, "case_id"),
)

parties = Table(
    "parties",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("address", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
)

participants = Table(
    "participants",
    metadata,
    Column("case_id", Id, ForeignKey("cases.id"), primary_key=True, autoincrement=False),
    Column("party_id", Id, ForeignKey("parties.id"), primary_key=True, autoincrement=False),
    Column("role", Text, nullable=False),
    Index(None, "party_id"),
)

# The links of the cases, to be found from the other side.
links = Table(
    "links",
    metadata,
    Column("other_id", Id, primary_key=True, autoincrement=False),
    Column("case_id", Id, ForeignKey("cases.id"), primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    Index(None, "case_id"),
)

# ---- what ties mail to cases

anchors = Table(
    "anchors",
    metadata,
    # In order of first sight.
    Column("id", Id, primary_key=True),
    Column("message_id", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("case_id", Id, ForeignKey("cases.id"), nullable=False),
    Column("is_seen", Boolean, nullable=False),
    Column("is_shared", Boolean, nullable=False),
    UniqueConstraint("message_id", "address"),
)
Index(None, anchors.c.case_id, anchors.c.id)

taken = Table(
    "taken",
    metadata,
    Column("fingerprint", Text, primary_key=True),
    Column("address", Text, primary_key=True),
    Column("mail_id", Id, ForeignKey("inbox.id"), nullable=False),
    Column("case_id", Id, ForeignKey("cases.id")),
    Index(None, "mail_id"),
    Index(None, "case_id"),
)

mail_cases = Table(
    "mail_cases",
    metadata,
    Column("mail_id", Id, ForeignKey("inbox.id"), primary_key=True, autoincrement=False),
    Column("case_id", Id, ForeignKey("cases.id"), primary_key=True, autoincrement=False),
    Index(None, "case_id"),
)

# ---- mail of ours

outgoing = Table(
    "outgoing",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("case_id", Id, ForeignKey("cases.id"), nullable=False),
    # A notice, or what a person wrote: `core.process.OutgoingKind`.
    Column("kind", Text, nullable=False),
    Column("message_id", Text, nullable=False, unique=True),
    Column("envelope_from", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Index(None, "case_id"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("outgoing_id", Id, ForeignKey("outgoing.id"), nullable=False),
    # Repeated from the mail, for the order within a case.
    Column("case_id", Id, ForeignKey("cases.id"), nullable=False),
    Column("address", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("is_held", Boolean, nullable=False),
    # Set by an operator, for good: it goes out although everything else is held.
    Column("is_released", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    # Not before; NULL once nothing is to be tried any more.
    Column("next_at", Time),
    # End of the lease; set exactly while claimed.
    Column("claimed_until", Time),
    # Set from just before DATA until the result is saved.
    Column("journaled_at", Time),
    Column("last_reply", Text),
    Index(None, "outgoing_id"),
    Index(None, "case_id"),
    Index(None, "state", "id"),
)
_where("ix_deliveries_due", (deliveries.c.next_at, deliveries.c.id), "state IN ('queued', 'deferred')")
_where(
    "ix_deliveries_line",
    (deliveries.c.case_id, deliveries.c.address, deliveries.c.id),
    "state IN ('queued', 'claimed', 'deferred')",
)
_where("ix_deliveries_journaled", (deliveries.c.id,), "journaled_at IS NOT NULL")
