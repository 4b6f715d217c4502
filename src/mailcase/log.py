"""Logging: one constant event name, facts as keys. Pretty on a terminal, JSON otherwise.

Text from outside may only stand in values; control and bidi characters in values are escaped and long ones cut, so that
no mail can write a log line or move a cursor (S7). A log that cannot be written, because its disk is full or its reader
has gone, never fails whoever logs: mail is worth more than its log (R12).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger

from mailcase.safe_text import safe_text, without_secret

__all__ = ["get_logger", "safe_text", "set_up", "without_secret"]

VALUE_LIMIT = 500
#: Characters of a traceback, from its end, where the error stands.
_TRACEBACK_LIMIT = 20_000


class _Lines:
    """Where lines go. Those that the stream does not take are counted, and the next one that it takes says so."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lost_count = 0

    def count_lost(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """A processor: adds what was lost before this line."""
        if self._lost_count:
            event["lines_lost"] = self._lost_count
        return event

    def write(self, line: str) -> None:
        """Takes a whole line."""
        try:
            self._stream.write(line)
            self._stream.flush()
        except (OSError, ValueError):
            # ValueError: it was closed.
            self._lost_count += 1
        else:
            self._lost_count = 0

    def flush(self) -> None:
        """Every line is flushed as it is written."""


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
    lines = _Lines(stream)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            lines.count_lost,
            _safe_values,
            _name_first,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # It asks for no more of a stream than `_Lines` has.
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, lines)),
        cache_logger_on_first_use=False,
    )
    # aiosmtpd logs every command at INFO and every line of DATA at DEBUG.
    logging.getLogger("mail.log").setLevel(logging.WARNING)


def get_logger() -> FilteringBoundLogger:
    """The logger of this program."""
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger
