"""The processes of a run: the IMAP server, the SMTP sink, the bare loop, and the daemon as the operator starts it."""

from __future__ import annotations

import json
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.servers.imap_servers import DOVECOT, ImapServer, running_dovecot, running_pymap

from benchmarks.corpus import DESK, Mail
from benchmarks.memory import Memory

#: Nothing in a run takes that long; whoever waits for more has found a fault.
DEADLINE_SECONDS = 300.0
_LOOK_EVERY_SECONDS = 0.01


@contextmanager
def imap_server() -> Iterator[ImapServer]:
    """Dovecot where it is installed, else pymap."""
    if Path(DOVECOT).exists():
        with running_dovecot() as server:
            yield server
    else:
        with tempfile.TemporaryDirectory() as folder, running_pymap(Path(folder)) as server:
            yield server


def fill(server: ImapServer, folder: str, mails: Sequence[Mail]) -> None:
    """Puts the mails into a new folder, in their order."""
    with server.program() as program:
        program.make(folder)
        for mail in mails:
            program.put(folder, mail.raw)


def count_in(server: ImapServer, folder: str) -> int:
    """How many mails are in the folder."""
    with server.program() as program:
        return len(program.uids(folder))


@dataclass(frozen=True, slots=True)
class Taken:
    """What the sink has taken so far."""

    mails_count: int
    bytes_count: int
    #: Wall clock, seconds.
    last_at: float


class Sink:
    """The SMTP server that takes the acknowledgements of every peer."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._smtp = smtplib.SMTP("127.0.0.1", port, timeout=10)

    def taken(self) -> Taken:
        _code, answer = self._smtp.docmd("XSEEN")
        mails, size, last_at = answer.split()
        return Taken(int(mails), int(size), float(last_at))

    def wait_for(self, mails_count: int) -> Taken:
        """Returns once it has taken so many in all."""
        wait_until(lambda: self.taken().mails_count >= mails_count, f"{mails_count} acknowledgements")
        return self.taken()

    def close(self) -> None:
        self._smtp.close()


@contextmanager
def sink() -> Iterator[Sink]:
    """The sink, in a process of its own."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.sink"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        here = Sink(int(process.stdout.readline()))
        yield here
        here.close()
    finally:
        process.terminate()
        process.wait(10)


def wait_until(is_so: Any, what: str) -> None:
    """Asks again and again, with a deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come")
        time.sleep(_LOOK_EVERY_SECONDS)


_CONFIGURATION = """\
store: {store}
socket: {folder}/mailcase.sock
time_zone: Europe/Paris
people:
  ann: {{name: Ann Lee, address: ann@example.org}}
processes:
  enquiry:
    feedback_window: 5 days
    # The bare loop writes an acknowledgement and nothing else.
    notices: {{new-in-queue: false, new-information: false}}
mailboxes:
  desk:
    receive: {receive}
    addresses: {{{desk}: {{name: Example Support}}}}
    fallback: enquiry
relay: {{host: 127.0.0.1, port: {relay_port}, tls: none}}
"""


def imap_receive(server: ImapServer, folder: str, *, after: str = "") -> str:
    """The `receive` of a mailbox that takes everything in a folder and, unless told otherwise, moves it."""
    return (
        f"{{kind: imap, host: 127.0.0.1, port: {server.port}, tls: none, user: {server.user}, "
        f"password_file: {server.secret}, folder: {folder}, after: {after or f'{{move: {folder}-done}}'}, start: all}}"
    )


def lmtp_receive(port: int) -> str:
    """The `receive` of a listener."""
    return f'{{kind: lmtp, listen: "127.0.0.1:{port}"}}'


def configure(folder: Path, *, receive: str, relay_port: int, store: Path | None = None) -> Path:
    """Writes a configuration; returns its file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "config.yaml"
    file.write_text(
        _CONFIGURATION.format(
            store=store or folder / "state" / "mailcase.db",
            folder=folder,
            receive=receive,
            desk=DESK,
            relay_port=relay_port,
        )
    )
    return file


class RunningDaemon:
    """`mailcase run` with its log; what it says is read from there as it comes."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, memory: Memory) -> None:
        self.process = process
        self.memory = memory
        self._log = log.open("rb")
        self._rest = b""
        self._events: list[dict[str, Any]] = []

    def events(self, name: str) -> list[dict[str, Any]]:
        """The lines of that name so far."""
        *lines, self._rest = (self._rest + self._log.read()).split(b"\n")
        self._events += [json.loads(line) for line in lines if line.startswith(b"{")]
        return [event for event in self._events if event["event"] == name]

    def wait_for(self, name: str, count: int = 1) -> float:
        """Returns when that event has come so often: the wall clock, seconds, of the last of them."""
        self._await(name, count)
        return datetime.fromisoformat(self.events(name)[count - 1]["timestamp"]).timestamp()

    def _await(self, name: str, count: int) -> None:
        def is_there() -> bool:
            if self.process.poll() is not None:
                raise RuntimeError(f"the daemon ended with {self.process.returncode}: {self._log.name}")
            return len(self.events(name)) >= count

        wait_until(is_there, f"{count} times {name}")

    def stop(self) -> None:
        """A clean stop."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        if code != 0:
            raise RuntimeError(f"the daemon ended with {code}: {self._log.name}")

    def close(self) -> None:
        self._log.close()


#: The command line of the daemon, as it is installed.
MAILCASE = (str(Path(sys.executable).with_name("mailcase")),)


@contextmanager
def daemon(configuration: Path, *, program: Sequence[str] = MAILCASE) -> Iterator[RunningDaemon]:
    """The daemon from a configuration, as the shell starts it; stopped at the end."""
    log = configuration.parent / "log"
    command = [*program, "--config", str(configuration), "run"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    running = RunningDaemon(process, log, Memory(process.pid))
    running.memory.start()
    try:
        yield running
        running.stop()
    finally:
        running.memory.stop()
        if process.poll() is None:
            process.kill()
            process.wait(10)
        running.close()


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
