"""One process per store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mailcase.errors import StoreUnavailable
from mailcase.store.lock import StoreBusy, StoreLock, lock_file

HOLDER = """
import sys
from pathlib import Path
from mailcase.store.lock import StoreLock
lock = StoreLock.acquire(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_process_is_refused_with_the_number_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "mailcase.db"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"

        with pytest.raises(StoreBusy, match=rf"process {holder.pid}\) has the store .*mailcase\.db") as refused:
            StoreLock.acquire(path)

        holder.send_signal(signal.SIGKILL)
    assert refused.value.pid == holder.pid
    StoreLock.acquire(path).release()


def test_the_lock_holds_within_one_process_too(tmp_path: Path) -> None:
    with StoreLock.acquire(tmp_path / "mailcase.db"), pytest.raises(StoreBusy) as refused:
        StoreLock.acquire(tmp_path / "mailcase.db")

    assert refused.value.pid == os.getpid()
    with StoreLock.acquire(tmp_path / "mailcase.db") as lock:
        lock.release()
        lock.release()


def test_a_holder_that_has_not_said_who_it_is_is_refused_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "mailcase.db"
    with StoreLock.acquire(path):
        lock_file(path).write_text("")

        with pytest.raises(StoreBusy, match="another mailcase has the store"):
            StoreLock.acquire(path)


def test_the_lock_makes_its_folder_for_its_owner_alone(tmp_path: Path) -> None:
    with StoreLock.acquire(tmp_path / "state" / "mailcase.db"):
        assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
        assert lock_file(tmp_path / "state" / "mailcase.db").stat().st_mode & 0o777 == 0o600


def test_a_lock_file_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    """Nobody makes us empty a file of theirs."""
    treasure = tmp_path / "treasure"
    treasure.write_text("gold")
    lock_file(tmp_path / "mailcase.db").symlink_to(treasure)

    with pytest.raises(StoreUnavailable, match="cannot lock"):
        StoreLock.acquire(tmp_path / "mailcase.db")

    assert treasure.read_text() == "gold"
