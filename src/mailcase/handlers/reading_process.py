"""Mail is read in a process of its own, which is kept: what kills it, hangs in it or fills its memory harms only the
one mail that it was reading (docs/decisions/0012).

A thread would not do: a regular expression that runs away, or a crash in a C library, takes the whole daemon with it.
And while that process reads, this one has the interpreter for itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import pickle
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from mailcase.errors import TransientError
from mailcase.handlers.read import Reader, ReadMail
from mailcase.handlers.reading_child import PREFIX_BYTES, framed
from mailcase.store.rows.inbox import ClaimedMail

#: A machine under load may take its time to start an interpreter; no mail is to blame for that.
START_SECONDS = 60.0
#: Read ahead of the event loop, and given to it at a time.
_BUFFER_BYTES = 1024 * 1024


class NotRead(Exception):
    """Reading a mail failed in an orderly way; the text says how."""


class ReadingLost(Exception):
    """The process ended, or had to be ended, while it read a mail."""


class ReadingProcess:
    """Reads mail, one batch at a time. The process starts when it is asked for, and anew after it was lost."""

    def __init__(self, reader: Reader, *, limit: timedelta, memory_bytes: int) -> None:
        """`limit` for one mail, and the address space of the process."""
        self._reader = reader
        self._limit_seconds = limit.total_seconds()
        self._memory_bytes = memory_bytes
        self._child: _Child | None = None

    async def read(self, mails: Sequence[ClaimedMail], *, now: datetime) -> tuple[ReadMail | Exception, ...]:
        """What was read of each mail, in order; NotRead or ReadingLost for one that could not be.

        Raises TransientError when no process is to be had.
        """
        results: list[ReadMail | Exception] = []
        while len(results) < len(mails):
            child = await self._ready()
            results += await self._read_on(child, mails[len(results) :], now)
        return tuple(results)

    async def make_ready(self) -> None:
        """Starts the process before there is mail for it: the first would wait for the start of an interpreter."""
        await self._ready()

    async def _ready(self) -> _Child:
        if self._child is None:
            self._child = await self._start()
        return self._child

    async def close(self) -> None:
        """Ends the process."""
        child, self._child = self._child, None
        if child is not None:
            await child.end()

    async def _read_on(self, child: _Child, mails: Sequence[ClaimedMail], now: datetime) -> list[ReadMail | Exception]:
        """As far as this process goes: all of the mails, or up to the one that it was lost over."""
        results: list[ReadMail | Exception] = []
        sending = asyncio.create_task(child.send([(mail, now) for mail in mails]))
        try:
            for mail in mails:
                async with asyncio.timeout(self._limit_seconds):
                    answer = await child.receive()
                results.append(replace(answer, claimed=mail) if isinstance(answer, ReadMail) else NotRead(answer))
        except TimeoutError:
            await self.close()
            results.append(ReadingLost(f"reading it takes longer than {self._limit_seconds:g} s"))
        except (EOFError, OSError, pickle.UnpicklingError):
            await self.close()
            results.append(ReadingLost(f"the process that reads it ended with {child.returncode}"))
        except BaseException:
            # Its answers would be taken for those to the next batch.
            await self.close()
            raise
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await sending
        return results

    async def _start(self) -> _Child:
        try:
            child = await _Child.start(self._memory_bytes, self._limit_seconds)
        except OSError as error:
            raise TransientError(f"no process can be had to read mail in: {error.strerror}") from error
        try:
            async with asyncio.timeout(START_SECONDS):
                await child.send([self._reader])
                await child.receive()
        except (TimeoutError, EOFError, OSError, pickle.UnpicklingError) as error:
            await child.end()
            raise TransientError(f"the process that reads mail does not start: {child.returncode}") from error
        except BaseException:
            await child.end()
            raise
        return child


class _Child:
    """The process and its two pipes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, memory_bytes: int, limit_seconds: float) -> _Child:
        """Raises OSError."""
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable,
                # Not the folder that the daemon was started in: a file there must not take the place of a module.
                "-P",
                "-m",
                "mailcase.handlers.reading_child",
                str(memory_bytes),
                str(limit_seconds),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=_BUFFER_BYTES,
            )
        )

    @property
    def returncode(self) -> int | None:
        """Negative for a signal; None while it runs."""
        return self._process.returncode

    async def send(self, values: Sequence[object]) -> None:
        """Returns when all but the last buffer are with the process. Raises OSError when it is gone."""
        stdin = self._process.stdin
        if stdin is None:
            return
        for value in values:
            prefix, content = framed(value)
            stdin.write(prefix)
            # In pieces: what the pipe does not take at once is copied.
            for start in range(0, len(content), _BUFFER_BYTES):
                stdin.write(memoryview(content)[start : start + _BUFFER_BYTES])
                await stdin.drain()

    async def receive(self) -> ReadMail | str:
        """The next answer. Raises EOFError when there is none, UnpicklingError when it is none."""
        stdout = self._process.stdout
        if stdout is None:
            raise EOFError
        length = int.from_bytes(await stdout.readexactly(PREFIX_BYTES))
        answer: ReadMail | str = _Unpickler(io.BytesIO(await stdout.readexactly(length))).load()
        return answer

    async def end(self) -> None:
        """Kills it, if it lives, and waits for its end."""
        if self._process.returncode is None:
            # Not its `kill`: that one may learn first that the process has ended, and keep the code to itself.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
        # `communicate` also takes what is left in the pipes, and closes them.
        with contextlib.suppress(OSError):
            await self._process.communicate()


#: The only modules whose types an answer may hold.
_TYPES_FROM = frozenset(
    {
        "datetime",
        "mailcase.handlers.read",
        "mailcase.mail.clues",
        "mailcase.mail.kind",
        "mailcase.mail.message",
        "mailcase.mail.signing",
        "mailcase.store.rows.inbox",
    }
)


class _Unpickler(pickle.Unpickler):
    """Takes the types of a read mail and nothing else: the process has had hostile bytes in its hands."""

    def find_class(self, module: str, name: str) -> type:
        found = super().find_class(module, name) if module in _TYPES_FROM and "." not in name else None
        if not isinstance(found, type):
            raise pickle.UnpicklingError(f"no part of a read mail: {module}.{name}")
        return found
