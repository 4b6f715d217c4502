"""Logging: one constant event name, facts as keys. Pretty on a terminal, JSON otherwise.

Text from outside may only stand in values; control and bidi characters in values are escaped and long ones cut, so that
no mail can write a log line or move a cursor (S7).
"""

from __future__ import annotations

import base64
import logging
import sys
import unicodedata
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import FilteringBoundLogger

VALUE_LIMIT = 500
#: Characters of a traceback, from its end, where the error stands.
_TRACEBACK_LIMIT = 20_000
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def safe_text(text: str, limit: int | None = None, *, keep_lines: bool = False) -> str:
    r"""Text from outside made fit for a log or a terminal: control, format, bidi and surrogate characters become
    `\\x..` or `\\u....`; cut at `limit` characters. `keep_lines` lets LF and TAB through.
    """
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(character, keep_lines=keep_lines) for character in text)


def without_secret(text: str, user: str, password: str) -> str:
    """What a server said without the password that it may have repeated: as it is, as IMAP quotes it, and as SASL sends
    it (S16). To be called before anything is cut off, or a part of it stays.
    """
    if not password:
        return text
    quoted = password.replace("\\", "\\\\").replace('"', '\\"')
    for secret in (f"\0{user}\0{password}", password):
        text = text.replace(base64.b64encode(secret.encode()).decode(), "***")
    return text.replace(quoted, "***").replace(password, "***")


def _escaped(character: str, *, keep_lines: bool) -> str:
    if unicodedata.category(character) not in _UNSAFE_CATEGORIES or (keep_lines and character in "\n\t"):
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _safe_values(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = _safe_traceback(value) if key == "exception" else safe_text(value, VALUE_LIMIT)
    return event


def _safe_traceback(text: str) -> str:
    """The text of an error may come from outside too."""
    lines = (safe_text(line, VALUE_LIMIT) for line in text[-_TRACEBACK_LIMIT:].split("\n"))
    return "\n".join(lines)


def _name_first(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Puts time, level and name before the facts, as a reader's eye wants them."""
    head = {key: event.pop(key) for key in ("timestamp", "level", "event") if key in event}
    return {**head, **event}


def set_up(stream: TextIO | None = None, *, level: str = "info") -> None:
    """Configures logging for this process; called once by whoever has the command line."""
    stream = stream or sys.stderr
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=True, exception_formatter=structlog.dev.plain_traceback)
        if stream.isatty()
        else structlog.processors.JSONRenderer(sort_keys=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _safe_values,
            _name_first,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )
    # aiosmtpd logs every command at INFO and every line of DATA at DEBUG (FACTS 1.1).
    logging.getLogger("mail.log").setLevel(logging.WARNING)


def get_logger() -> FilteringBoundLogger:
    """The logger of this program."""
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger
