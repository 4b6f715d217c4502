"""Whether an installation kept its promises, judged from the peer's ledger, the sink and the shell's own answers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.crash.lives import Installation


@dataclass
class Verdict:
    """What was found; `lost` and `double` must be empty."""

    #: Acknowledged and without an outcome or case, or an answer that never went out and nobody was told about.
    lost: list[str] = field(default_factory=list)
    #: One mail, two cases; one answer, two copies that were not called unknown.
    double: list[str] = field(default_factory=list)
    #: Deliveries that may or may not have gone out, and say so.
    unknown: list[str] = field(default_factory=list)


async def judge(installation: Installation) -> Verdict:
    """Judges an idle daemon over everything that was acknowledged to the peer; each of these mails asked for a case."""
    verdict = Verdict()
    mails = {row["message_id"]: row for row in reversed(await installation.asks("mail.list"))}
    rows = Counter(row["message_id"] for row in await installation.asks("mail.list"))
    cases = [await installation.asks("case.show", ref=row["ref"]) for row in await installation.asks("case.list")]
    deliveries = await installation.asks("outbox.list")
    for message_id in sorted(installation.ledger.acknowledged):
        mail = mails.get(message_id)
        if mail is None or len(mail["cases"]) != 1:
            verdict.lost.append(f"mail {message_id}: {mail}")
        elif rows[message_id] > 1:
            verdict.double.append(f"mail {message_id} has {rows[message_id]} rows")
    requesters = Counter(case["requester"] for case in cases)
    for case in cases:
        if requesters[case["requester"]] > 1:
            verdict.double.append(f"{case['requester']} has {requesters[case['requester']]} cases")
        acknowledgements = [
            row for row in deliveries if row["case"] == case["ref"] and row["notice"] == "acknowledgement"
        ]
        _judge_answer(installation, case, acknowledgements, verdict)
    return verdict


def _judge_answer(
    installation: Installation, case: dict[str, object], deliveries: list[dict[str, object]], verdict: Verdict
) -> None:
    """One acknowledgement went out, or the only one is unknown and the case wants a human because of it (T9, T9p)."""
    address = str(case["requester"])
    copies = [mail["Message-ID"] for mail in installation.copies_to(address)]
    if len(deliveries) != 1 or len(set(copies)) > 1:
        verdict.double.append(f"{case['ref']}: {len(deliveries)} acknowledgements, copies {copies}")
    elif deliveries[0]["state"] == "unknown":
        verdict.unknown.append(f"{case['ref']}: {len(copies)} copies")
        flags = case["flags"]
        if not isinstance(flags, list) or "needs-attention" not in flags:
            verdict.lost.append(f"{case['ref']}: nobody is told that its acknowledgement is unknown")
        if len(copies) > 1:
            verdict.double.append(f"{case['ref']}: {len(copies)} copies of an unknown acknowledgement")
    elif deliveries[0]["state"] != "sent" or len(copies) != 1:
        verdict.lost.append(f"{case['ref']}: acknowledgement {deliveries[0]['state']}, {len(copies)} copies")
