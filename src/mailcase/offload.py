"""Blocking work of one owner, on a daemon thread of its own.

Not a ThreadPoolExecutor: the interpreter waits at exit for the threads of a pool, so that one hung connection would
keep the whole program from ending, and a pool has fewer threads than we may have mailboxes (I11).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

from mailcase.errors import TransientError

T = TypeVar("T")


class Abandoned(TransientError):
    """The thread was given up; what it was doing may still happen, but nobody learns of it."""


class Worker(Protocol):
    """Runs the blocking calls of one owner, one after the other."""

    async def run(self, call: Callable[[], T]) -> T:
        """The result of `call`, or what it raised. Cancelling the wait does not stop a call that has begun.

        Raises Abandoned after, or because of, `abandon`.
        """
        ...

    def abandon(self, last: Callable[[], None] | None = None) -> None:
        """Gives the worker up for good without waiting for the call that it is in; `last` is called after that one, if
        it ever ends, and must not raise. Abandoning again does nothing.
        """
        ...


#: Makes the worker of an owner; the owner's name is for people who read a thread dump.
Offload = Callable[[str], Worker]


class OwnedThread:
    """A `Worker` on a daemon thread, which starts with the first call and ends when abandoned."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._waiting: set[asyncio.Future[Any]] = set()
        self._thread: threading.Thread | None = None
        self._is_abandoned = False

    async def run(self, call: Callable[[], T]) -> T:
        """See `Worker`."""
        if self._is_abandoned:
            raise Abandoned(f"the thread of {self._owner} was given up")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)
        self._put(_Job(call, loop, future).do)
        return await future

    def _put(self, job: Callable[[], None]) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=_work_off, args=(self._jobs,), name=self._owner, daemon=True)
            self._thread.start()
        self._jobs.put(job)

    def abandon(self, last: Callable[[], None] | None = None) -> None:
        """See `Worker`. To be called on the loop that awaits."""
        if self._is_abandoned:
            return
        self._is_abandoned = True
        if last is not None:
            self._put(last)
        self._jobs.put(None)
        for future in tuple(self._waiting):
            if not future.done():
                future.set_exception(Abandoned(f"the thread of {self._owner} was given up"))


class _Job:
    """One call with the future, on its loop, that waits for it."""

    def __init__(self, call: Callable[[], Any], loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any]) -> None:
        self._call = call
        self._loop = loop
        self._future = future

    def do(self) -> None:
        if self._future.done():
            return
        try:
            result = self._call()
        except BaseException as error:  # noqa: BLE001 - it is handed to the one who waits
            self._tell(lambda raised=error: self._future.set_exception(raised))  # type: ignore[misc]  # mypy/10740
        else:
            self._tell(lambda: self._future.set_result(result))

    def _tell(self, settle: Callable[[], None]) -> None:
        def settle_unless_done() -> None:
            if not self._future.done():
                settle()

        # The loop may have been closed while the call hung; then nobody waits.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(settle_unless_done)


def _work_off(jobs: SimpleQueue[Callable[[], None] | None]) -> None:
    while (job := jobs.get()) is not None:
        job()
