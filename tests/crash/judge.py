"""Whether an installation kept its promises: the ledger and the sink's record against the shell's own answers.

The daemon is idle, and everything that anybody was ever told is looked at again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from email.parser import BytesHeaderParser
from typing import Any

from tests.crash.ledger import Wish
from tests.crash.lives import Installation

Row = dict[str, Any]

#: The mail that each command leads to, once, at once or when its time has come.
MAIL_OF = {"case.wait": "wait-over", "case.resolve": "resolved", "case.reply": "answer"}


@dataclass
class Verdict:
    """What was found; `lost` and `double` must be empty."""

    #: Somebody was told that it is done, and it is not, or it never ends.
    lost: list[str] = field(default_factory=list)
    #: Done twice, or done although nobody wanted it.
    double: list[str] = field(default_factory=list)
    #: Deliveries that may or may not have gone out, and say so.
    unknown: list[str] = field(default_factory=list)


@dataclass
class Evidence:
    """What the daemon shows."""

    mails: list[Row]
    cases: dict[str, Row]
    deliveries: list[Row]
    #: Copies in the sink, by (Message-ID, recipient).
    copies: Counter[tuple[str, str]]

    def notices(self, ref: str, notice: str) -> list[Row]:
        return [row for row in self.deliveries if (row["case"], row["notice"]) == (ref, notice)]


async def judge(installation: Installation) -> Verdict:
    """Judges an idle daemon."""
    evidence = await _gather(installation)
    verdict = Verdict()
    _judge_mails(installation, evidence, verdict)
    _judge_deliveries(installation, evidence, verdict)
    _judge_commands(installation, evidence, verdict)
    return verdict


async def _gather(installation: Installation) -> Evidence:
    mails, deliveries = await installation.asks("mail.list"), await installation.asks("outbox.list")
    refs = [row["ref"] for row in await installation.asks("case.list")]
    parser = BytesHeaderParser()
    copies = Counter(
        (str(parser.parsebytes(mail.raw)["Message-ID"]).strip("<>"), recipient)
        for mail in installation.sink.mails
        for recipient in mail.recipients
    )
    cases = {ref: await installation.asks("case.show", ref=ref) for ref in refs}
    return Evidence(mails=mails, cases=cases, deliveries=deliveries, copies=copies)


# ---- mail in ---------------------------------------------------------------------------------------------------------


def _judge_mails(installation: Installation, evidence: Evidence, verdict: Verdict) -> None:
    """R1, R2, R21: each mail that was taken has one row with one outcome, and its one place."""
    rows: defaultdict[str, list[Row]] = defaultdict(list)
    for row in evidence.mails:
        rows[row["message_id"]].append(row)
    for message_id, wish in sorted(installation.ledger.taken.items()):
        found = rows[message_id]
        if not found:
            verdict.lost.append(f"mail {message_id} is not there")
        elif len(found) > 1:
            verdict.double.append(f"mail {message_id} has {len(found)} rows")
        else:
            _judge_place(found[0], wish, evidence, verdict)
    opened = Counter(ref for row in evidence.mails if row["outcome"] == "new-case" for ref in row["cases"])
    for ref, case in evidence.cases.items():
        if opened[ref] != 1:
            verdict.double.append(f"{ref} of {case['requester']} was opened by {opened[ref]} mails")


def _judge_place(row: Row, wish: Wish, evidence: Evidence, verdict: Verdict) -> None:
    name = f"mail {row['message_id']}"
    if wish is Wish.REPORT:
        if row["outcome"] != "unhandled":
            verdict.lost.append(f"{name} is {row['outcome']}")
        return
    is_placed = row["outcome"] == "new-case" or (wish is Wish.ANSWER and row["outcome"] == "appended")
    if not is_placed or not row["cases"]:
        verdict.lost.append(f"{name} is {row['outcome']} ({row['reason']}) on {row['cases']}")
        return
    if len(row["cases"]) > 1:
        verdict.double.append(f"{name} is on {row['cases']}")
    ref = row["cases"][0]
    times = evidence.cases[ref]["mails"].count(row["id"])
    if times != 1:
        (verdict.double if times else verdict.lost).append(f"{name} is {times} times on {ref}")
    if wish is Wish.CASE:
        _judge_told(ref, evidence, verdict)


def _judge_told(ref: str, evidence: Evidence, verdict: Verdict) -> None:
    """R3, R5: the customer and the queue hear of a new case, once each."""
    for notice in ("acknowledgement", "new-in-queue"):
        count = len(evidence.notices(ref, notice))
        if count != 1:
            (verdict.double if count else verdict.lost).append(f"{ref}: {count} times {notice}")


# ---- mail out --------------------------------------------------------------------------------------------------------


def _judge_deliveries(installation: Installation, evidence: Evidence, verdict: Verdict) -> None:
    """R3: what was sent is at the peer exactly once; what is unknown says so, was begun at a kill, and is there at most
    once; nothing is left behind, and the peer has nothing else.
    """
    copies = evidence.copies.copy()
    for row in evidence.deliveries:
        name = f"{row['case']}: {row['notice']} {row['id']} to {row['to']}"
        count = copies.pop((row["message_id"], row["to"]), 0)
        if count > 1:
            verdict.double.append(f"{name} is there {count} times")
        if row["state"] == "unknown":
            verdict.unknown.append(f"{name}: {count} copies")
            _judge_unknown(installation, row, name, evidence, verdict)
        elif row["state"] != "sent":
            verdict.lost.append(f"{name} is {row['state']}")
        elif count == 0:
            verdict.lost.append(f"{name} is sent, and not there")
    verdict.double.extend(f"{count} times {message_id} to {to}" for (message_id, to), count in copies.items())


def _judge_unknown(installation: Installation, row: Row, name: str, evidence: Evidence, verdict: Verdict) -> None:
    """L32: it had begun when the daemon was killed, and the case of an open requester says so (T9, T9p)."""
    if row["id"] not in installation.ledger.begun:
        verdict.lost.append(f"{name} is unknown, and had not begun at any kill")
    case = evidence.cases[row["case"]]
    events = {entry["type"] for entry in case["timeline"]}
    is_told = bool(events & {"attention-raised", "delivery-failed"})
    if row["to"] == case["requester"] and not is_told and "case-resolved" not in events:
        verdict.lost.append(f"{name}: nobody is told that it is unknown")


# ---- commands and time -----------------------------------------------------------------------------------------------


def _judge_commands(installation: Installation, evidence: Evidence, verdict: Verdict) -> None:
    """A command is done once or, when the shell was told nothing, perhaps not at all; a wait ends once."""
    ledger = installation.ledger
    told = [entry["text"] for case in evidence.cases.values() for entry in case["timeline"]]
    for text, is_done in ledger.notes.items():
        _judge_count(f"note {text}", told.count(text), int(is_done), 1, verdict)
    for ref, case in evidence.cases.items():
        if is_over(case["wait"], installation.now()):
            verdict.lost.append(f"{ref} still waits: {case['wait']}")
        for operation, notice in MAIL_OF.items():
            # What still waits has its mail before it.
            is_ahead = operation == "case.wait" and case["wait"] is not None
            _judge_count(
                f"{ref}: {notice}",
                len(evidence.notices(ref, notice)),
                ledger.done[ref, operation] - is_ahead,
                ledger.given[ref, operation],
                verdict,
            )


def is_over(wait: Row | None, now: datetime) -> bool:
    """A wait whose time has come."""
    return wait is not None and wait["until"] is not None and datetime.fromisoformat(wait["until"]) <= now


def _judge_count(name: str, count: int, at_least: int, at_most: int, verdict: Verdict) -> None:
    if count < at_least:
        verdict.lost.append(f"{name}: {count} times, and {at_least} times said to be done")
    if count > at_most:
        verdict.double.append(f"{name}: {count} times, and asked for {at_most} times")
