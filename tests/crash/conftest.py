"""An installation in a folder of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.crash.lives import Installation
from tests.servers.smtp_sink import SmtpSink


@pytest.fixture
async def installation(tmp_path: Path, empty_store: Path) -> AsyncIterator[Installation]:
    async with SmtpSink() as sink:
        made = Installation(tmp_path, sink, empty_store=empty_store)
        yield made
        made.destroy()


@pytest.fixture
async def installation_of_one_connection(tmp_path: Path, empty_store: Path) -> AsyncIterator[Installation]:
    """One mail is sent at a time, so that it is known which one the end meets."""
    async with SmtpSink() as sink:
        made = Installation(tmp_path, sink, empty_store=empty_store, connections=1)
        yield made
        made.destroy()
