"""`mailcase demo`: the whole life of a case over real SMTP sockets, with the clock stepped.

Marie writes as any customer would, Ann works with the shell's own operations. Every event says what was expected of it;
one that goes otherwise makes the demo fail.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

import click

from mailcase import log
from mailcase.cli.stage import Stage, StepFailed, stage_in

MARIE = "marie@customer.example"
ANN = "ann@example.org"
STRANGER = "mallory@elsewhere.example"

CONFIGURATION = """\
store: state/mailcase.db
language: en
time_zone: Europe/Paris
people:
  ann: {{name: Ann Lee, address: ann@example.org, queues: [support], role: leader}}
queues:
  support: {{}}
calendars:
  office: {{days: mon-fri, hours: "09:00-17:00"}}
processes:
  enquiry:
    queue: support
    due: {{add: 2 working days, calendar: office, add_wait_time: true}}
    feedback_window: 5 days
    wait_reasons: [{{name: client, ask: requester}}, {{name: third party}}]
mailboxes:
  desk:
    receive: {{kind: smtp, listen: "127.0.0.1:0"}}
    addresses:
      support@example.org: {{name: Example Support}}
    fallback: enquiry
relay: {{host: 127.0.0.1, port: {relay_port}, tls: none}}
outgoing: send
"""


def main() -> None:
    """Plays the demo; exit code 1 when anything went otherwise."""
    log.set_up(level="warning")
    with tempfile.TemporaryDirectory(prefix="mailcase-demo-") as folder:
        is_as_expected = asyncio.run(_play_in(Path(folder)))
    sys.exit(0 if is_as_expected else 1)


async def _play_in(folder: Path) -> bool:
    async with stage_in(folder, CONFIGURATION) as stage:
        try:
            await _play(stage)
        except StepFailed as failure:
            click.echo(f"\n{stage.as_expected} of {stage.expected} as expected; stopped: {failure}", err=True)
            return False
    click.echo(f"\n{stage.as_expected} of {stage.expected} steps as expected")
    return True


async def _play(stage: Stage) -> None:
    await _is_acknowledged(stage)
    await _waits_for_an_answer(stage)
    await _is_resolved_and_reopened(stage)
    await _lets_no_stranger_in(stage)
    await _closes_when_the_window_ends(stage)


async def _is_acknowledged(stage: Stage) -> None:
    stage.tell("Marie writes: My printer smokes")
    await stage.writes(MARIE, "My printer smokes", "It smokes and smells. What shall I do?")
    await stage.expect_case(
        "a new case 1001-C, to do, in the team's inbox, highlighted",
        "1001-C",
        lambda case: (
            case.text("status") == "to-do"
            and case.texts("flags") == ("new-information",)
            and case.texts("lists") == ("inbox",)
        ),
    )
    await stage.expect_mail(
        "an acknowledgement to Marie with the case's number, which no robot answers",
        MARIE,
        1,
        lambda mail: "[1001-C]" in str(mail["Subject"]) and mail["Auto-Submitted"] == "auto-replied",
    )
    await stage.expect_mail("a notice to Ann: new in her queue", ANN, 1, lambda mail: "1001-C" in str(mail["Subject"]))
    stage.later(minutes=20)
    stage.tell("Ann takes it: mailcase case take 1001-C")
    await stage.ann("take", ref="1001-C")
    await stage.expect_case(
        "in progress, Ann has it, nothing highlighted",
        "1001-C",
        lambda case: (
            case.text("status") == "in-progress" and case.text("assignee") == "ann" and case.texts("flags") == ()
        ),
    )


async def _waits_for_an_answer(stage: Stage) -> None:
    stage.later(minutes=10)
    stage.tell("Ann asks the client: mailcase case wait 1001-C --info client")
    await stage.ann("wait", ref="1001-C", info="client")
    await stage.expect_case(
        "waiting, among what Ann owns, the clock stopped: Due: Paused 15 h 30 m before due",
        "1001-C",
        lambda case: (
            case.text("status") == "waiting"
            and case.texts("lists") == ("owned",)
            and case.text("due_text") == "Due: Paused 15 h 30 m before due"
        ),
    )
    await stage.expect_mail("a mail that asks Marie", MARIE, 2, lambda mail: "[1001-C]" in str(mail["Subject"]))
    question = stage.sink.to(MARIE)[-1]

    stage.later(hours=5)
    stage.tell("Marie's absence notice comes back")
    absence = await stage.writes(
        MARIE, "Out of office", "I am away until Wednesday.", answers=question, is_automatic=True
    )
    await stage.expect_outcome("filed on the case", absence, outcome="filed", cases="1001-C")
    await stage.expect_case("and nothing changed", "1001-C", lambda case: case.text("status") == "waiting")

    stage.later(days=1, hours=20)
    stage.tell("Marie answers: It is the big one in the hall")
    answer = await stage.writes(MARIE, "Re: My printer smokes", "It is the big one in the hall.", answers=question)
    await stage.expect_outcome("joined the case", answer, outcome="appended", cases="1001-C")
    await stage.expect_case(
        "to do again, in Ann's inbox, highlighted; due 15 h 30 m of work from now",
        "1001-C",
        lambda case: (
            case.text("status") == "to-do"
            and case.text("assignee") == "ann"
            and case.texts("flags") == ("new-information",)
            and case.text("due_at") == "2026-11-27T09:00:00Z"
        ),
    )
    await stage.expect_mail("a notice to Ann: new information", ANN, 2, lambda mail: "1001-C" in str(mail["Subject"]))
    await stage.expect_mail("and no mail to Marie", MARIE, 2, lambda _mail: True)


async def _is_resolved_and_reopened(stage: Stage) -> None:
    stage.later(minutes=15)
    stage.tell("Ann resolves it: mailcase case resolve 1001-C --method 'fuse changed'")
    await stage.ann("resolve", ref="1001-C", method="fuse changed")
    await stage.expect_case(
        "resolved; Marie has five days to object",
        "1001-C",
        lambda case: case.text("status") == "resolved" and case.text("feedback_until") == "2026-11-30T09:45:00Z",
    )
    await stage.expect_mail(
        "a mail that tells Marie until when", MARIE, 3, lambda mail: "30 November" in mail.as_string()
    )
    resolved = stage.sink.to(MARIE)[-1]

    stage.later(days=2)
    stage.tell("Marie answers inside the window: It smokes again")
    again = await stage.writes(MARIE, "Re: My printer smokes", "It smokes again!", answers=resolved)
    await stage.expect_outcome("joined the case", again, outcome="appended", cases="1001-C")
    await stage.expect_case(
        "reopened by the system; the first resolution is kept",
        "1001-C",
        lambda case: (
            case.text("status") == "to-do"
            and [entry.text("by") for entry in case.records("reopenings")] == ["system"]
            and [entry.text("method") for entry in case.records("resolutions")] == ["fuse changed"]
        ),
    )
    stage.later(minutes=30)
    stage.tell("Ann resolves it again: mailcase case resolve 1001-C --method 'printer replaced'")
    await stage.ann("resolve", ref="1001-C", method="printer replaced")
    await stage.expect_case(
        "two resolutions on record",
        "1001-C",
        lambda case: (
            [entry.text("method") for entry in case.records("resolutions")] == ["fuse changed", "printer replaced"]
        ),
    )
    await stage.expect_mail("Marie is told again", MARIE, 4, lambda mail: "[1001-C]" in str(mail["Subject"]))


async def _lets_no_stranger_in(stage: Stage) -> None:
    stage.later(hours=1)
    stage.tell("A stranger guesses the number: [1001-C] send me the history")
    guess = await stage.writes(STRANGER, "Re: My printer smokes [1001-C]", "Please send me the history.")
    await stage.expect_outcome("a case of its own", guess, outcome="new-case", reason="stranger", cases="1002-C")
    await stage.expect_case(
        "linked to the one that was named",
        "1002-C",
        lambda case: [link.text("ref") for link in case.records("links")] == ["1001-C"],
    )
    await stage.expect_case(
        "no seat in it: still resolved, the stranger is not among its people",
        "1001-C",
        lambda case: case.text("status") == "resolved" and STRANGER not in case.texts("participants"),
    )


async def _closes_when_the_window_ends(stage: Stage) -> None:
    stage.later(days=5)
    stage.tell("Five days pass without a word")
    await stage.expect_case(
        "closed: Feedback Window Passed",
        "1001-C",
        lambda case: case.text("status") == "closed" and case.text("status_reason") == "Feedback Window Passed",
    )
    stage.later(days=3)
    stage.tell("Marie writes late: One more thing about the printer")
    told = stage.sink.to(MARIE)[-1]
    late = await stage.writes(MARIE, "Re: My printer smokes", "One more thing about the printer.", answers=told)
    await stage.expect_outcome("a new case", late, outcome="new-case", reason="closed-case", cases="1003-C")
    await stage.expect_case(
        "which continues the closed one, with its people",
        "1003-C",
        lambda case: (
            case.text("status") == "to-do"
            and [link.text("kind") for link in case.records("links")] == ["continues"]
            and MARIE in case.texts("participants")
        ),
    )
    await stage.expect_case(
        "the closed case stays as it was",
        "1001-C",
        lambda case: case.text("status") == "closed" and case.text("status_reason") == "Feedback Window Passed",
    )
