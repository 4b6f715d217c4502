"""What every test has: servers and a store that several parts use, and a log that no other test has set up."""

from __future__ import annotations

from pathlib import Path

import pytest
import structlog

from mailcase.clock import SystemClock
from mailcase.store import migrate

pytest_plugins = ["tests.servers.imap_servers"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the figures that tests have recorded: how many states the search of the core has been through."""
    figures = [
        f"{name}: {figure}"
        for report in terminalreporter.getreports("passed")
        if report.when == "call"
        for name, figure in report.user_properties
    ]
    if figures:
        terminalreporter.section("figures")
        terminalreporter.write_line("\n".join(figures))


@pytest.fixture(autouse=True)
def fresh_log() -> None:
    """A test that ran before may have sent the log elsewhere."""
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated store to copy: migrating one for every test would take most of their time."""
    path = tmp_path_factory.mktemp("template") / "mailcase.db"
    migrate.upgrade(path, now=SystemClock().now())
    return path
