"""The most memory that a process and its children took, from the kernel's own high-water marks."""

from __future__ import annotations

import threading
from pathlib import Path

_LOOK_EVERY_SECONDS = 0.1


class Memory:
    """Watches a tree of processes. The peaks of its members are summed, as if they had come at the same time."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peaks: dict[int, int] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def peak_mib(self) -> float:
        """The peak so far; each process counts with its largest resident set."""
        return sum(self._peaks.values()) / 1024

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_EVERY_SECONDS):
            for pid in _tree(self._pid):
                self._peaks[pid] = max(self._peaks.get(pid, 0), _high_water_kib(pid))


def _tree(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(found for child in children for found in _tree(int(child)))]


def _high_water_kib(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)
