"""A mailbox full of mail, worked off by one peer: from the open folder to the last acknowledgement and move."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import cast

from tests.servers.imap_servers import ImapServer

from benchmarks.corpus import Corpus
from benchmarks.peers import MAILCASE, Sink, configure, count_in, daemon, fill, imap_receive, wait_until


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one peer did with one mailbox."""

    mails_count: int
    seconds: float
    peak_mib: float = 0.0

    @property
    def rate(self) -> float:
        """Messages per second."""
        return self.mails_count / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgementSize:
    """Length of the two bodies of an acknowledgement of the daemon's."""

    text_bytes: int
    html_bytes: int


class Track:
    """The servers that all peers run on, and the folder for what they leave behind."""

    def __init__(self, server: ImapServer, sink: Sink, folder: Path) -> None:
        self.server = server
        self.sink = sink
        self.folder = folder

    def daemon_round(
        self, name: str, corpus: Corpus, *, store: Path | None = None, program: Sequence[str] = MAILCASE
    ) -> Round:
        """The daemon, from its start on; what it leaves in its store is checked."""
        fill(self.server, name, corpus.mails)
        already = self.sink.taken().mails_count
        configuration = configure(
            self.folder / name, receive=imap_receive(self.server, name), relay_port=self.sink.port, store=store
        )
        with daemon(configuration, program=program) as running:
            started_at = running.wait_for("mailbox_connected")
            settled_at = running.wait_for("delivery_settled", corpus.openers_count)
            handled_at = running.wait_for("mail_handled", len(corpus.mails))
            ended_at = max(settled_at, handled_at, self._moved_at(name, corpus))
        taken_count = self.sink.taken().mails_count - already
        if taken_count != corpus.openers_count:
            raise RuntimeError(f"{corpus.openers_count} acknowledgements were due, the sink has {taken_count}")
        return Round(mails_count=len(corpus.mails), seconds=ended_at - started_at, peak_mib=running.memory.peak_mib)

    def _moved_at(self, name: str, corpus: Corpus) -> float:
        """When all mail was seen to be moved: 0 if it was when everything else had been done, else now."""

        def is_moved() -> bool:
            return count_in(self.server, f"{name}-done") == len(corpus.mails)

        if is_moved():
            return 0.0
        wait_until(is_moved, "the last move")
        return time.time()

    def bare_round(self, name: str, corpus: Corpus, size: AcknowledgementSize) -> Round:
        """The bare loop, which tells its own time: its start and its log-in do not count."""
        fill(self.server, name, corpus.mails)
        database = self.folder / f"{name}.db"
        options = {
            "imap-port": self.server.port,
            "user": self.server.user,
            "secret": self.server.secret.read_text(),
            "folder": name,
            "smtp-port": self.sink.port,
            "text-bytes": size.text_bytes,
            "html-bytes": size.html_bytes,
            "database": database,
        }
        already = self.sink.taken().mails_count
        command = [
            sys.executable,
            "-m",
            "benchmarks.bare_loop",
            *(f"--{key}={value}" for key, value in options.items()),
        ]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        taken_count = self.sink.taken().mails_count - already
        if taken_count != corpus.openers_count or count_in(self.server, f"{name}-done") != len(corpus.mails):
            raise RuntimeError(f"the bare loop acknowledged {taken_count} of {corpus.openers_count}")
        return Round(mails_count=len(corpus.mails), seconds=float(output))


def acknowledgement_size(store: Path) -> AcknowledgementSize:
    """As the daemon wrote them into its outbox, on average."""
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as database:
        raws = [row[0] for row in database.execute("SELECT raw FROM outgoing ORDER BY id LIMIT 100")]
    bodies = [[_length(part) for part in message_from_bytes(raw).walk() if not part.is_multipart()] for raw in raws]
    return AcknowledgementSize(
        text_bytes=sum(body[0] for body in bodies) // len(bodies),
        html_bytes=sum(body[1] for body in bodies) // len(bodies),
    )


def _length(part: Message) -> int:
    return len(cast(bytes, part.get_payload(decode=True)))
