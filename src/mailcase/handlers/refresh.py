"""At start and after a reload, deadlines of open cases follow the processes as they are now (docs/decisions/0001)."""

from __future__ import annotations

from mailcase.config.settings import Settings
from mailcase.core import deadlines
from mailcase.core.case import CaseId
from mailcase.errors import ConfigError, Problem
from mailcase.log import get_logger
from mailcase.store.port import Timetable

log = get_logger()

#: Cases looked at at a time.
BATCH = 500


async def refresh_deadlines(store: Timetable, settings: Settings, *, batch: int = BATCH) -> None:
    """Computes `wake_at` and `window_at` of every open case anew.

    Raises:
        ConfigError: a process that still has open cases is gone from the configuration.
    """
    await refuse_lost_processes(store, settings)
    after: CaseId | None = None
    while cases := await store.open_cases(after=after, limit_count=batch):
        rows = []
        for case in cases:
            process = settings.processes[case.process]
            rows.append((case.id, case.version, deadlines.wake_at(process, case), deadlines.window_at(process, case)))
        await store.save_deadlines(rows)
        after = cases[-1].id


async def refuse_lost_processes(store: Timetable, settings: Settings) -> None:
    """Raises ConfigError when a process that still has open cases is gone from the configuration."""
    in_use = await store.processes_in_use()
    problems = tuple(
        Problem(
            file=str(settings.file),
            line=None,
            column=None,
            where="processes",
            message=f"process {name!r} still has {count} open case(s) and is not there",
            hint=f"put it back; `{name}: {{..., retired: true}}` lets it start no new cases",
        )
        for name, count in in_use.items()
        if name not in settings.processes
    )
    if problems:
        raise ConfigError(problems)
