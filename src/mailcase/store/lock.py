"""One process per store: the ids are given in memory, and a second writer is what corrupts SQLite's log.

The kernel frees the lock when its holder dies, however it dies; the file itself stays and means nothing.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from mailcase.errors import StoreUnavailable


class StoreBusy(StoreUnavailable):
    """Another process works with the store; `pid` is None when it has not yet said which."""

    def __init__(self, store: Path, pid: int | None) -> None:
        holder = "another mailcase" if pid is None else f"another mailcase (process {pid})"
        super().__init__(f"{holder} has the store {store}; stop it, or let it do the work")
        self.pid = pid


class StoreLock:
    """The right to open the store of one path; held from `acquire` to `release`, or for a `with` block."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def acquire(cls, store: Path) -> StoreLock:
        """Takes the lock at once, or raises StoreBusy. Makes the folder of the store (0700) where it is missing."""
        try:
            store.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(lock_file(store), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise StoreUnavailable(f"cannot lock the store {store}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = _pid_in(descriptor)
            os.close(descriptor)
            raise StoreBusy(store, pid) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        return cls(descriptor)

    def release(self) -> None:
        """Gives the lock back; a second time is allowed."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> StoreLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def lock_file(store: Path) -> Path:
    """The file beside the database that is locked."""
    return store.with_name(f"{store.name}.lock")


def _pid_in(descriptor: int) -> int | None:
    text = os.pread(descriptor, 20, 0).strip()
    return int(text) if text.isdigit() else None
