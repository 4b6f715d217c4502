"""What every test has: servers that several parts use, and a log that no other test has set up."""

from __future__ import annotations

import pytest
import structlog

pytest_plugins = ["tests.servers.imap_servers"]


@pytest.fixture(autouse=True)
def fresh_log() -> None:
    """A test that ran before may have sent the log elsewhere."""
    structlog.reset_defaults()
