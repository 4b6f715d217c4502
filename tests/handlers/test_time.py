"""Time has come for a case: each moment is lived through in order, at the moment itself (docs/decisions/0001)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.handlers.office import ANN, MARIE, Office, body_of, raw_mail

from mailcase.config.settings import Language
from mailcase.core.case import Flag, Status, StatusReason
from mailcase.core.events import DueAtRisk, DueMissed, StatusChanged
from mailcase.core.sla import DueColour, due_colour
from mailcase.inbound.protocol import Request


async def moments(office: Office, ref: str = "1001-C") -> list[tuple[str, datetime]]:
    """What time did to a case, with the time at which it counts as done."""
    return [
        (type(recorded.event).__name__, recorded.event.at)
        for recorded in (await office.bundle(ref)).timeline
        if isinstance(recorded.event, DueAtRisk | DueMissed | StatusChanged) and recorded.event.by == "system"
    ]


async def test_T20_a_follow_up_date_ends_the_wait(office: Office) -> None:
    """Check 6 of 9.2."""
    await office.receives(raw_mail())
    await office.does("case.take", ref="1001-C")
    until = office.now + timedelta(hours=5)
    await office.does("case.wait", ref="1001-C", until=until.isoformat())

    office.later(hours=4)
    early = await office.ticks()
    office.later(hours=1)
    await office.ticks()

    case = await office.case()
    assert early == 0
    assert (case.status, case.status_reason) == (Status.TO_DO, StatusReason.SCHEDULE_DATE_AND_TIME_REACHED)
    assert (case.flags, case.holder.assignee) == ((Flag.WAIT_ENDED,), "ann")
    assert (await office.notices())[-1] == ("wait-over", ANN)


async def test_after_a_week_of_downtime_everything_happens_in_order_at_its_own_time(office: Office) -> None:
    await office.receives(raw_mail())
    until = office.now + timedelta(days=1)
    await office.does("case.wait", ref="1001-C", until=until.isoformat())
    due_at = (await office.case()).due_at
    assert due_at is not None

    office.later(days=7)
    await office.ticks()

    assert await moments(office) == [
        ("StatusChanged", until),
        ("DueMissed", due_at),
    ]
    recorded = {line.recorded_at for line in (await office.bundle()).timeline[-2:]}
    assert recorded == {office.now}
    assert [notice for notice, _ in await office.notices()][-2:] == ["wait-over", "overdue"]


async def test_SL_17_after_a_downtime_nobody_is_warned_of_what_is_overdue_already(office: Office) -> None:
    await office.receives(raw_mail())
    due_at = (await office.case()).due_at
    assert due_at is not None
    office.clock.step_to(due_at)

    await office.ticks()

    case = await office.case()
    assert [notice for notice, _ in await office.notices()][2:] == ["overdue"]
    assert due_colour(case.due_at, office.now, ZoneInfo("UTC")) is DueColour.RED
    assert await office.ticks() == 0


async def test_SL_17_after_a_downtime_a_due_date_still_to_come_is_warned_of(office: Office) -> None:
    await office.receives(raw_mail())
    due_at = (await office.case()).due_at
    assert due_at is not None
    office.clock.step_to(due_at - timedelta(minutes=1))

    await office.ticks()

    assert [notice for notice, _ in await office.notices()][2:] == ["due-at-risk"]


async def test_ticking_twice_does_nothing_twice(office: Office) -> None:
    await office.receives(raw_mail())
    office.later(days=7)
    await office.ticks()
    before, notices = await office.bundle(), await office.notices()

    assert await office.ticks() == 0

    assert await office.bundle() == before
    assert await office.notices() == notices


async def test_T28_a_window_closes_at_its_end_however_late_that_is_noticed(office: Office) -> None:
    await office.receives(raw_mail())
    await office.resolved()
    end = (await office.case()).feedback_until
    assert end is not None

    office.later(days=30)
    await office.ticks()

    case = await office.case()
    assert (case.status, case.status_reason) == (Status.CLOSED, StatusReason.FEEDBACK_WINDOW_PASSED)
    assert await moments(office) == [("StatusChanged", end)]


async def test_the_timeline_does_not_say_twice_that_a_case_was_cancelled(office: Office) -> None:
    await office.receives(raw_mail())

    cancelled = await office.does("case.cancel", ref="1001-C", yes=True)

    assert "To Do → Cancelled'" in str(cancelled)


async def test_the_timeline_says_until_when_an_answer_reopens(office: Office) -> None:
    await office.receives(raw_mail())
    await office.resolved()

    request = Request(operation="case.show", arguments={"ref": "1001-C"})
    told = [
        str((await office.app.desk.answer(replace(request, language=language), uid=None, blobs=())).data)
        for language in Language
    ]

    assert ["an answer reopens it until" in told[0], "une réponse le rouvre jusqu’au" in told[1]] == [True, True]


async def test_a_window_is_held_for_unread_mail_and_closes_once_that_is_read(office: Office) -> None:
    await office.receives(raw_mail())
    await office.resolved()
    office.later(days=6)
    end = (await office.case()).feedback_until
    assert end is not None

    office.stuck["desk"] = end - timedelta(microseconds=1)
    await office.ticks()
    held = (await office.case()).status
    office.stuck["desk"] = end
    await office.ticks()

    assert (held, (await office.case()).status) == (Status.RESOLVED, Status.CLOSED)


async def test_a_held_window_holds_back_nothing_else(office: Office) -> None:
    await office.receives(raw_mail(message_id="m1@x"))
    await office.receives(raw_mail(text="another"))
    await office.resolved()
    office.stuck["desk"] = office.now

    office.later(days=7)
    await office.ticks()

    assert (await office.case()).status is Status.RESOLVED
    assert [name for name, _ in await moments(office, "1002-C")] == ["DueMissed"]


async def test_a_window_ends_at_the_same_local_time_across_a_change_of_the_clocks(office: Office) -> None:
    """29 March 2026, 02:00: Paris goes from UTC+1 to UTC+2."""
    office.clock.step_to(datetime(2026, 3, 26, 9, 0, tzinfo=UTC))
    await office.receives(raw_mail())

    await office.resolved()

    assert (await office.case()).feedback_until == datetime(2026, 3, 31, 8, 0, tzinfo=UTC)


async def test_a_clock_that_goes_back_brings_no_time_before_the_last_event(office: Office) -> None:
    await office.receives(raw_mail())
    last = (await office.case()).last_event_at
    office.later(hours=-3)

    await office.does("case.take", ref="1001-C")

    assert (await office.case()).last_event_at == last


async def test_the_requester_is_told_until_when_an_answer_reopens(office: Office) -> None:
    await office.receives(raw_mail())
    await office.resolved()

    assert "7 March 2026 at 10:00" in body_of((await office.mails_to(MARIE, "resolved"))[0])


async def test_fifty_cases_and_more_are_all_served_in_one_go(office: Office) -> None:
    for start in range(0, 60, 20):
        await office.receives_together(*(raw_mail(text=str(number)) for number in range(start, start + 20)))

    office.later(days=7)
    await office.ticks()

    cases = [await office.case(ref) for ref in await office.refs()]
    assert len(cases) == 60
    assert all(case.overdue_noticed_for == case.due_at for case in cases)
