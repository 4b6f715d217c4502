"""What stands in for the daemon behind its socket: a scripted answer, and the objects it answers with."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mailcase.inbound.control import Json, Request, Response

CONFIG = """\
store: var/mailcase.db
time_zone: Europe/Paris
people:
  ann: {{name: Ann Lee, address: ann@example.org, login: {login}, queues: [support]}}
  bob: {{name: Bob Martin, address: bob@example.org, queues: [support]}}
queues:
  support: {{}}
processes:
  enquiry: {{feedback_window: 5 days}}
mailboxes:
  desk:
    receive: {{kind: smtp, listen: "127.0.0.1:{port}"}}
    addresses:
      support@example.org: {{name: Example Support}}
    fallback: enquiry
"""


def login() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


def write_config(folder: Path, *, login: str = "", port: int = 2525, more: str = "") -> Path:
    path = folder / "config.yaml"
    path.write_text(CONFIG.format(login=login or "nobody-of-this-name", port=port) + more)
    return path


@dataclass
class ScriptedDaemon:
    """Answers what it is told to and keeps what it was asked. Lives in a thread, as a daemon lives in a process."""

    response: Response | Callable[[Request], Response] = field(default_factory=Response)
    asked: list[Request] = field(default_factory=list)
    blobs: list[tuple[bytes, ...]] = field(default_factory=list)

    async def __call__(self, request: Request, *, uid: int | None, blobs: Sequence[bytes]) -> Response:
        self.asked.append(request)
        self.blobs.append(tuple(blobs))
        return self.response(request) if callable(self.response) else self.response

    @property
    def request(self) -> Request:
        """The only thing it was asked."""
        (request,) = self.asked
        return request


CASE: dict[str, Json] = {
    "ref": "1042-C",
    "status": "waiting",
    "wait": {"type": "more-info", "reason": "client", "until": None, "since": "2026-03-04T09:00:00Z"},
    "flags": ["needs-attention"],
    "subject": "Printer smokes",
    "process": "enquiry",
    "mailbox": "desk",
    "queue": "support",
    "assignee": "ann",
    "owner": "ann",
    "requester": "paul@example.net",
    "participants": ["paul@example.net", "lea@example.net"],
    "lists": ["inbox", "owned"],
    "created_at": "2026-03-03T08:15:00Z",
    "origin": "email",
    "due_at": None,
    "due_text": "Due: Paused 3 h 20 m before due",
    "paused_remaining_s": 12000,
    "feedback_until": None,
    "status_reason": "Updated By Resource",
    "resolutions": [],
    "reopenings": [{"by": "system", "at": "2026-03-03T12:00:00Z", "cause": "mail"}],
    "links": [{"ref": "1001-C", "kind": "continues"}],
    "mails": [7, 9],
    "timeline": [
        {"at": "2026-03-03T08:15:00Z", "type": "case-opened", "by": "system", "text": "Printer smokes"},
        {"at": "2026-03-04T09:00:00Z", "type": "status-changed", "by": "ann", "text": "To Do -> Waiting"},
    ],
}

MAIL: dict[str, Json] = {
    "id": 7,
    "mailbox": "desk",
    "message_id": "abc@example.net",
    "from": "paul@example.net",
    "subject": "Re: Printer smokes",
    "received_at": "2026-03-04T10:00:00Z",
    "size_bytes": 4211,
    "kind": "human",
    "outcome": "appended",
    "reason": "in-reply-to",
    "cases": ["1042-C"],
    "trace": [
        {"rule": "own-mail", "evidence": "<abc@example.net>", "result": "not sent by us", "decisive": False},
        {"rule": "duplicate", "evidence": "fingerprint 12ab", "result": "not seen before", "decisive": False},
        {"rule": "in-reply-to", "evidence": "<m1@example.org>", "result": "belongs to 1042-C", "decisive": True},
    ],
}

DELIVERY: dict[str, Json] = {
    "id": 3,
    "mail_id": 2,
    "case": "1042-C",
    "notice": "acknowledgement",
    "message_id": "m1@example.org",
    "to": "paul@example.net",
    "state": "deferred",
    "attempts": 2,
    "next_at": "2026-03-04T10:05:00Z",
    "last_reply": "451 try later",
}
