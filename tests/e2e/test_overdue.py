"""Three days down with 10,000 deadlines overdue: each fires once, in due order, soon (R15)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from tests.e2e.house import START, House, living, mail_text, settings_in
from tests.servers.eventually import eventually

from mailcase.clock import SteppedClock, SystemClock
from mailcase.config.settings import Outgoing, OutgoingMode
from mailcase.core.case import CaseId
from mailcase.core.events import CaseOpened, Event
from mailcase.store.port import Point
from mailcase.store.rows.cases import CaseBundle, SavedCase, Text
from mailcase.store.rows.changes import Changes

CASES = 10_000
LIMIT_SECONDS = 60
FIRST_DUE_AT = START + timedelta(days=1)


async def waiting_case(here: House) -> CaseBundle:
    """A case that waits until a time, as real life makes it."""
    await here.writes(mail_text(1))
    await here.until_handled(1)
    await here.asks("case.take", ref="1001-C")
    await here.asks("case.wait", ref="1001-C", until=FIRST_DUE_AT.isoformat())
    bundle = await here.app.store.bundle(CaseId(1001))
    assert bundle is not None
    return bundle


def due_at(number: int) -> datetime:
    """Later cases are due earlier: their order is not that of their numbers."""
    return FIRST_DUE_AT + timedelta(seconds=CASES - number)


async def multiply(here: House, model: CaseBundle) -> None:
    """Ten thousand cases like the model, each due at its own second, saved in bulk."""
    store = here.app.store
    for start in range(0, CASES, 500):
        cases, texts = [], []
        for number in range(start, start + 500):
            case_id, text_id = store.ids.case(), store.ids.text()
            assert model.case.wait is not None
            case = replace(
                model.case,
                id=case_id,
                subject=text_id,
                wait=replace(model.case.wait, until=due_at(number)),
            )
            events: tuple[Event, ...] = tuple(
                replace(recorded.event, case_id=case_id, subject=text_id)
                if isinstance(recorded.event, CaseOpened)
                else recorded.event
                for recorded in model.timeline
            )
            saved = SavedCase(case=case, loaded_version=0, events=events, wake_at=due_at(number), window_at=None)
            cases.append(saved)
            texts.append(Text(id=text_id, case_id=case_id, text=f"Case {number}"))
        changes = Changes(cases=tuple(cases), texts=tuple(texts))
        await store.save(Point.COMMAND, changes, now=here.clock.now())


async def test_ten_thousand_overdue_deadlines_fire_once_in_due_order_within_a_minute(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    settings = replace(settings, outgoing=Outgoing(mode=OutgoingMode.HOLD))
    async with living(settings, clock=SteppedClock(START)) as here:
        await multiply(here, await waiting_case(here))
    real = SystemClock()
    with structlog.testing.capture_logs() as logs:
        began = real.monotonic()
        async with living(settings, clock=SteppedClock(START + timedelta(days=3))) as here:

            async def has_fired() -> bool:
                return await here.app.store.next_wake() == (None, None)

            await eventually(has_fired, "an end of what is due", within_seconds=LIMIT_SECONDS)
            took = real.monotonic() - began
            statuses = (await here.asks("status", as_=None))["cases"]
    fired = [(entry["due_at"], entry["case"]) for entry in logs if entry["event"] == "timer_fired"]

    assert took < LIMIT_SECONDS
    assert len({case for _, case in fired}) == len(fired) == CASES + 1
    assert [due for due, _ in fired] == sorted(due for due, _ in fired)
    assert statuses["to-do"] == CASES + 1
