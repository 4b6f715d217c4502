"""A daemon's socket with a scripted answer behind it, and the command line in front of it."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.cli.scripted import ScriptedDaemon, login, write_config

from mailcase import log
from mailcase.cli import main
from mailcase.inbound.control import ControlServer


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a configuration in which the user of this process is Ann."""
    monkeypatch.chdir(tmp_path)
    for name in ("MAILCASE_CONFIG", "RUNTIME_DIRECTORY", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    write_config(tmp_path, login=login())
    return tmp_path


@pytest.fixture
def daemon(folder: Path) -> Iterator[ScriptedDaemon]:
    scripted = ScriptedDaemon()
    # Its log goes where a daemon's goes: not to the terminal of the shell beside it.
    log.set_up(io.StringIO())
    listening, stopping = threading.Event(), threading.Event()

    async def serve() -> None:
        async with ControlServer(folder / "var" / "mailcase.sock", scripted):
            listening.set()
            await asyncio.to_thread(stopping.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert listening.wait(10)
    yield scripted
    stopping.set()
    thread.join()


@pytest.fixture
def mailcase(folder: Path) -> Callable[..., Result]:
    """Calls the command line; standard error is kept apart."""

    def call(*arguments: str, text: str | bytes | None = None) -> Result:
        return CliRunner().invoke(main, arguments, input=text)

    return call
