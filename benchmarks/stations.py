"""Where the time goes: the processor time of the daemon's threads, told apart by the station that each was in.

`python -m benchmarks.stations --config FILE run` is `mailcase run` with a look at all threads every two milliseconds of
processor time: what a thread's clock has gone on since, by the kernel's count, went to the station that it is found in.
Nothing in the daemon is changed. The result is left beside the configuration.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import threading
from collections import defaultdict
from pathlib import Path
from types import FrameType

from mailcase.cli import main
from mailcase.store.port import Point

RESULT = "stations.json"
_LOOK_EVERY_SECONDS = 0.002
_REST = "loops and event loop"
_READ = "read"
_FIRST = "receive"
#: The stations in the order of the path.
STATIONS = (
    _FIRST,
    "accept",
    "claim",
    _READ,
    "look up",
    "match and decide",
    "write the acknowledgement",
    "save",
    "claim for sending",
    "journal",
    "send",
    "settle",
    "acknowledge to IMAP",
    "log",
    _REST,
)
_COMMITS = {
    Point.ACCEPT: "accept",
    Point.CLAIM_INBOX: "claim",
    Point.SAVE_MAIL: "save",
    Point.CLAIM_OUTBOX: "claim for sending",
    Point.JOURNAL: "journal",
    Point.SETTLE: "settle",
}
#: By a part of the file's path, and the function where that tells more; the first that fits a frame counts, and the
#: innermost frame that any of them fits.
_PLACES: tuple[tuple[str, str, str], ...] = (
    ("/structlog/", "", "log"),
    ("/mailcase/log.py", "", "log"),
    ("/mailcase/store/sqlite.py", "_snapshot", "look up"),
    ("/mailcase/outbound/templates.py", "", "write the acknowledgement"),
    ("/mailcase/outbound/compose.py", "", "write the acknowledgement"),
    ("/mailcase/handlers/notices.py", "", "write the acknowledgement"),
    ("/mailcase/handlers/read", "", _READ),
    ("/mailcase/mail/", "", _READ),
    ("/mailcase/outbound/", "", "send"),
    ("/aiosmtplib/", "", "send"),
    ("/mailcase/inbound/imap.py", "move", "acknowledge to IMAP"),
    ("/mailcase/inbound/imap", "", "receive"),
    ("/mailcase/inbound/", "", "receive"),
    ("/mailcase/core/", "", "match and decide"),
    ("/mailcase/handlers/", "", "match and decide"),
)


class Sampler:
    """Counts processor time by station between `start` and `stop`; both on the main thread, which runs the event loop.

    A signal, not a thread: a thread would get its turn whenever the loop waits, and never see what it does.
    """

    def __init__(self) -> None:
        #: Seconds.
        self.spent: defaultdict[str, float] = defaultdict(float)
        self._clocks: dict[int, int] = {}
        #: Where each thread was last found at work.
        self._last: dict[int, str] = {}
        self._has_begun = False

    def start(self) -> None:
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, _LOOK_EVERY_SECONDS, _LOOK_EVERY_SECONDS)

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        # What mail is read in is a process of its own.
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.spent[_READ] += children.ru_utime + children.ru_stime

    def _look(self, _signal: int, here: FrameType | None) -> None:
        frames = sys._current_frames()
        for thread in threading.enumerate():
            if thread.ident is None or thread.native_id is None:
                continue
            frame = here if thread is threading.main_thread() else frames.get(thread.ident)
            station = _station(frame)
            if station == _REST and thread is not threading.main_thread():
                # Between two pieces of work: what it used went to the last one.
                station = self._last.get(thread.native_id, _REST)
            self._last[thread.native_id] = station
            self._count(station, self._used(thread.native_id))

    def _count(self, station: str, seconds: float) -> None:
        if station == _FIRST and not self._has_begun:
            # What was spent until now was the start.
            self.spent.clear()
            self._has_begun = True
        self.spent[station] += seconds

    def _used(self, native_id: int) -> float:
        """Seconds of processor time since the last look."""
        try:
            clock = int(Path(f"/proc/self/task/{native_id}/schedstat").read_text().split()[0])
        except OSError:
            return 0.0
        before, self._clocks[native_id] = self._clocks.get(native_id, clock), clock
        return (clock - before) / 1e9


def _station(frame: FrameType | None) -> str:
    while frame is not None:
        file, function = frame.f_code.co_filename, frame.f_code.co_name
        if file.endswith("/mailcase/store/commits.py") and function in ("_work", "_commit"):
            # What a whole group costs beside its statements is put down to the first in it.
            of_frame = frame.f_locals
            transaction = of_frame["transaction"] if function == "_work" else of_frame["group"][0]
            return _COMMITS.get(transaction.point, _REST)
        for part, name, station in _PLACES:
            if part in file and name in ("", function):
                return station
        frame = frame.f_back
    return _REST


def _configuration(arguments: list[str]) -> Path:
    return Path(arguments[arguments.index("--config") + 1])


if __name__ == "__main__":
    sampler = Sampler()
    sampler.start()
    try:
        main()
    finally:
        sampler.stop()
        result = _configuration(sys.argv).with_name(RESULT)
        result.write_text(json.dumps({name: sampler.spent[name] for name in STATIONS}))
