"""What a running daemon knows of itself, for `mailcase status`; empty where no daemon runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from mailcase.core.case import MailboxName
from mailcase.inbound.free_space import Shortage


@dataclass(slots=True)
class Vitals:
    """Kept by the daemon, read by the desk."""

    #: None: no daemon runs.
    started_at: datetime | None = None
    #: When the configuration in force was read.
    configured_at: datetime | None = None
    #: Why the configuration that was to be loaded last is not in force; empty when it is.
    reload_problems: tuple[str, ...] = ()
    #: The listeners that take connections.
    listening: set[MailboxName] = field(default_factory=set)
    #: Says whether the disk is too full to take mail.
    shortage: Callable[[], Shortage | None] = lambda: None
