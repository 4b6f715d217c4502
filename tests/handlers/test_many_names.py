"""However much a mail names, it costs, keeps and shows no more than a little (S10)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.handlers.office import ANN, BOB, SUPPORT, Office, raw_mail

from mailcase.core.case import Case, CaseId
from mailcase.core.effects import Effect
from mailcase.handlers.arrival import ANCESTORS_REMEMBERED
from mailcase.handlers.outcome import LINES_PER_RULE, Trace
from mailcase.handlers.workspace import Workspace
from mailcase.store.rows.cases import Anchor
from mailcase.store.rows.inbox import MailRow, Outcome, TraceStep
from mailcase.store.rows.lookup import Known, Wanted

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class Counted(str):
    """A Message-ID that counts how often one was compared with another."""

    comparisons = 0

    def __eq__(self, other: object) -> bool:
        Counted.comparisons += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


class WritesNothing:
    """In the place of the notices."""

    def write(self, workspace: Workspace, case: Case, effect: Effect) -> None: ...


def steps_of(row: MailRow, rule: str) -> list[TraceStep]:
    return [step for step in row.trace if step.rule == rule]


def test_S10_an_id_is_found_without_looking_at_the_others(office: Office) -> None:
    workspace = Workspace(Known(), ids=office.store.ids, processes={}, writer=WritesNothing(), now=NOW)
    count = 2000
    for number in range(count):
        name = Counted(f"{number}@x")
        workspace.add_anchor(Anchor(message_id=name, address=SUPPORT, case_id=CaseId(1001)))
    Counted.comparisons = 0

    for number in range(count):
        assert len(workspace.anchors(Counted(f"{number}@x"))) == 1
    assert len(workspace.message_ids(CaseId(1001))) == count

    assert Counted.comparisons < 10 * count


async def test_S10_of_a_mails_unseen_ancestors_only_the_nearest_are_remembered(office: Office) -> None:
    ids = [f"{number}@invented.example" for number in range(90)]

    await office.receives(raw_mail(refs=ids))

    known = await office.store.look_up(Wanted(message_ids=frozenset(ids)))
    assert set(known.anchors) == set(ids[-ANCESTORS_REMEMBERED:])


async def test_L18_the_nearest_unseen_ancestor_leads_its_own_mail_to_the_case(office: Office) -> None:
    await office.receives(raw_mail(refs=[f"{number}@x" for number in range(90)]))

    row = await office.receives(raw_mail(message_id="89@x"))

    assert (row.outcome, row.reason) == (Outcome.APPENDED, "named-before")


async def test_S10_of_many_tags_in_a_subject_the_first_few_are_looked_at(office: Office) -> None:
    await office.receives(raw_mail())

    row = await office.receives(raw_mail(subject="".join(f"[{number}-C]" for number in range(1, 300)) + "[1001-C]"))

    looked_at = steps_of(row, "subject-tag")
    assert [step.evidence for step in looked_at] == ["[1-C]", "[2-C]", "[3-C]", "[4-C]", "[5-C]", ""]
    assert looked_at[-1].result == "295 more tags in the subject, not looked at"
    assert row.outcome is Outcome.NEW_CASE


async def test_S10_a_trace_has_few_lines_of_each_rule_and_the_one_that_decided(office: Office) -> None:
    await office.receives(raw_mail(message_id="m1@x"))

    row = await office.receives(raw_mail(refs=["m1@x", *(f"{number}@x" for number in range(90))]))

    (*shown, found, more) = steps_of(row, "references")
    assert (row.outcome, row.reason) == (Outcome.APPENDED, "references")
    assert {step.result for step in shown} == {"no such case"}
    assert (len(shown), found.evidence, found.is_decisive) == (LINES_PER_RULE, "<m1@x>", True)
    assert more.result == "80 more, not shown"


def test_the_last_rule_that_decided_is_the_decisive_one() -> None:
    trace = Trace()
    trace.decide("in-reply-to", "<a@x>", "belongs to 1001-C")
    trace.decide("closed-case", "1001-C", "continued by the new 1002-C")
    trace.add("same-thread", "1003-C", "linked to 1002-C")

    assert [step.is_decisive for step in trace.steps] == [False, True, False]


@pytest.mark.parametrize(
    ("raw", "reason", "rule"),
    [
        (raw_mail(message_id="m2@x"), "routed", "route"),
        (raw_mail(BOB, subject="[1001-C]"), "stranger", "route"),
        (raw_mail(irt="m1@x"), "in-reply-to", "in-reply-to"),
        (raw_mail(message_id="m1@x"), "same-content", "duplicate"),
        (raw_mail(to="else@where.example", message_id="m3@x"), "not-addressed", "route"),
        (raw_mail(ANN, subject="[1001-C]"), "agent-note", "agent-note"),
        (raw_mail(irt="m1@x", headers=[("Auto-Submitted", "auto-replied")]), "machine-mail", "machine-mail"),
        (raw_mail("MAILER-DAEMON@mx.example", subject="failure"), "bounce-unmatched", "bounce"),
    ],
)
async def test_each_mail_has_one_decisive_step(office: Office, raw: bytes, reason: str, rule: str) -> None:
    await office.receives(raw_mail(message_id="m1@x"))

    row = await office.receives(raw)

    assert (row.reason, [step.rule for step in row.trace if step.is_decisive]) == (reason, [rule])


@pytest.mark.parametrize(
    ("closed", "reason", "rule"), [(True, "closed-case", "closed-case"), (False, "window-over", "window")]
)
async def test_what_ended_the_old_case_decides_that_there_is_a_new_one(
    office: Office, closed: bool, reason: str, rule: str
) -> None:
    await office.receives(raw_mail(message_id="m1@x"))
    await office.resolved()
    office.later(days=6)
    if closed:
        await office.ticks()

    row = await office.receives(raw_mail(irt="m1@x"))

    assert (row.reason, [step.rule for step in row.trace if step.is_decisive]) == (reason, [rule])
