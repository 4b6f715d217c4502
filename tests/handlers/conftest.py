"""An office to work in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.handlers.office import SETTINGS, Office, OfficeOf, open_office


@pytest.fixture
async def office_of(tmp_path: Path, empty_store: Path) -> AsyncIterator[OfficeOf]:
    """Opens offices on settings of the test's own; one at a time on a store."""
    async with AsyncExitStack() as stack:

        async def opened(text: str) -> Office:
            return await stack.enter_async_context(open_office(tmp_path, empty_store, text))

        yield opened


@pytest.fixture
async def office(office_of: OfficeOf) -> Office:
    return await office_of(SETTINGS)
