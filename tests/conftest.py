"""What every test has: servers that several parts use, and a log that no other test has set up."""

from __future__ import annotations

import pytest
import structlog

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
