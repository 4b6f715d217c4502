"""Asks a program of the operator for an access token: run without a shell, in a process group of its own.

It prints the token alone, or a JSON object as a token server would (`access_token`, `expires_in`). Exit code 75
(EX_TEMPFAIL) says that a later attempt may succeed; any other but 0 that an operator must act.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import suppress

from mailcase.clock import Clock
from mailcase.config.settings import TokenCommand
from mailcase.login.credentials import AccessToken
from mailcase.login.errors import LoginImpossible, TokenUnavailable
from mailcase.login.token_answer import TokenAnswer, read_grant, words
from mailcase.login.token_server import Obtained

_OUTPUT_LIMIT_BYTES = 64 * 1024
_COMPLAINT_LIMIT_BYTES = 4096
_TEMPORARY = 75
_END_SECONDS = 5.0


class TokenProgram:
    """One `token_command`."""

    def __init__(self, command: TokenCommand, *, clock: Clock) -> None:
        self._command = command.command
        self._clock = clock

    async def obtain(self) -> Obtained:
        """A new token. Raises LoginImpossible, TokenUnavailable. Cancelled, it ends the program and its children."""
        asked_at = self._clock.now()
        answer = self._read(await self._output())
        # Whoever prints no end keeps the token itself, and is asked each time.
        expires_at = asked_at + answer.lifetime if answer.lifetime else asked_at
        return Obtained(token=AccessToken(value=answer.access_token, obtained_at=asked_at, expires_at=expires_at))

    @property
    def _name(self) -> str:
        return f"the token_command {self._command[0]}"

    async def _output(self) -> bytes:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise LoginImpossible(f"{self._name} cannot be run: {error.strerror}; check path and rights") from error
        printed = asyncio.create_task(self._printed(process.stdout))
        complained = asyncio.create_task(_beginning(process.stderr))
        try:
            output, complaint = await asyncio.gather(printed, complained)
            code = await process.wait()
        finally:
            await _end(process, printed, complained)
        if code:
            said = words(complaint.decode("utf-8", "replace")) or "it said nothing on standard error"
            if code == _TEMPORARY:
                raise TokenUnavailable(f"{self._name} has no token now: {said}")
            raise LoginImpossible(f"{self._name} ended with {code}: {said}; run it by hand as the daemon's user")
        return output

    async def _printed(self, stream: asyncio.StreamReader | None) -> bytes:
        output = b""
        while stream is not None and (piece := await stream.read(1 << 16)):
            output += piece
            if len(output) > _OUTPUT_LIMIT_BYTES:
                raise LoginImpossible(f"{self._name} prints more than a token; let it print the access token alone")
        return output

    def _read(self, output: bytes) -> TokenAnswer:
        text = output.decode("utf-8", "replace").strip()
        said: object = {"access_token": text}
        if text.startswith("{"):
            try:
                said = json.loads(text)
            except (ValueError, RecursionError):
                said = {}
        try:
            return read_grant(said if isinstance(said, dict) else {}, self._name)
        except TokenUnavailable as error:
            raise LoginImpossible(f"{error}; let it print the access token alone, or as JSON") from None


async def _end(process: asyncio.subprocess.Process, *readers: asyncio.Task[bytes]) -> None:
    """Ends the whole group: what the program left behind may hold the pipes open."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for reader in readers:
        reader.cancel()
    await asyncio.wait(readers)
    # An end is told only when the pipes are empty too; who has left the group may keep them open for ever.
    with suppress(TimeoutError):
        async with asyncio.timeout(_END_SECONDS):
            await process.communicate()


async def _beginning(stream: asyncio.StreamReader | None) -> bytes:
    """The first words of what the program complains of; the rest is read and forgotten, so that it can go on."""
    kept = b""
    while stream is not None and (piece := await stream.read(1 << 16)):
        kept = (kept + piece)[:_COMPLAINT_LIMIT_BYTES]
    return kept
