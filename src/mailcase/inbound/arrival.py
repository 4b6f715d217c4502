"""When a mail that is found in a folder arrived: by that its window is judged (docs/decisions/0002). Pure.

The server's date (INTERNALDATE) says it, and is kept when somebody moves or copies the mail there from another folder,
as it should: whoever wrote it was in time then. But some servers and programs set it to 1970, or to anything, and a
window must not stay open for ever for such a mail. So it counts as no earlier than its topmost Received line says,
which the last server on its way wrote when it had the mail. A mail without one, which no server has carried, counts as
no earlier than the last look that did not find it. No date lies in the future.
"""

from __future__ import annotations

from datetime import datetime

from mailcase.mail import received


def arrived_at(internal_date: datetime | None, raw: bytes, *, now: datetime, not_there_at: datetime | None) -> datetime:
    """`not_there_at`: a time at which the mail was not in the folder; None where that is not known."""
    earliest = received.newest_at(raw) or not_there_at
    said = internal_date or now
    return min(now, said if earliest is None else max(said, earliest))
