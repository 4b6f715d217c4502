"""`make bench`: plays everything, prints the figures, and keeps them."""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.servers.imap_servers import ImapServer

from benchmarks import latency, lmtp, seed, shell, stations
from benchmarks.corpus import Corpus
from benchmarks.peers import Sink, configure, imap_receive, imap_server, sink
from benchmarks.plan import Plan
from benchmarks.rates import Round, Track, acknowledgement_size
from benchmarks.report import Figure, table, write_json, write_page


class Bench:
    """One run on one set of servers."""

    def __init__(self, plan: Plan, server: ImapServer, sink: Sink, folder: Path) -> None:
        self._plan = plan
        self._server = server
        self._sink = sink
        self._folder = folder
        self._track = Track(server, sink, folder)
        self._details: list[str] = []
        self._peaks_mib: list[float] = []

    def run(self) -> tuple[list[Figure], list[str], dict[str, float]]:
        """The figures, their details in words, and the stations in milliseconds per mail."""
        rate, bare_rate = self._rates()
        lmtp_ratio = self._lmtp()
        scale_ratio, shell_seconds = self._scale()
        added_ms = latency.added_ms(self._server, self._sink, self._folder, self._plan.latency_mails)
        self._tell(f"Latency added, median {statistics.median(added_ms):.0f} ms, over {len(added_ms)} mails.")
        where = self._stations()
        figures = [
            Figure(key="bare_ratio", meaning="rate beside the bare loop", value=rate / bare_rate, bound=">= 0.8"),
            Figure(key="scale_ratio", meaning="rate with many cases stored", value=scale_ratio, bound=">= 0.85"),
            Figure(key="rss_peak_mib", meaning="memory, MiB", value=max(self._peaks_mib), bound="< 150"),
            Figure(
                key="latency_added_ms_p95",
                meaning="announcement to acknowledgement, ms, 95 of 100 mails",
                value=latency.percentile(added_ms, 95),
                bound="< 200",
            ),
            Figure(key="messages_per_second", meaning="messages per second", value=rate),
            Figure(key="bare_messages_per_second", meaning="the bare loop's", value=bare_rate),
            Figure(key="lmtp_ratio", meaning="LMTP intake beside bare aiosmtpd", value=lmtp_ratio, bound=">= 0.8"),
            Figure(key="shell_s_max", meaning="slowest command of the shell, s", value=shell_seconds, bound="< 0.5"),
        ]
        return figures, self._details, where

    def _rates(self) -> tuple[float, float]:
        """The daemon's and the bare loop's."""
        self._track.daemon_round("Warm", Corpus(100, seed=1))
        size = acknowledgement_size(self._folder / "Warm" / "state" / "mailcase.db")
        ours: list[Round] = []
        bare: list[Round] = []
        for number in range(self._plan.rounds):
            corpus = Corpus(self._plan.mails, seed=100 + number)
            ours.append(self._track.daemon_round(f"Daemon{number}", corpus))
            bare.append(self._track.bare_round(f"Bare{number}", corpus, size))
            self._tidy()
        self._peaks_mib += [each.peak_mib for each in ours]
        self._tell(
            f"{self._server.name}, rounds of {self._plan.mails} mails of {corpus.mean_bytes // 1000} KB mean, "
            f"alternating, messages per second: daemon {_listed(ours)}; bare loop {_listed(bare)}."
        )
        return _median_rate(ours), _median_rate(bare)

    def _lmtp(self) -> float:
        ours: list[Round] = []
        bare: list[Round] = []
        for number in range(self._plan.rounds):
            corpus = Corpus(self._plan.lmtp_mails, seed=300 + number)
            ours.append(lmtp.daemon_round(self._sink, self._folder / f"lmtp{number}", corpus))
            bare.append(lmtp.bare_round(self._folder / f"bare-lmtp{number}", corpus))
            self._tidy()
        self._peaks_mib += [each.peak_mib for each in ours]
        self._tell(
            f"LMTP on {lmtp.CONNECTIONS} connections, the same mail, messages per second: daemon {_listed(ours)}; "
            f"bare handler {_listed(bare)}."
        )
        return _median_rate(ours) / _median_rate(bare)

    def _scale(self) -> tuple[float, float]:
        """The ratio of the rates with many and with few cases, and the slowest command of the shell."""
        configurations = [self._seeded("few", self._plan.few_cases), self._seeded("many", self._plan.cases)]
        commands = shell.seconds_of_commands(configurations[1], self._plan.shell_tries)
        seconds = "; ".join(f"`{name}` {alone:.2f}, {beside:.2f}" for name, (alone, beside) in commands.items())
        self._tell(f"Seconds of the shell with {self._plan.cases} cases, alone and beside the daemon: {seconds}.")
        rounds: tuple[list[Round], list[Round]] = ([], [])
        for number in range(self._plan.rounds):
            corpus = Corpus(self._plan.mails, seed=500 + number)
            for found, configuration in zip(rounds, configurations, strict=True):
                store = configuration.parent / "state" / "mailcase.db"
                name = f"Scale{configuration.parent.name}{number}"
                found.append(self._track.daemon_round(name, corpus, store=store))
        few, many = rounds
        self._peaks_mib += [each.peak_mib for each in many]
        self._tell(
            f"With {self._plan.few_cases} cases stored {_listed(few)}, with {self._plan.cases} {_listed(many)} "
            "messages per second."
        )
        return _median_rate(many) / _median_rate(few), max(max(each) for each in commands.values())

    def _seeded(self, name: str, count: int) -> Path:
        # Read by nobody: what is seeded is in the store already.
        configuration = configure(
            self._folder / name, receive=imap_receive(self._server, "Seeded"), relay_port=self._sink.port
        )
        seed.seed(configuration, count)
        return configuration

    def _stations(self) -> dict[str, float]:
        """Milliseconds of processor time per mail."""
        corpus = Corpus(self._plan.mails, seed=700)
        program = (sys.executable, "-m", "benchmarks.stations")
        self._track.daemon_round("Stations", corpus, program=program)
        spent: dict[str, float] = json.loads((self._folder / "Stations" / stations.RESULT).read_text())
        return {name: seconds * 1000 / len(corpus.mails) for name, seconds in spent.items()}

    def _tell(self, detail: str) -> None:
        self._details.append(detail)
        print(detail, flush=True)

    def _tidy(self) -> None:
        """Stores of finished rounds only fill the disk."""
        for left in self._folder.glob("*[0-9]*"):
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()


def _listed(rounds: Sequence[Round]) -> str:
    return " ".join(f"{each.rate:.0f}" for each in rounds)


def _median_rate(rounds: Sequence[Round]) -> float:
    return statistics.median(each.rate for each in rounds)


def main() -> int:
    """Returns 1 when a figure that is demanded was missed."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mailcase-bench-") as folder, imap_server() as server, sink() as taker:
        figures, details, where = Bench(Plan(), server, taker, Path(folder)).run()
    write_json(figures)
    write_page(figures, details, where)
    print(f"\n{table(figures)}\n\n{time.monotonic() - started:.0f} s in all; kept in var/bench.json")
    return 0 if all(figure.is_reached for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
