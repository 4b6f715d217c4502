"""One mail at a time into a quiet mailbox: what the daemon adds to the server's own announcement of it.

A second connection waits in IDLE, as the daemon's does. The time runs from the EXISTS that it hears to the final dot of
the acknowledgement at the sink.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.imap_servers import ImapServer

from benchmarks.corpus import Corpus
from benchmarks.peers import Sink, configure, daemon, imap_receive

_FOLDER = "Latency"
#: Between two mails. Dovecot gathers changes for half a second: what the daemon did to the last mail must have been
#: announced, or the second connection hears of the next one sooner than the daemon can.
_QUIET_SECONDS = 0.8


class Listener:
    """A connection that hears what the server announces of one folder."""

    def __init__(self, server: ImapServer, folder: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port), 30)
        self._lines = self._socket.makefile("rb")
        self._lines.readline()
        self._command(f"a LOGIN {server.user} {server.secret.read_text()}", b"a OK")
        self._command(f"b SELECT {folder}", b"b OK")
        self._command("c IDLE", b"+")

    def _command(self, line: str, ending: bytes) -> None:
        self._socket.sendall(line.encode() + b"\r\n")
        while not (answer := self._lines.readline()).startswith(ending):
            if not answer or b" NO " in answer or b" BAD " in answer:
                raise RuntimeError(f"the server answers {line}: {answer!r}")

    def wait_for_mail(self) -> float:
        """The wall clock, seconds, of the next EXISTS."""
        while not self._lines.readline().endswith(b"EXISTS\r\n"):
            pass
        return time.time()

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


@contextmanager
def listening(server: ImapServer, folder: str) -> Iterator[Listener]:
    """A listener on a folder."""
    listener = Listener(server, folder)
    try:
        yield listener
    finally:
        listener.close()


def added_ms(server: ImapServer, sink: Sink, folder: Path, mails_count: int) -> list[float]:
    """For each mail, milliseconds from its announcement to its acknowledgement; ascending."""
    mails = [mail for mail in Corpus(mails_count * 2, seed=77).mails if not mail.is_answer][:mails_count]
    with server.program() as program:
        program.make(_FOLDER)
    # Moved mail would be gone before the server has announced it to the second connection.
    receive = imap_receive(server, _FOLDER, after="flag")
    configuration = configure(folder / _FOLDER, receive=receive, relay_port=sink.port)
    found: list[float] = []
    with daemon(configuration) as running, listening(server, _FOLDER) as listener, server.program() as program:
        running.wait_for("mailbox_first_contact")
        already = sink.taken().mails_count
        for count, mail in enumerate(mails, start=1):
            time.sleep(_QUIET_SECONDS)
            program.put(_FOLDER, mail.raw)
            announced_at = listener.wait_for_mail()
            found.append((sink.wait_for(already + count).last_at - announced_at) * 1000)
    return sorted(found)


def percentile(ascending: list[float], percent: int) -> float:
    """The value that this percentage does not exceed."""
    return ascending[min(len(ascending) - 1, len(ascending) * percent // 100)]
