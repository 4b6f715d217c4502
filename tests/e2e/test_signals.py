"""`mailcase run` as a process: a stop under load, and what the interpreter has to say about an end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import smtplib
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.e2e.house import MARIE, SUPPORT, mail_text, settings_in
from tests.servers.eventually import eventually
from tests.servers.notify_socket import NotifySocket
from tests.servers.smtp_sink import Act, SmtpSink

from mailcase.app import open_app
from mailcase.store.rows.inbox import MailFilter, Outcome
from mailcase.store.rows.outbox import DeliveryState

MAILCASE = str(Path(sys.executable).with_name("mailcase"))
MAILBOX = """\
desk:
  receive: {{kind: smtp, listen: "127.0.0.1:{port}"}}
  addresses: {{support@example.org: {{name: Example Support}}}}
  fallback: enquiry
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@asynccontextmanager
async def running(
    folder: Path, *options: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A daemon that has said it is started; its log goes into the file `log`."""
    log = folder / "log"
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *options,
            MAILCASE,
            "run",
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdout=file,
            stderr=file,
        )
    try:

        async def is_started() -> bool:
            return "daemon_started" in log.read_text() or process.returncode is not None

        await eventually(is_started, "a daemon that works")
        yield process
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def test_a_stop_under_load_is_quick_and_loses_nothing(tmp_path: Path) -> None:
    """R16: every mail that was answered with 250 is there, and each answer goes out once, in this life or the next."""
    port = free_port()
    acknowledged: set[str] = set()

    def write_until_refused(writer: int) -> None:
        with contextlib.suppress(OSError, smtplib.SMTPException):
            for number in range(10_000):
                mark = writer * 100_000 + number
                with smtplib.SMTP("127.0.0.1", port, local_hostname="c.example", timeout=20) as smtp:
                    smtp.sendmail(MARIE, [SUPPORT], mail_text(mark, subject=f"Mail {mark}"))
                acknowledged.add(f"{mark}@customer.example")

    async with SmtpSink() as sink:
        settings = settings_in(tmp_path, relay_port=sink.port, mailboxes=MAILBOX.format(port=port))
        async with running(tmp_path) as process:
            writers = [asyncio.create_task(asyncio.to_thread(write_until_refused, writer)) for writer in range(3)]
            await sink.wait_for_mails(20)
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                await process.wait()
            await asyncio.gather(*writers)
        ended_with = process.returncode
        async with running(tmp_path) as process:

            async def is_idle() -> bool:
                return await _is_idle(tmp_path)

            await eventually(is_idle, "an idle daemon")
            process.send_signal(signal.SIGTERM)
            await process.wait()
    async with open_app(settings) as app:
        mails = await app.store.list_mails(MailFilter(), limit_count=100_000)
        deliveries = await app.store.list_deliveries(state=None, limit_count=100_000)

    assert ended_with == 0
    assert acknowledged <= {mail.message_id for mail in mails}
    assert {mail.outcome for mail in mails} == {Outcome.NEW_CASE}
    assert {mail.attempts for mail in mails} == {1}
    assert {delivery.state for delivery in deliveries} == {DeliveryState.SENT}
    assert len(sink.mails) == len({mail.raw for mail in sink.mails}) == len(deliveries)


async def _is_idle(folder: Path) -> bool:
    """As an operator sees it from the shell."""
    lists = [("mail", "list", "--outcome", "pending"), ("outbox", "list", "--state", "queued")]
    for words in (*lists, ("outbox", "list", "--state", "claimed")):
        shell = await asyncio.create_subprocess_exec(
            MAILCASE, *words, "--json", cwd=folder, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await shell.communicate()
        if json.loads(output):
            return False
    return True


async def test_a_stop_leaves_nothing_that_the_interpreter_complains_of(tmp_path: Path) -> None:
    """No resource left open, no task destroyed: `-X dev` makes these loud."""
    port = free_port()
    async with SmtpSink() as sink:
        settings_in(tmp_path, relay_port=sink.port, mailboxes=MAILBOX.format(port=port))
        async with running(tmp_path, "-X", "dev", "-W", "error") as process:
            await asyncio.to_thread(_deliver, port)
            await sink.wait_for_mails(2)
            process.send_signal(signal.SIGTERM)
            await process.wait()
        log = (tmp_path / "log").read_text()

    assert process.returncode == 0, log
    complaints = [line for line in log.splitlines() if not line.startswith("{")]
    # asyncio's debug mode also tells that the migration at the start takes its time.
    assert [line for line in complaints if not line.startswith("Executing <Task")] == []
    assert json.loads(log.splitlines()[-1])["event"] == "daemon_stopped"


def _deliver(port: int) -> None:
    with smtplib.SMTP("127.0.0.1", port, local_hostname="c.example", timeout=20) as smtp:
        smtp.sendmail(MARIE, [SUPPORT], mail_text(1))


async def test_a_port_that_is_taken_is_said_without_a_traceback(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings_in(tmp_path, mailboxes=MAILBOX.format(port=taken.getsockname()[1]))
        process = await asyncio.create_subprocess_exec(
            MAILCASE, "run", cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=dict(os.environ)
        )
        _, errors = await process.communicate()

    assert process.returncode == 1
    assert b"Traceback" not in errors
    assert b"mailbox desk: cannot listen on 127.0.0.1" in errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_it_at_once_and_still_nothing_is_lost(
    tmp_path: Path, number: signal.Signals
) -> None:
    """R16: the relay is silent, so that the first stop takes its time."""
    port = free_port()
    async with SmtpSink() as sink:
        settings_in(tmp_path, relay_port=sink.port, mailboxes=MAILBOX.format(port=port))
        sink.script("MAIL", Act.SILENCE)
        async with running(tmp_path) as process:
            await asyncio.to_thread(_deliver, port)
            await sink.wait_for_command("MAIL")
            process.send_signal(number)

            async def is_stopping() -> bool:
                return "smtp_listener_stopped" in (tmp_path / "log").read_text()

            await eventually(is_stopping, "a stop that has begun")
            process.send_signal(number)
            async with asyncio.timeout(3):
                await process.wait()
        ended_with = process.returncode
        async with running(tmp_path) as process:
            await sink.wait_for_mails(2)
            process.send_signal(signal.SIGTERM)
            await process.wait()

    assert ended_with == -number
    assert len(sink.mails) == len({mail.raw for mail in sink.mails}) == 2


async def test_a_hangup_reloads_and_the_service_manager_hears_of_it(tmp_path: Path) -> None:
    """`mailcase run` as systemd starts it."""
    port = free_port()
    path = settings_in(tmp_path, mailboxes=MAILBOX.format(port=port)).file
    with NotifySocket(tmp_path) as heard:
        environment = {"NOTIFY_SOCKET": heard.address, "WATCHDOG_USEC": "1000000"}
        async with running(tmp_path, environment=environment) as process:
            await heard.until_said("READY=1")
            await heard.until_said("WATCHDOG=1", count=3)
            path.write_text(path.read_text() + "log_level: debug\n")
            process.send_signal(signal.SIGHUP)
            await heard.until_said("READY=1", count=2)
            path.write_text(path.read_text() + "log_level: debug\n")
            process.send_signal(signal.SIGHUP)
            await heard.until_said("READY=1", count=3)
            await asyncio.to_thread(_deliver, port)

            async def is_told_in_detail() -> bool:
                return '"level": "debug"' in (tmp_path / "log").read_text()

            await eventually(is_told_in_detail, "the log at the level that the file asks for since the reload")
            process.send_signal(signal.SIGTERM)
            await process.wait()
        await heard.until_said("STOPPING=1")
    entries = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]

    assert process.returncode == 0
    assert [entry["changed"] for entry in entries if entry["event"] == "configuration_reloaded"] == [["log_level"]]
    (refused,) = [entry["problem"] for entry in entries if entry["event"] == "reload_refused"]
    assert "already stands in line" in refused
