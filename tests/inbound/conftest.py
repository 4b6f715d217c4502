"""Watchers of IMAP mailboxes, and the file of their password."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.inbound.watched import OpenWatched, Watched

from mailcase.store.port import Hook


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "state" / "mailcase.db"


@pytest.fixture
async def open_watched(database: Path) -> AsyncIterator[OpenWatched]:
    """Lives of the intake on one database, one after the other."""
    opened: list[Watched] = []

    async def open_it(hook: Hook | None = None) -> Watched:
        opened.append(await Watched.open(database, hook=hook))
        return opened[-1]

    yield open_it
    for watched in opened:
        await watched.close()


@pytest.fixture
async def watched(open_watched: OpenWatched) -> Watched:
    return await open_watched()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Not written yet: the server that is watched writes it."""
    return tmp_path / "secret"
