"""What the command line and the daemon say to each other: a request, an answer, and both as bytes.

In both directions one line of ASCII JSON. The line of a request is at most `command_bytes` long and announces how many
bytes of text and of attachments follow it; these have a limit of their own, checked before any of them is read (S23).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import IntEnum
from typing import Protocol

from mailcase.config.settings import Language
from mailcase.errors import AppError, CommandRefused, ConfigError, TransientError

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

#: The argument that may be as long as a mail; it follows the line of the request instead of standing in it.
TEXT_ARGUMENT = "text"


class Exit(IntEnum):
    """Exit codes of the command line (docs/commands.md)."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    LATER = 75
    CONFIGURATION = 78


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One operation on the store, asked for by a person at a shell."""

    #: `case.take`, `mail.list` ...
    operation: str
    arguments: Mapping[str, Json] = field(default_factory=dict)
    #: The person in whose name it is done; None for operations that only look.
    as_: str | None = None
    language: Language = Language.ENGLISH


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What came of it. `data` may stand beside an error: a check that found something shows what."""

    exit: int = Exit.DONE
    data: Json = None
    #: The reason when `exit` is not 0; one or more lines for standard error.
    error: str | None = None
    #: Rows of a list that stand after the last one in `data`.
    more: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlLimits:
    """What one connection may cost."""

    command_bytes: int = 64 * 1024
    #: Text and attachments together.
    stream_bytes: int = 30 * 1024 * 1024
    #: Longest answer a client takes: a raw mail in base64 and what goes with it.
    response_bytes: int = 80 * 1024 * 1024
    #: Time to send a whole request.
    read_for: timedelta = timedelta(seconds=30)
    #: Time to wait for an answer; checks of mail servers are the slow ones.
    answer_within: timedelta = timedelta(minutes=5)
    connections: int = 16


DEFAULT_LIMITS = ControlLimits()


class Answer(Protocol):
    """Carries out a request; `uid` is the peer's, None where nobody is known."""

    async def __call__(self, request: Request, *, uid: int | None, blobs: Sequence[bytes]) -> Response:
        """Raises AppError where the request cannot be carried out."""
        ...


def refusal(error: AppError) -> Response:
    """The answer that an error of ours amounts to."""
    if isinstance(error, TransientError):
        return Response(exit=Exit.LATER, error=str(error))
    if isinstance(error, ConfigError):
        return Response(exit=Exit.CONFIGURATION, error=str(error))
    return Response(exit=Exit.REFUSED, error=str(error))


class MalformedRequest(AppError):
    """The peer does not speak this protocol, or sends more than it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    """The line of a request: the command, and the sizes of what follows."""

    request: Request
    #: None when the request has no text.
    text_bytes: int | None
    blob_bytes: tuple[int, ...]

    @property
    def stream_bytes(self) -> int:
        return (self.text_bytes or 0) + sum(self.blob_bytes)


def encode_request(request: Request, blobs: Sequence[bytes], limits: ControlLimits = DEFAULT_LIMITS) -> bytes:
    """The bytes of a whole request. Raises CommandRefused when it is larger than the daemon takes."""
    arguments = dict(request.arguments)
    text = arguments.pop(TEXT_ARGUMENT) if isinstance(arguments.get(TEXT_ARGUMENT), str) else None
    text_raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else None
    head = {
        "operation": request.operation,
        "arguments": arguments,
        "as": request.as_,
        "language": request.language.value,
        "text_bytes": None if text_raw is None else len(text_raw),
        "blob_bytes": [len(blob) for blob in blobs],
    }
    line = json.dumps(head).encode("ascii") + b"\n"
    if len(line) > limits.command_bytes:
        raise CommandRefused(f"the command is longer than {limits.command_bytes // 1024} kB")
    stream = [text_raw or b"", *blobs]
    if sum(map(len, stream)) > limits.stream_bytes:
        raise CommandRefused(f"text and attachments are more than {limits.stream_bytes // 2**20} MB together")
    return b"".join([line, *stream])


def _decode_head(line: bytes) -> _Head:
    try:
        head = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise MalformedRequest("a request is one line of JSON") from error
    match head:
        case {
            "operation": str(operation),
            "arguments": dict(arguments),
            "as": None | str() as person,
            "language": str(language),
            "text_bytes": None | int() as text_bytes,
            "blob_bytes": list(blob_bytes),
        } if language in tuple(Language) and all(_is_size(size) for size in [text_bytes or 0, *blob_bytes]):
            request = Request(operation=operation, arguments=arguments, as_=person, language=Language(language))
            return _Head(request=request, text_bytes=text_bytes, blob_bytes=tuple(blob_bytes))
    raise MalformedRequest("a request has operation, arguments, as, language, text_bytes and blob_bytes")


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


async def read_request(reader: asyncio.StreamReader, limits: ControlLimits) -> tuple[Request, tuple[bytes, ...]]:
    """Reads one request with its attachments.

    Raises MalformedRequest, and whatever a broken connection raises.
    """
    try:
        line = await reader.readuntil(b"\n")
    except asyncio.LimitOverrunError as error:
        raise MalformedRequest(f"the command is longer than {limits.command_bytes // 1024} kB") from error
    head = _decode_head(line)
    if head.stream_bytes > limits.stream_bytes:
        raise MalformedRequest(f"text and attachments are more than {limits.stream_bytes // 2**20} MB together")
    request = head.request
    if head.text_bytes is not None:
        text = (await reader.readexactly(head.text_bytes)).decode("utf-8", "replace")
        request = replace(request, arguments={**request.arguments, TEXT_ARGUMENT: text})
    return request, tuple([await reader.readexactly(size) for size in head.blob_bytes])


def encode_response(response: Response) -> bytes:
    """The bytes of a whole answer."""
    body = {"exit": int(response.exit), "data": response.data, "error": response.error, "more": response.more}
    return json.dumps(body).encode("ascii") + b"\n"


def decode_response(line: bytes) -> Response:
    """Reads an answer. Raises TransientError when the daemon went away before it was complete."""
    try:
        body = json.loads(line)
    except ValueError as error:
        raise TransientError("the daemon closed the connection before it had answered") from error
    return Response(exit=body["exit"], data=body["data"], error=body["error"], more=body["more"])
