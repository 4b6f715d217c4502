"""What a mail does to the case it belongs to (EM-20...EM-25, T18, T22, T23, T26, T30; 8.34, 8.37)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.handlers.office import (
    ANN,
    BOB,
    MARIE,
    SALES,
    SUPPORT,
    Office,
    OfficeOf,
    answer_to,
    body_of,
    raw_mail,
    rules,
)

from mailcase.core.case import SYSTEM, CaseId, Flag, Link, LinkKind, ReopeningCause, Status, StatusReason, WaitType
from mailcase.store.rows.cases import Role
from mailcase.store.rows.inbox import Outcome

WINDOW = timedelta(days=5)
BOSS = "boss@customer.example"


@pytest.fixture
async def office(office: Office) -> Office:
    """With a case of Marie's, which everybody has read."""
    await office.receives(raw_mail(message_id="m1@customer.example", cc=BOSS))
    await office.does("case.read", ref="1001-C")
    return office


async def answers(
    office: Office, *, at: datetime | None = None, number: int = 2
) -> tuple[Outcome, str | None, tuple[int, ...]]:
    raw = raw_mail(irt="m1@customer.example", message_id=f"m{number}@customer.example", text=f"Mail {number}")
    row = await office.receives(raw, at=at)
    return row.outcome, row.reason, row.case_ids


JOINED = (Outcome.APPENDED, "in-reply-to", (1001,))


async def test_EM_20_to_do_stays_and_is_highlighted(office: Office) -> None:
    assert await answers(office) == JOINED

    case = await office.case()
    assert (case.status, case.new_information, case.holder.queue) == (Status.TO_DO, True, "support")


async def test_EM_20_in_progress_stays_and_whoever_has_it_is_told(office: Office) -> None:
    await office.does("case.take", ref="1001-C", as_="carl")

    assert await answers(office) == JOINED

    case = await office.case()
    assert (case.status, case.new_information, case.holder.assignee) == (Status.IN_PROGRESS, True, "carl")
    assert (await office.notices())[-1] == ("new-information", "carl@example.org")


async def test_EM_20_draft_stays_a_draft(office: Office) -> None:
    await office.does("case.new", process="enquiry", subject="By hand", requester=MARIE)

    row = await office.receives(raw_mail(subject="[1002-C] more"))

    case = await office.case("1002-C")
    assert (row.outcome, case.status, case.new_information) == (Outcome.APPENDED, Status.DRAFT, True)


async def test_EM_21_T18_an_answer_ends_the_wait_for_it(office: Office) -> None:
    """Check 3 of 9.2."""
    await office.does("case.take", ref="1001-C")
    await office.does("case.wait", ref="1001-C", info="client")
    office.later(days=1)

    assert await answers(office) == JOINED

    case = await office.case()
    assert (case.status, case.status_reason) == (Status.TO_DO, StatusReason.NEW_INFORMATION_RECEIVED)
    assert (case.wait, case.flags, case.holder.assignee) == (None, (Flag.NEW_INFORMATION,), "ann")


async def test_EM_21_T22_until_goes_on_and_is_highlighted(office: Office) -> None:
    """Check 6 of 9.2."""
    until = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)
    await office.does("case.wait", ref="1001-C", until=until.isoformat())
    due_at = (await office.case()).due_at

    assert await answers(office) == JOINED

    case = await office.case()
    assert (case.status, case.wait and case.wait.until, case.new_information) == (Status.WAITING, until, True)
    assert case.due_at == due_at
    office.later(days=7)
    await office.ticks()
    assert (await office.case()).status is Status.TO_DO


async def test_EM_21_T22_on_hold_goes_on_whatever_comes(office: Office) -> None:
    """Check 7 of 9.2."""
    await office.does("case.wait", ref="1001-C", hold=True)

    for number in range(2, 12):
        assert await answers(office, number=number) == JOINED
    office.later(days=365)
    await office.ticks()

    case = await office.case()
    assert (case.status, case.wait and case.wait.type, case.new_information) == (
        Status.WAITING,
        WaitType.ON_HOLD,
        True,
    )


async def test_EM_22_T26_an_answer_inside_the_window_reopens(office: Office) -> None:
    """Check 8 of 9.2."""
    await office.resolved()
    office.later(days=3)

    assert await answers(office) == JOINED

    case = await office.case()
    assert (case.status, case.new_information, case.feedback_until) == (Status.TO_DO, True, None)
    assert [(entry.by, entry.cause) for entry in case.reopenings] == [(SYSTEM, ReopeningCause.MAIL)]
    await office.resolved()
    assert len((await office.case()).resolutions) == 2


async def test_T26_the_last_moment_of_the_window_is_inside_and_its_end_is_not(office: Office) -> None:
    await office.resolved()
    end = office.now + WINDOW
    office.later(days=5)

    late = await answers(office, at=end)
    inside = await answers(office, at=end - timedelta(microseconds=1), number=3)

    assert late == (Outcome.NEW_CASE, "window-over", (1002,))
    assert inside == JOINED


async def test_EM_24_T30_a_mail_to_a_closed_case_makes_a_new_one_that_continues_it(office: Office) -> None:
    """Check 9 of 9.2."""
    await office.closed()
    before = await office.bundle()

    assert await answers(office) == (Outcome.NEW_CASE, "closed-case", (1002,))

    case = await office.case("1002-C")
    assert (case.status, case.links) == (Status.TO_DO, (Link(kind=LinkKind.CONTINUES, other=CaseId(1001)),))
    after = await office.bundle()
    assert (after.case, after.timeline, after.mail_ids) == (before.case, before.timeline, before.mail_ids)


async def test_EM_25_the_people_and_mails_of_the_closed_case_are_copied(office: Office) -> None:
    await office.closed()
    old = (await office.bundle()).mail_ids

    await answers(office)

    assert (await office.bundle("1002-C")).mail_ids[:-1] == old
    assert await office.roles("1002-C") == {MARIE: Role.REQUESTER, BOSS: Role.SEEN}


async def test_EM_25_whoever_was_only_seen_does_not_become_the_requester(office: Office) -> None:
    """What we answer on the new case goes to whom it concerned on the old one; nobody is told of another's mail."""
    await office.closed()
    told = await office.deliveries(MARIE)

    row = await office.receives(raw_mail(BOSS, irt="m1@customer.example"))

    assert (row.outcome, row.reason, row.case_ids) == (Outcome.NEW_CASE, "closed-case", (1002,))
    assert await office.roles("1002-C") == {MARIE: Role.REQUESTER, BOSS: Role.SEEN}
    assert (await office.case("1002-C")).requester == (await office.case()).requester
    assert (await office.deliveries(MARIE), await office.deliveries(BOSS)) == (told, [])
    await office.does("case.reply", ref="1002-C", text="We look into it.")
    assert "We look into it." in body_of((await office.mails_to(MARIE))[-1])


async def test_EM_25_a_third_party_stays_one_and_the_requester_writes_on_the_new_case(office: Office) -> None:
    await office.does("case.reply", ref="1001-C", text="Have you a spare one?", to=BOB, wait="third party")
    question = (await office.mails_to(BOB))[0]
    await office.does("case.todo", ref="1001-C")
    await office.closed()

    row = await office.receives(answer_to(question, BOB, text="Yes, still"))

    assert (row.outcome, row.case_ids) == (Outcome.NEW_CASE, (1002,))
    assert await office.roles("1002-C") == {MARIE: Role.REQUESTER, BOSS: Role.SEEN, BOB: Role.THIRD_PARTY}
    assert await answers(office, number=3) == (Outcome.APPENDED, "in-reply-to", (1002,))
    assert [notice for notice, to in await office.notices() if to == BOB] == ["answer"]


async def test_EM_25_a_case_without_requester_is_continued_by_one_without(office: Office) -> None:
    await office.does("case.new", process="enquiry", subject="A spare printer")
    await office.does("case.submit", ref="1002-C")
    await office.does("case.reply", ref="1002-C", text="Have you a spare one?", to=BOB, wait="third party")
    await office.does("case.todo", ref="1002-C")
    await office.closed("1002-C")

    row = await office.receives(answer_to((await office.mails_to(BOB))[0], BOB, text="Yes"))

    assert (row.outcome, row.case_ids) == (Outcome.NEW_CASE, (1003,))
    assert ((await office.case("1003-C")).requester, await office.roles("1003-C")) == (None, {BOB: Role.THIRD_PARTY})


async def test_EM_25_the_acknowledgement_names_the_case_that_it_continues(office: Office) -> None:
    await office.closed()

    await answers(office)

    assert "1001-C" in body_of((await office.mails_to(MARIE))[-1])


async def test_ST_24_a_cancelled_case_is_closed_for_mail(office: Office) -> None:
    await office.does("case.cancel", ref="1001-C", yes=True)

    assert await answers(office) == (Outcome.NEW_CASE, "closed-case", (1002,))


async def test_8_37_later_mail_joins_the_continuing_case_while_it_is_open(office: Office) -> None:
    await office.closed()
    await answers(office)

    second = await answers(office, number=3)
    boss = await office.receives(raw_mail("boss@customer.example", subject="[1001-C]"))

    assert second == (Outcome.APPENDED, "in-reply-to", (1002,))
    assert (boss.outcome, boss.case_ids) == (Outcome.APPENDED, (1002,))


async def test_8_37_within_one_batch_there_is_one_continuing_case_too(office: Office) -> None:
    await office.closed()

    rows = await office.receives_together(*(raw_mail(irt="m1@customer.example", text=str(n)) for n in range(3)))

    assert [row.case_ids for row in rows] == [(1002,)] * 3


async def test_8_37_mail_reopens_a_continuing_case_that_is_resolved(office: Office) -> None:
    await office.closed()
    await answers(office)
    await office.resolved("1002-C")

    assert await answers(office, number=3) == (Outcome.APPENDED, "in-reply-to", (1002,))
    assert (await office.case("1002-C")).status is Status.TO_DO


async def test_8_37_a_new_case_follows_when_the_continuing_one_is_closed_too(office: Office) -> None:
    await office.closed()
    await answers(office)
    await office.closed("1002-C")

    assert await answers(office, number=3) == (Outcome.NEW_CASE, "closed-case", (1003,))
    assert await answers(office, number=4) == (Outcome.APPENDED, "in-reply-to", (1003,))


async def test_L16_a_stranger_to_the_closed_case_does_not_join_the_continuing_one(office: Office) -> None:
    await office.closed()
    await answers(office)

    row = await office.receives(raw_mail(BOB, subject="[1001-C]"))

    assert (row.outcome, row.reason, row.case_ids) == (Outcome.NEW_CASE, "stranger", (1003,))
    assert row.id not in (await office.bundle("1002-C")).mail_ids


async def test_L16_the_linked_case_of_a_stranger_is_not_the_continuing_one(office: Office) -> None:
    await office.closed()
    await office.receives(raw_mail(BOB, subject="[1001-C]"))

    assert await answers(office) == (Outcome.NEW_CASE, "closed-case", (1003,))


async def test_T30_the_continuing_case_is_made_where_the_old_one_was(office: Office) -> None:
    await office.closed()

    row = await office.receives(raw_mail(to=SALES, cc=SUPPORT, irt="m1@customer.example"))

    case = await office.case("1002-C")
    assert (row.case_ids, case.address, case.process) == ((1002,), SUPPORT, "enquiry")


async def test_T30_a_conversation_that_moved_is_continued_where_it_goes_now(office: Office) -> None:
    await office.closed()

    await office.receives(raw_mail(to=SALES, irt="m1@customer.example"))

    assert (await office.case("1002-C")).process == "offer"


async def test_L37_late_mail_that_no_route_takes_is_not_turned_away(office: Office) -> None:
    await office.closed()

    row = await office.receives(raw_mail(to="somebody@else.example", irt="m1@customer.example"))

    assert (row.outcome, row.reason, row.case_ids) == (Outcome.NEW_CASE, "closed-case", (1002,))
    assert ("route", "the process of the closed case: enquiry") in rules(row)


# Windows wait for the mail (docs/decisions/0002)


async def test_a_mail_that_arrived_inside_the_window_reopens_however_late_it_is_read(office: Office) -> None:
    await office.resolved()
    inside = office.now + timedelta(days=4)
    office.stuck["desk"] = office.now + timedelta(hours=1)
    office.later(days=30)

    assert await office.ticks() > 0 or (await office.case()).status is Status.RESOLVED
    held = (await office.case()).status
    answer = await answers(office, at=inside)

    assert (held, answer) == (Status.RESOLVED, JOINED)
    case = await office.case()
    assert (case.status, len(case.reopenings)) == (Status.TO_DO, 1)


async def test_a_mail_after_the_end_of_a_window_that_is_still_held_makes_a_new_case(office: Office) -> None:
    await office.resolved()
    office.later(days=6)

    assert await answers(office) == (Outcome.NEW_CASE, "window-over", (1002,))

    assert (await office.case("1002-C")).links == (Link(kind=LinkKind.CONTINUES, other=CaseId(1001)),)
    assert (await office.case()).status is Status.RESOLVED


async def test_8_37_two_mails_after_the_end_of_a_held_window_make_one_new_case(office: Office) -> None:
    await office.resolved()
    office.later(days=6)
    await answers(office)

    assert await answers(office, number=3) == (Outcome.APPENDED, "in-reply-to", (1002,))


async def test_an_earlier_mail_read_after_a_late_one_still_reopens(office: Office) -> None:
    await office.resolved()
    inside = office.now + timedelta(days=4)
    office.later(days=6)
    await answers(office)

    assert await answers(office, at=inside, number=3) == JOINED
    assert (await office.case()).status is Status.TO_DO


async def test_a_thread_that_a_late_mail_has_split_says_so_on_both_cases(office: Office) -> None:
    """The late mail made a case that somebody has read already; then the mail from inside the window is read."""
    await office.resolved()
    inside = office.now + timedelta(days=4)
    office.later(days=6)
    await answers(office)
    await office.does("case.read", ref="1002-C")

    await answers(office, at=inside, number=3)

    for ref in ("1001-C", "1002-C"):
        case = await office.case(ref)
        assert (case.status, case.new_information, case.attention) == (Status.TO_DO, True, None)
        (note,) = await office.notes(ref)
        assert "1001-C" in note
        assert "1002-C" in note


async def test_a_split_thread_disturbs_nobody_who_works_on_it(office: Office) -> None:
    await office.resolved()
    inside = office.now + timedelta(days=4)
    office.later(days=6)
    await answers(office)
    await office.does("case.take", ref="1002-C", as_="carl")

    await answers(office, at=inside, number=3)

    case = await office.case("1002-C")
    assert (case.status, case.holder.assignee, case.new_information) == (Status.IN_PROGRESS, "carl", True)


async def test_a_reopening_without_a_continuing_case_has_no_note(office: Office) -> None:
    await office.resolved()

    await answers(office)

    assert await office.notes() == []


async def test_a_window_waits_for_mail_that_is_ours_and_not_handled_yet(office: Office) -> None:
    """Taken in is not judged; a backlog must not close what it answers."""
    await office.resolved()
    inside = office.now + timedelta(days=4)
    office.later(days=6)
    await office.accepts(raw_mail(irt="m1@customer.example"), at=inside)

    await office.ticks()
    held = (await office.case()).status
    await office.handles()

    assert held is Status.RESOLVED
    assert (await office.case()).status is Status.TO_DO


async def test_a_window_does_not_wait_for_unhandled_mail_that_arrived_after_it(office: Office) -> None:
    await office.resolved()
    office.later(days=6)
    await office.accepts(raw_mail(irt="m1@customer.example"))

    await office.ticks()

    assert (await office.case()).status is Status.CLOSED


async def test_the_clock_of_a_case_begins_when_its_mail_arrived(office_of: OfficeOf, tmp_path: object) -> None:
    """L38."""
    office = await office_of(THREE_DAYS)
    arrived_at = office.now - timedelta(days=2)

    await office.receives(raw_mail(headers=[("Date", "Fri, 01 Jan 1999 00:00:00 +0000")]), at=arrived_at)

    case = await office.case()
    assert (case.created_at, case.due_at) == (arrived_at, arrived_at + timedelta(days=3))


THREE_DAYS = """\
store: mailcase.db
people: {ann: {address: ann@example.org}}
processes: {enquiry: {due: 3 days}}
mailboxes:
  desk:
    receive: {kind: smtp, listen: "127.0.0.1:2525"}
    addresses: [support@example.org]
    fallback: enquiry
"""


# 8.39


async def test_8_39_a_third_party_is_asked_and_its_answer_ends_the_wait(office: Office) -> None:
    await office.does("case.reply", ref="1001-C", text="Have you a spare one?", to=BOB, wait="third party")

    waiting = await office.case()
    question = (await office.mails_to(BOB))[0]
    row = await office.receives(answer_to(question, BOB, text="Yes"))

    assert (waiting.status, waiting.wait and waiting.wait.reason) == (Status.WAITING, "third party")
    assert "Have you a spare one?" in body_of(question)
    assert (row.outcome, (await office.case()).status) == (Outcome.APPENDED, Status.TO_DO)
    assert (await office.roles())[BOB] is Role.THIRD_PARTY
    assert (await office.mails_to(ANN))[-1]["Subject"]


async def test_8_39_the_third_party_is_told_nothing_else(office: Office) -> None:
    await office.does("case.reply", ref="1001-C", text="Have you a spare one?", to=BOB, wait="third party")
    await office.receives(answer_to((await office.mails_to(BOB))[0], BOB, text="Yes"))

    await office.resolved()

    assert [notice for notice, to in await office.notices() if to == BOB] == ["answer"]
