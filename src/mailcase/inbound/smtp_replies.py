"""What a listener says to its clients: `4` where they may come again, `5` where something must change (RFC 3463)."""

from __future__ import annotations

TRY_LATER = "451 4.3.0 cannot take the mail now, try again later"
NO_ROOM = "452 4.3.1 no room for the mail now, try again later"
TOO_MANY_SESSIONS = "421 4.7.0 too many connections, try again later"
TOO_MANY_UNKNOWN = "421 4.7.0 too many unknown recipients"
MALFORMED_ADDRESS = "553 5.1.3 malformed address"
UNKNOWN_RECIPIENT = "550 5.1.1 no such mailbox here"
TOO_MANY_RECIPIENTS = "452 4.5.3 too many recipients, send the others in another transaction"
BARE_LINE_END = "550 5.6.11 bare CR or LF is not allowed"
SESSION_OVER = "421 4.4.2 session took too long"
IDLE = "421 4.4.2 idle for too long"
STOPPING = "421 4.3.2 service is stopping"
