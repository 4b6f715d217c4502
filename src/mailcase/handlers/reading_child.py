"""The process in which mail is read: `python -m mailcase.handlers.reading_child MEMORY_BYTES LIMIT_SECONDS`.

Frames on standard input and output: four bytes of length, then a pickle. The first one in is the reader, the first one
out says that this process is ready. Then for each mail in, in order, one out: what was read, or why it could not be.
"""

from __future__ import annotations

import pickle
import resource
import signal
import sys
from dataclasses import replace
from typing import BinaryIO

#: Length of the length.
PREFIX_BYTES = 4


def framed(value: object) -> tuple[bytes, bytes]:
    """One frame: its length, and the pickle."""
    content = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    return len(content).to_bytes(PREFIX_BYTES), content


def main(memory_bytes: int, limit_seconds: float) -> None:
    """Reads until its input ends."""
    # A Ctrl-C at the terminal is for the daemon, which ends this process by closing its input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, target = sys.stdin.buffer, sys.stdout.buffer
    reader = pickle.loads(_next_frame(source))  # noqa: S301 - from the daemon itself
    # After all imports: what a mail may cost is counted from here on.
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    _send(target, framed(None))
    while frame := _next_frame(source):
        claimed, now = pickle.loads(frame)  # noqa: S301 - from the daemon itself
        # The daemon ends a process that takes too long; this ends it where there is no daemon any more.
        signal.setitimer(signal.ITIMER_REAL, 2 * limit_seconds)
        try:
            answer = framed(replace(reader.read(claimed, now=now), claimed=replace(claimed, raw=b"")))
        except Exception as error:  # noqa: BLE001 - the mail's or ours, the daemon decides what follows
            answer = framed(repr(error))
        signal.setitimer(signal.ITIMER_REAL, 0)
        _send(target, answer)


def _next_frame(source: BinaryIO) -> bytes:
    """Empty at the end of the input."""
    length = int.from_bytes(source.read(PREFIX_BYTES))
    return source.read(length)


def _send(target: BinaryIO, frame: tuple[bytes, bytes]) -> None:
    target.writelines(frame)
    target.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
