"""What an IMAP server said when it said no, in words that an operator can read."""

from __future__ import annotations

import re
import ssl
from collections.abc import Sequence

#: Characters of a server's text that are passed on in an error.
TEXT_LIMIT = 300
#: The library's random tags, which would make every failure look like another one.
_TAG = re.compile(r"\b[A-P]{4}\d+\b")


def said(error: BaseException) -> str:
    """The words of the server, or of the system, in one short line."""
    return said_whole(error)[:TEXT_LIMIT]


def said_whole(error: BaseException) -> str:
    """The same, not cut: for what must be cleaned of secrets first."""
    # The library's errors carry the answer as a pair of type and data.
    result = getattr(error, "command_result", None)
    if isinstance(result, tuple):
        return _words(result[1])
    # The system's words without its number; what TLS says has no others.
    words = error.strerror if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) else None
    return _TAG.sub("TAG", words or str(error)) or type(error).__name__


def text_of(data: Sequence[object]) -> str:
    """The text among the parts of an answer, short."""
    return _words(data)[:TEXT_LIMIT]


def _words(data: Sequence[object]) -> str:
    return " ".join(item.decode("utf-8", "replace") for item in data if isinstance(item, bytes))
