"""Time at the level of the daemon: downtime, a clock that jumps, the hours of summer time (R14, R15)."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import structlog
from tests.e2e.house import ANN, START, House, house, living, mail_text, settings_in, subjects
from tests.servers.eventually import eventually
from tests.servers.smtp_sink import SmtpSink

from mailcase.clock import SteppedClock

PARIS = ZoneInfo("Europe/Paris")


async def taken_case(here: House) -> None:
    """A case that Ann works on."""
    await here.writes(mail_text(1))
    await here.until_handled(1)
    await here.until_sent(2)
    await here.asks("case.take", ref="1001-C")


async def wait_until(here: House, at: datetime) -> None:
    await here.asks("case.wait", ref="1001-C", until=at.isoformat())


def fired(logs: list[structlog.typing.EventDict]) -> list[structlog.typing.EventDict]:
    return [entry for entry in logs if entry["event"] == "timer_fired"]


async def looked(here: House) -> None:
    """Lets the loop over time do a whole round at the present time of the clock."""
    await here.app._due_worker().work_once()


async def test_what_became_due_in_a_week_of_downtime_fires_once_and_for_its_own_time(tmp_path: Path) -> None:
    """R15."""
    follow_up_at = START + timedelta(days=1)
    async with SmtpSink() as sink:
        settings = settings_in(tmp_path, relay_port=sink.port)
        async with living(settings, clock=SteppedClock(START)) as here:
            await taken_case(here)
            await wait_until(here, follow_up_at)
        sent_before_count = len(subjects(sink, ANN))
        with structlog.testing.capture_logs() as logs:
            for _ in range(2):
                async with living(settings, clock=SteppedClock(START + timedelta(days=7))) as here:
                    await here.until_status("to-do")
                    await here.until_sent(3)
                    await looked(here)
                    case = await here.asks("case.show", ref="1001-C")

    assert [entry["due_at"] for entry in fired(logs)] == [follow_up_at.isoformat()]
    assert len(subjects(sink, ANN)) - sent_before_count == 1
    assert case["flags"] == ["wait-ended"]
    assert case["timeline"][-1]["at"] == "2026-03-03T09:00:00Z"


@pytest.mark.parametrize("jump", [timedelta(hours=-1), timedelta(hours=1)], ids=["back", "ahead"])
async def test_a_clock_that_jumps_makes_nothing_fire_twice_and_sends_nothing_twice(
    tmp_path: Path, jump: timedelta
) -> None:
    """R14."""
    follow_up_at = START + timedelta(hours=3)
    with structlog.testing.capture_logs() as logs:
        async with house(tmp_path) as (here, sink):
            await taken_case(here)
            await wait_until(here, follow_up_at)
            here.clock.step(jump)
            await looked(here)
            early = await here.status()
            here.clock.step_to(follow_up_at)
            await here.until_status("to-do")
            await here.until_sent(3)
            for step in (jump, -jump, jump):
                here.clock.step(step)
                await looked(here)
            await here.writes(mail_text(2))
            await here.until_handled(2)
            here.clock.step_to(follow_up_at + timedelta(hours=3))
            await here.until_sent(5)

    assert early == "waiting"
    assert len(fired(logs)) == 1
    assert len(sink.mails) == len({mail.raw for mail in sink.mails}) == 5


@pytest.mark.parametrize(
    ("resolved_at", "ends_at"),
    [
        (datetime(2026, 3, 26, 10, 0, tzinfo=PARIS), datetime(2026, 3, 31, 10, 0, tzinfo=PARIS)),
        (datetime(2026, 10, 22, 10, 0, tzinfo=PARIS), datetime(2026, 10, 27, 10, 0, tzinfo=PARIS)),
    ],
    ids=["an hour less", "an hour more"],
)
async def test_a_window_ends_at_the_same_local_time_across_a_change_of_summer_time(
    tmp_path: Path, resolved_at: datetime, ends_at: datetime
) -> None:
    """docs/decisions/0002."""
    async with house(tmp_path) as (here, _sink):
        here.clock.step_to(resolved_at)
        await taken_case(here)
        await here.asks("case.resolve", ref="1001-C")
        here.clock.step_to(ends_at.astimezone(ZoneInfo("UTC")) - timedelta(seconds=1))
        await looked(here)
        before = await here.status()
        here.clock.step(timedelta(seconds=1))
        await here.until_status("closed")

    assert before == "resolved"


@pytest.mark.parametrize("day", [datetime(2026, 3, 29, tzinfo=PARIS), datetime(2026, 10, 25, tzinfo=PARIS)])
async def test_a_follow_up_on_the_day_of_the_change_comes_at_its_local_hour(tmp_path: Path, day: datetime) -> None:
    follow_up_at = day.replace(hour=9)
    async with house(tmp_path) as (here, _sink):
        here.clock.step_to(day - timedelta(days=1))
        await taken_case(here)
        await wait_until(here, follow_up_at)
        here.clock.step_to(follow_up_at.astimezone(ZoneInfo("UTC")) - timedelta(seconds=1))
        await looked(here)
        before = await here.status()
        here.clock.step(timedelta(seconds=1))
        await here.until_status("to-do")

    assert before == "waiting"


TEN_YEARS = timedelta(days=3653)


@pytest.mark.parametrize("jump", [-TEN_YEARS, TEN_YEARS], ids=["back", "ahead"])
async def test_after_ten_years_in_a_moment_mail_is_handled_and_nothing_turns_in_circles(
    tmp_path: Path, jump: timedelta
) -> None:
    """R14."""
    async with house(tmp_path) as (here, sink):
        await taken_case(here)
        here.clock.step(jump)
        await here.writes(mail_text(2, subject="Another"))
        await here.until_handled(2)
        await here.until_sent(4)
        # Idle now: a loop that does not sleep would use all of this second.
        used = time.process_time()
        await asyncio.wait({here.running}, timeout=1)
        used = time.process_time() - used

    assert len(sink.mails) == 4
    assert used < 0.5


async def test_mail_that_was_written_while_the_clock_was_ahead_goes_out_when_it_is_set_back(tmp_path: Path) -> None:
    """R14: it would otherwise wait for ten years."""
    async with SmtpSink() as sink:
        without_relay = settings_in(tmp_path, relay_port=1)
        async with living(without_relay, clock=SteppedClock(START + TEN_YEARS)) as here:
            await here.writes(mail_text(1))
            await here.until_handled(1)

            async def is_deferred() -> bool:
                return len(await here.deliveries("deferred")) == 2

            await eventually(is_deferred, "deferred deliveries")
        settings = settings_in(tmp_path, relay_port=sink.port)
        async with living(settings, clock=SteppedClock(START)) as here:
            await here.until_sent(2)

    assert len(sink.mails) == 2


async def test_a_window_is_not_closed_early_because_the_clock_was_ahead_for_an_hour(tmp_path: Path) -> None:
    """R14: ahead, it would have ended; set back, it has not, and an answer still reopens."""
    async with house(tmp_path) as (here, _sink):
        await taken_case(here)
        await here.asks("case.resolve", ref="1001-C")
        here.clock.step(timedelta(days=5, hours=-1, seconds=-1))
        here.clock.step(timedelta(hours=1))
        await looked(here)
        ahead = await here.status()
        here.clock.step(timedelta(hours=-1))
        await looked(here)
        back = await here.status()

    assert (ahead, back) == ("resolved", "resolved")
