"""Delivery reports in words: what Exim, qmail, sendmail and many others write to people.

General rules, no list of products: the sender must be a mail system, the text in front of the returned copy names the
addresses, the lines at an address carry its status.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mailcase.mail.classify import DAEMONS, is_null_sender
from mailcase.mail.kind import Bounce, BouncedRecipient
from mailcase.mail.message import Message

_FAILURE_SUBJECT = re.compile(
    r"undeliver|deliver(?:y|ed)?\b.{0,40}\b(?:fail|status|error|delay|problem|warning)|(?:fail|error)\w{0,9}\b.{0,20}"
    r"\bdeliver|fail(?:ed|ure)?\b.{0,20}\b(?:notice|mail|message)|mail.{0,10}(?:failure|error)|return(?:ed|ing).{0,20}"
    r"(?:mail|message|sender)|could not be delivered|not delivered|delayed|error sending|bounce"
    r"|unzustellbar|nicht.{0,20}zugestellt|non remis|échec|non distribu|no.{0,20}entregad|mancata consegna|niet bezorgd"
    r"|недостав|не доставлен|エラー|配信",
    re.IGNORECASE,
)
_DELAY = re.compile(
    r"\bdelay(?:ed)?\b|still being retried|not yet been delivered|will be (?:retried|attempted)|keep trying"
    r"|will continue|no action is required|do not need to resend|\bwarning\b",
    re.IGNORECASE,
)
_GIVEN_UP = re.compile(r"giv(?:ing|en) up|permanent|could not be delivered|failed permanently|returned", re.IGNORECASE)
#: Where the returned copy begins.
_COPY = re.compile(
    r"^[\W_]*(?:(?:(?:this|here|included|below) is )?(?:a |the )?cop(?:y|ies) of|original (?:message|mail|headers?)\b"
    r".{0,25}$|(?:the )?(?:unsent|returned|undelivered) (?:message|mail|content)|below this line"
    r"|(?:your )?message (?:headers?|follows|text)"
    r"|(?:the )?(?:headers?|body|text) of (?:the|your)|(?:return-path|received|message-id|dkim-signature|x-received"
    r"|mime-version)\s*:)",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,10}[A-Za-z0-9-]{2,63}")
_LEADING = re.compile(
    r"^[\s>*<\"'([-]*(?:(?:original-|final-)?(?:recipient|to|address|user)s?\s*:\s*)?(?:rfc822;\s*)?[\s<\"']*"
)
#: An enhanced status code (RFC 3463), which is no address of a host.
STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_REPLY = re.compile(r"(?<![\d.:/-])([45])\d\d(?=[ -])(?!\s*(?:bytes|seconds|hours|days|octets))")
_FAILURE_TEXT = re.compile(
    r"(?:could|can|can't|was|were) ?not (?:be )?(?:deliver|reach)|deliver\w{0,9} (?:to .{0,80})?(?:failed|was aborted)"
    r"|did not reach|undeliverable|returned to sender|konnte nicht zugestellt|n'a pas pu être",
    re.IGNORECASE,
)
_TO = re.compile(r"^[ \t>]*+to[ \t]*+:(.{1,900})", re.IGNORECASE | re.MULTILINE)
_MESSAGE_ID = re.compile(r"^[ \t>]*+message-id[ \t]*+:\s*+<([^<>\s]{1,998})>", re.IGNORECASE | re.MULTILINE)
_LINES = 400
_LINE = 1000


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the notice and the addresses on it."""

    text: str
    addresses: tuple[str, ...]
    #: The line begins with an address.
    leads: bool


def read(message: Message, returned_to: Sequence[str], envelope_from: str | None) -> Bounce | None:
    """The report, or None for mail of which we cannot be sure that it is one.

    `returned_to` are the recipients of the mail that came back as a part, if one did; they count when the text names
    no address.
    """
    is_certain = _is_daemon(message)
    if not is_certain and not _is_without_return_path(message, envelope_from):
        return None
    told, copy = _halves(message.text)
    if not is_certain and not _says_so(message, told, has_returned_mail=bool(returned_to)):
        return None
    wanted = _failed_addresses(message, told) or list(returned_to) or _addressed(copy)
    if not wanted:
        return None
    found = _MESSAGE_ID.search(copy)
    return Bounce(recipients=_recipients(message, told, wanted), original_message_id=found.group(1) if found else None)


def is_from_a_mail_system(message: Message, envelope_from: str | None) -> bool:
    """A sender that is, or may be, a mail system and no person."""
    return _is_daemon(message) or _is_without_return_path(message, envelope_from)


def _is_daemon(message: Message) -> bool:
    """A sender that is a daemon by name."""
    if message.header("x-failed-recipients") is not None:
        return True
    written = " ".join((message.header("from") or "", message.header("return-path") or "")).lower()
    return any(system in written for system in DAEMONS)


def _is_without_return_path(message: Message, envelope_from: str | None) -> bool:
    """A sender that may be a mail system: none to return to, or the postmaster."""
    if is_null_sender(message, envelope_from) or (message.header("from") or "").strip() == "<>":
        return True
    return any(address.key.startswith("postmaster@") for address in message.from_)


def _says_so(message: Message, told: list[_Line], *, has_returned_mail: bool) -> bool:
    """Whether it says what happened: in the subject, or in the text with the returned mail beside it."""
    if _FAILURE_SUBJECT.search(message.subject):
        return True
    return has_returned_mail and any(_FAILURE_TEXT.search(line.text) for line in told)


def _addressed(copy: str) -> list[str]:
    found = _TO.search(copy)
    return [address.group() for address in _ADDRESS.finditer(found.group(1))] if found else []


def _halves(text: str) -> tuple[list[_Line], str]:
    """The lines in front of the returned copy, and the copy."""
    lines = text.split("\n", _LINES)
    for index, line in enumerate(lines[:_LINES]):
        if index and _COPY.match(line[:_LINE]):
            return [_line(told) for told in lines[:index]], "\n".join(lines[index:])
    return [_line(told) for told in lines[:_LINES]], text


def _line(text: str) -> _Line:
    text = text[:_LINE]
    addresses = tuple(found.group() for found in _ADDRESS.finditer(text))
    start = _LEADING.match(text)
    leads = bool(addresses) and start is not None and text.startswith(addresses[0], start.end())
    return _Line(text, addresses, leads)


def _recipients(message: Message, told: list[_Line], wanted: list[str]) -> tuple[BouncedRecipient, ...]:
    is_delay = _is_delay(message, told)
    whole = _status_in(told)
    found = []
    for address in wanted:
        status = _status_in(_lines_about(address, told, wanted)) or whole
        action = "delayed" if is_delay else "failed"
        found.append(BouncedRecipient(address=address, status=status, action=action))
    return tuple(found)


def _failed_addresses(message: Message, told: list[_Line]) -> list[str]:
    header = [found.group() for found in _ADDRESS.finditer(message.header("x-failed-recipients") or "")]
    ours = {address.key for address in (*message.to, *message.from_, *message.reply_to)}
    leading = [line.addresses[0] for line in told if line.leads]
    coded = [
        address for line in told if _status_in([line]) or "rcpt" in line.text.lower() for address in line.addresses
    ]
    anywhere = [address for line in told for address in line.addresses]
    for candidates in (header, leading, coded, anywhere):
        unique = list({address.lower(): address for address in reversed(candidates)}.values())[::-1]
        others = [address for address in unique if address.lower() not in ours]
        if others or (candidates is header and unique):
            return others or unique
    return []


def _lines_about(address: str, told: list[_Line], wanted: list[str]) -> list[_Line]:
    """From the first line with the address to the one before another wanted address."""
    others = {other.lower() for other in wanted} - {address.lower()}
    about: list[_Line] = []
    for line in told:
        on_it = {found.lower() for found in line.addresses}
        if address.lower() in on_it:
            about.append(line)
        elif about and on_it & others:
            break
        elif about:
            about.append(line)
    return about


def _status_in(lines: list[_Line]) -> str:
    for line in lines:
        if found := STATUS.search(line.text):
            return found.group(1)
    for line in lines:
        if found := _REPLY.search(line.text):
            return f"{found.group(1)}.0.0"
    return ""


def _is_delay(message: Message, told: list[_Line]) -> bool:
    if _DELAY.search(message.subject):
        return True
    text = "\n".join(line.text for line in told)
    return _DELAY.search(text) is not None and not _GIVEN_UP.search(text) and "fail" not in message.subject.lower()
