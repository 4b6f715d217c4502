"""Mail offered by LMTP on eight connections at once: how fast a peer says that it is durable."""

from __future__ import annotations

import smtplib
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.corpus import DESK, Corpus, Mail
from benchmarks.peers import Sink, configure, daemon, free_port, lmtp_receive
from benchmarks.rates import Round

CONNECTIONS = 8


def daemon_round(sink: Sink, folder: Path, corpus: Corpus) -> Round:
    """The daemon, which goes on to make cases of the mail while more of it comes in."""
    port = free_port()
    with daemon(configure(folder, receive=lmtp_receive(port), relay_port=sink.port)) as running:
        running.wait_for("daemon_started")
        seconds = offer(port, corpus.mails)
        running.wait_for("mail_handled", len(corpus.mails))
    return Round(mails_count=len(corpus.mails), seconds=seconds, peak_mib=running.memory.peak_mib)


def bare_round(folder: Path, corpus: Corpus) -> Round:
    """The bare handler."""
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "benchmarks.bare_lmtp", str(folder / "mail.db")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        seconds = offer(int(process.stdout.readline()), corpus.mails)
    finally:
        process.terminate()
        process.wait(10)
    return Round(mails_count=len(corpus.mails), seconds=seconds)


def offer(port: int, mails: Sequence[Mail]) -> float:
    """Delivers all mails, and returns the seconds from the first command to the last 250."""
    clients = [smtplib.LMTP("127.0.0.1", port, local_hostname="mx.example.org") for _ in range(CONNECTIONS)]
    for client in clients:
        client.ehlo()
    refused: list[Exception] = []
    threads = [
        threading.Thread(target=_deliver, args=(client, mails[number::CONNECTIONS], refused))
        for number, client in enumerate(clients)
    ]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    for client in clients:
        client.close()
    if refused:
        raise refused[0]
    return seconds


def _deliver(client: smtplib.LMTP, mails: Sequence[Mail], refused: list[Exception]) -> None:
    """What a relay does: one mail after the other, each taken before the next is offered."""
    try:
        for mail in mails:
            client.sendmail("person@customer.example", [DESK], mail.raw)
    except (smtplib.SMTPException, OSError) as error:
        refused.append(error)
