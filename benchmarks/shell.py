"""What a person at the shell waits for: whole commands, from their start to their end, with many cases stored."""

from __future__ import annotations

import statistics
import subprocess
import time
from pathlib import Path

from benchmarks.peers import MAILCASE, daemon

COMMANDS = (("case", "list"), ("case", "show", "1050-C"), ("status",))


def seconds_of_commands(configuration: Path, tries: int) -> dict[str, tuple[float, float]]:
    """The median seconds of each command that there is: without a daemon, and beside a running one."""
    commands = [command for command in COMMANDS if _is_there(command)]
    alone = [_median(configuration, command, tries) for command in commands]
    with daemon(configuration) as running:
        running.wait_for("daemon_started")
        beside = [_median(configuration, command, tries) for command in commands]
    names = (" ".join(command) for command in commands)
    return dict(zip(names, zip(alone, beside, strict=True), strict=True))


def _is_there(command: tuple[str, ...]) -> bool:
    return subprocess.run([*MAILCASE, command[0], "--help"], capture_output=True).returncode == 0


def _median(configuration: Path, command: tuple[str, ...], tries: int) -> float:
    return statistics.median(_seconds(configuration, command) for _ in range(tries))


def _seconds(configuration: Path, command: tuple[str, ...]) -> float:
    started = time.perf_counter()
    done = subprocess.run([*MAILCASE, "--config", str(configuration), *command], capture_output=True)
    seconds = time.perf_counter() - started
    # `status` says by 1 that something wants an operator: nobody is behind the mailbox of this store.
    if done.returncode not in ((0, 1) if command == ("status",) else (0,)):
        raise RuntimeError(f"{command}: {done.stderr.decode()}")
    return seconds
