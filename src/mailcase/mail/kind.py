"""What kind of mail it is, as types; `classify.py` and `bounce.py` decide."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """One word for what a mail is."""

    HUMAN = "human"
    AUTO_REPLY = "auto-reply"
    LIST = "list"
    BOUNCE = "bounce"
    DELAY = "delay"
    RECEIPT = "receipt"
    FEEDBACK_REPORT = "feedback-report"
    CALENDAR = "calendar"
    OWN = "own"
    LOOP = "loop"
    NOTIFICATION = "notification"


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """Two predicates that must not be mixed up, with the headers that decided them (L23)."""

    kind: Kind
    #: A machine wrote it: it changes nothing on a case.
    machine_written: bool
    #: We may answer it automatically.
    may_answer: bool
    #: The headers that decided, e.g. "Auto-Submitted: auto-replied".
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BouncedRecipient:
    """One recipient of a delivery report (RFC 3464)."""

    address: str
    #: Enhanced status such as 5.1.1, "" when the report gives none.
    status: str
    #: failed, delayed, delivered, relayed or expanded, in lower case.
    action: str

    @property
    def is_permanent(self) -> bool:
        """The mail will not arrive: who reports `failed` has given up, also after a 4.x.x (RFC 3464 2.3.3)."""
        return self.action == "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounce:
    """What a delivery report says about one of our mails."""

    recipients: tuple[BouncedRecipient, ...]
    #: Message-ID of the returned mail, without brackets; None when the report does not name it.
    original_message_id: str | None
    #: What the returned mail names as its ancestors, nearest first; our signed case id is among them if it is ours.
    returned_references: tuple[str, ...] = ()
