"""Delivery reports: which recipient, which status, which of our mails.

The standard form is RFC 3464. The usual older forms, which say it in words, are read by `bounce_in_words.py`, and only
from senders that are mail systems: an ordinary mail that quotes a bounce is none (S18).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from mailcase.mail import addresses, bounce_in_words, headers, limits, reading
from mailcase.mail.classify import is_report_by_type
from mailcase.mail.headers import HeaderBlock
from mailcase.mail.kind import Bounce, BouncedRecipient
from mailcase.mail.message import Attachment, Message

_STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
_RETURNED_TYPES = (
    "message/rfc822",
    "text/rfc822-headers",
    "message/rfc822-headers",
    "message/global",
    "message/global-headers",
    "text/rfc822",
)
_BLOCK_END = re.compile(rb"\n(?:[ \t]*+\r?\n)++")
_SMTP_CODE = re.compile(r"(?<![\d.])([45])\d\d(?=[ -])")
_ACTIONS = frozenset({"failed", "delayed", "delivered", "relayed", "expanded"})
#: What other words mean that some systems write for an action.
_MEANT_ACTIONS = {"failure": "failed", "fail": "failed", "error": "failed", "deferred": "delayed"}
#: A returned header is looked for no deeper, and a report is read no further.
_RETURNED_BYTES = 64 * 1024
_REPORT_BYTES = 256 * 1024
_REPORT_BLOCKS = 250


def read_bounce(message: Message, raw: bytes, *, envelope_from: str | None = None) -> Bounce | None:
    """The delivery report that `message`, read from `raw`, is; None when it is none or names no recipient.

    `envelope_from` as for `classify`: "" is the null sender, None not known.
    """
    returned = _returned(message, raw)
    returned_id = _id_of(returned)
    # A person who forwards a report has the same parts in his mail, and is no mail system (S18).
    is_report = bounce_in_words.is_from_a_mail_system(message, envelope_from) or is_report_by_type(message)
    parts = message.attachments if is_report else ()
    reports = [_beginning(part, _REPORT_BYTES) for part in parts if part.type in _STATUS_TYPES]
    recipients = tuple(
        dict.fromkeys(recipient for part in reports for recipient in _recipients(reading.attachment_bytes(raw, part)))
    )
    if recipients:
        original = returned_id or _reported_id(reports, raw) or _answered_id(message)
        return Bounce(
            recipients=recipients[: limits.ADDRESSES_PER_HEADER],
            original_message_id=original,
            returned_references=_references_of(returned),
        )
    found = bounce_in_words.read(message, _addressed(returned), envelope_from)
    if found is None:
        return None
    return Bounce(
        recipients=found.recipients[: limits.ADDRESSES_PER_HEADER],
        original_message_id=returned_id or found.original_message_id or _answered_id(message),
        returned_references=_references_of(returned),
    )


def _blocks(report: bytes) -> list[dict[str, str]]:
    """The groups of fields of a delivery-status part: the first of each name, decoded."""
    blocks = []
    for block in _BLOCK_END.split(report.strip() + b"\n", _REPORT_BLOCKS)[:_REPORT_BLOCKS]:
        fields: dict[str, str] = {}
        for name, value in headers.split(block, 0, len(block)).fields:
            fields.setdefault(name, headers.text_of(value)[0])
        blocks.append(fields)
    return blocks


def _recipients(report: bytes) -> Iterable[BouncedRecipient]:
    for fields in _blocks(report):
        address = _address(fields)
        if not address:
            continue
        action = _action(fields)
        status = _status(fields)
        if action or status:
            yield BouncedRecipient(address=address, status=status, action=action or _action_of(status))


def _address(fields: dict[str, str]) -> str:
    """The address as we wrote it, else as it was rewritten on the way (RFC 3464 2.3.1)."""
    for name in ("original-recipient", "final-recipient", "x-actual-recipient"):
        address = fields.get(name, "").rpartition(";")[2].strip().strip("<>").strip()
        if "@" in address:
            return address
    return fields.get("final-recipient", "").rpartition(";")[2].strip(" <>")


def _action(fields: dict[str, str]) -> str:
    words = fields.get("action", "").lower().split()
    action = words[0].strip(";,.") if words else ""
    action = _MEANT_ACTIONS.get(action, action)
    return action if action in _ACTIONS else ""


def _status(fields: dict[str, str]) -> str:
    """The Status field; where it says nothing but failure, the diagnostic may say more."""
    declared = bounce_in_words.STATUS.search(fields.get("status", ""))
    diagnostic = bounce_in_words.STATUS.search(fields.get("diagnostic-code", ""))
    if declared and not (declared.group(1).endswith(".0.0") and diagnostic):
        return declared.group(1)
    if diagnostic:
        return diagnostic.group(1)
    reply = _SMTP_CODE.search(fields.get("diagnostic-code", ""))
    return f"{reply.group(1)}.0.0" if reply else ""


def _action_of(status: str) -> str:
    return {"2": "delivered", "4": "delayed"}.get(status[:1], "failed")


def _returned(message: Message, raw: bytes) -> HeaderBlock | None:
    """The header of the mail that came back, whole or only its header."""
    for part in message.attachments:
        if part.type in _RETURNED_TYPES:
            returned = reading.attachment_bytes(raw, _beginning(part, _RETURNED_BYTES)).lstrip(b"\r\n")
            return headers.split(returned, 0, len(returned))
    return None


def _id_of(returned: HeaderBlock | None) -> str | None:
    return next(iter(_ids_in(returned, "message-id")), None)


def _references_of(returned: HeaderBlock | None) -> tuple[str, ...]:
    """Its ancestors, nearest first."""
    return _ids_in(returned, "references")[: -limits.REFERENCES - 1 : -1]


def _ids_in(returned: HeaderBlock | None, name: str) -> tuple[str, ...]:
    found = returned.first(name) if returned is not None else None
    return tuple(headers.ids_of(headers.unfold(found)[0])) if found is not None else ()


def _addressed(returned: HeaderBlock | None) -> tuple[str, ...]:
    found = returned.first("to") if returned is not None else None
    if found is None:
        return ()
    return tuple(address.address for address in addresses.parse(headers.unfold(found)[0])[0])


def _beginning(part: Attachment, limit_bytes: int) -> Attachment:
    return Attachment(
        name=part.name,
        type=part.type,
        start=part.start,
        end=min(part.end, part.start + limit_bytes),
        encoding=part.encoding,
    )


def _reported_id(reports: Iterable[Attachment], raw: bytes) -> str | None:
    for part in reports:
        for fields in _blocks(reading.attachment_bytes(raw, part)):
            for name in ("original-message-id", "x-original-message-id"):
                if ids := headers.ids_of(fields.get(name, "")):
                    return ids[0]
    return None


def _answered_id(message: Message) -> str | None:
    for name in ("x-original-message-id", "original-message-id"):
        if ids := headers.ids_of(message.header(name) or ""):
            return ids[0]
    return (*message.in_reply_to, *reversed(message.references), None)[0]
