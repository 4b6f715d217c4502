"""The daily look at the logins: what nobody needs just now is kept in use, and what fails or ends is told (L9)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict
from tests.e2e.house import START, settings_in
from tests.servers.eventually import eventually
from tests.servers.token_server import Act, LocalTokenServer, refusal

from mailcase.clock import SteppedClock
from mailcase.entropy import SeededEntropy
from mailcase.login.logins import Logins
from mailcase.offload import OwnedThread
from mailcase.wakes import Wakes
from mailcase.workers.logins import LoginWorker


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(START)


@asynccontextmanager
async def working(server: LocalTokenServer, folder: Path, clock: SteppedClock) -> AsyncIterator[list[EventDict]]:
    """The worker over one mailbox whose secret ends on 2026-03-20; what it logs."""
    server.client(folder)
    (folder / "client.secret").chmod(0o600)
    oauth = f"token_url: '{server.url}', client_id: mailcase, client_secret_file: client.secret"
    settings = settings_in(
        folder,
        mailboxes=f"""\
        desk:
          receive: {{kind: imap, host: 127.0.0.1, tls: none, login: {{oauth: {{{oauth}, secret_expires: 2026-03-20}}}}}}
          addresses: [support@example.org]
          fallback: enquiry
        """,
    )
    wakes = Wakes()
    logins = Logins(settings, clock=clock, entropy=SeededEntropy(1), offload=OwnedThread)
    with capture_logs() as logs:
        running = asyncio.create_task(LoginWorker(logins, clock=clock, wakes=wakes).run())
        yield logs
        wakes.stop()
        async with asyncio.timeout(5):
            await running


async def until_asked(server: LocalTokenServer, count: int) -> None:
    async def is_asked() -> bool:
        return len(server.requests) >= count

    await eventually(is_asked, f"request {count}")


async def until_logged(logs: list[EventDict], event: str) -> EventDict:
    async def found() -> EventDict | None:
        return next((entry for entry in logs if entry["event"] == event), None)

    entry = await eventually(found, event)
    assert entry is not None
    return entry


async def test_a_login_that_nobody_needs_is_used_every_day(
    token_server: LocalTokenServer, tmp_path: Path, clock: SteppedClock
) -> None:
    async def is_asked_thrice() -> bool:
        clock.step(timedelta(hours=1))
        return len(token_server.requests) >= 3

    async with working(token_server, tmp_path, clock) as logs:
        await eventually(is_asked_thrice, "the third request")

    assert clock.now() > START + timedelta(days=2)
    assert [entry for entry in logs if entry["event"] == "login_failed"] == []


async def test_one_that_fails_is_told_with_what_to_do(
    token_server: LocalTokenServer, tmp_path: Path, clock: SteppedClock
) -> None:
    token_server.script(refusal("invalid_client", "ended", 401))
    async with working(token_server, tmp_path, clock) as logs:
        entry = await until_logged(logs, "login_failed")

    assert (entry["log_level"], entry["login"]) == ("error", "mailbox desk")
    assert "ended; check `client_id` and the first line of" in entry["reason"]


async def test_one_that_cannot_be_had_just_now_is_a_warning(
    token_server: LocalTokenServer, tmp_path: Path, clock: SteppedClock
) -> None:
    token_server.script(refusal("temporarily_unavailable"))
    async with working(token_server, tmp_path, clock) as logs:
        entry = await until_logged(logs, "login_failed")

    assert entry["log_level"] == "warning"


async def test_the_end_of_a_secret_is_told_two_weeks_before(
    token_server: LocalTokenServer, tmp_path: Path, clock: SteppedClock
) -> None:
    clock.step(timedelta(days=4))
    async with working(token_server, tmp_path, clock) as logs:
        entry = await until_logged(logs, "login_ending")

    assert (entry["log_level"], entry["login"], entry["ends_on"]) == ("warning", "mailbox desk", "2026-03-20")


async def test_a_token_server_that_hangs_does_not_hold_up_the_end(
    token_server: LocalTokenServer, tmp_path: Path, clock: SteppedClock
) -> None:
    """R16."""
    token_server.script(Act.HANG)
    async with working(token_server, tmp_path, clock):
        await until_asked(token_server, 1)
