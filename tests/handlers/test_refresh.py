"""At start the deadlines follow the process file as it is now (docs/decisions/0001)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tests.handlers.office import SALES, SETTINGS, open_office, raw_mail

from mailcase.errors import ConfigError
from mailcase.handlers import refresh
from mailcase.handlers.refresh import refresh_deadlines

EFFORT = "add_wait_time: true, expected_effort: 4 hours}"


async def test_another_rule_moves_the_reminders_of_open_cases(tmp_path: Path, empty_store: Path) -> None:
    async with open_office(tmp_path, empty_store) as office:
        await office.receives(raw_mail())
        before, _ = await office.store.next_wake()
    assert before is not None

    async with open_office(tmp_path, empty_store, SETTINGS.replace("add_wait_time: true}", EFFORT)) as office:
        await refresh_deadlines(office.store, office.settings)
        after, _ = await office.store.next_wake()

    assert after == before - timedelta(hours=4)


async def test_a_process_with_open_cases_may_not_be_removed(tmp_path: Path, empty_store: Path) -> None:
    async with open_office(tmp_path, empty_store) as office:
        await office.receives(raw_mail(to=SALES))

    async with open_office(tmp_path, empty_store, WITHOUT_OFFER) as office:
        with pytest.raises(ConfigError, match="process 'offer' still has 1 open case"):
            await refresh_deadlines(office.store, office.settings)


async def test_a_process_whose_cases_are_all_closed_may_be_removed(tmp_path: Path, empty_store: Path) -> None:
    async with open_office(tmp_path, empty_store) as office:
        await office.receives(raw_mail(to=SALES))
        await office.closed()

    async with open_office(tmp_path, empty_store, WITHOUT_OFFER) as office:
        await refresh_deadlines(office.store, office.settings)

        assert await office.store.processes_in_use() == {}


async def test_L37_late_mail_to_a_case_of_a_removed_process_is_routed_as_new(tmp_path: Path, empty_store: Path) -> None:
    async with open_office(tmp_path, empty_store) as office:
        await office.receives(raw_mail(to=SALES, message_id="m1@x"))
        await office.closed()

    async with open_office(tmp_path, empty_store, WITHOUT_OFFER) as office:
        row = await office.receives(raw_mail(irt="m1@x"))
        away = await office.receives(raw_mail(to="x@else.example", subject="[1001-C]", text="away"))

        assert (row.reason, (await office.case("1002-C")).process) == ("closed-case", "enquiry")
        assert away.case_ids == (1002,)


async def test_every_open_case_is_refreshed_however_many_there_are(tmp_path: Path, empty_store: Path) -> None:
    async with open_office(tmp_path, empty_store) as office:
        await office.receives_together(*(raw_mail(text=str(number)) for number in range(5)))
        rows = await office.store.open_cases(after=None, limit_count=refresh.BATCH)
        await office.store.save_deadlines([(case.id, case.version, None, None) for case in rows])

        await refresh_deadlines(office.store, office.settings, batch=2)

        due = await office.store.due_cases(now=office.now + timedelta(days=9), windows_through=None, limit_count=10)
        assert len(due) == 5


WITHOUT_OFFER = SETTINGS.replace("  offer: {queue: sales, feedback_window: 5 days}\n", "").replace(
    "    routes:\n      - {to: sales@example.org, process: offer}\n", ""
)
