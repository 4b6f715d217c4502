"""A daemon from its start to its end: order, stop, trouble with the store, the relay, a port, a mailbox, a mail."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from textwrap import dedent

import pytest
import structlog
from tests.e2e.hindrance import Hindrance
from tests.e2e.house import ANN, LISTENER, MARIE, START, house, living, mail_text, settings_in, subjects
from tests.servers.eventually import eventually
from tests.servers.smtp_sink import Act, SmtpSink

from mailcase.app import StoreBusy, World, open_app, run
from mailcase.clock import SteppedClock
from mailcase.config.settings import ImapSource, Limits, Settings
from mailcase.errors import PermanentError
from mailcase.inbound.imap import ImapSession
from mailcase.store.port import Point

# ---- start and stop --------------------------------------------------------------------------------------------------


async def test_a_mail_is_handled_and_answered(tmp_path: Path) -> None:
    async with house(tmp_path) as (here, sink):
        await here.writes(mail_text(1))
        outcomes = await here.until_handled(1)
        await here.until_sent(2)

    assert outcomes == ["new-case"]
    assert subjects(sink, MARIE) == ["Re: My printer smokes [1001-C]"]
    assert len(subjects(sink, ANN)) == 1


async def test_a_stopped_daemon_takes_no_mail_and_leaves_no_socket(tmp_path: Path) -> None:
    async with house(tmp_path) as (here, _sink):
        port, socket_file = here.port, here.app.settings.socket
        assert socket_file.exists()

    assert not socket_file.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


async def test_a_second_daemon_on_the_same_store_is_refused(tmp_path: Path) -> None:
    async with house(tmp_path) as (here, _sink):
        with pytest.raises(StoreBusy, match="another mailcase"):
            await run(here.app.settings, asyncio.Event())


async def test_a_start_that_fails_half_way_closes_what_it_had_opened(tmp_path: Path) -> None:
    """The port of the second mailbox is taken: no traceback, and the first one's is free again."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        first = _free_port()
        settings = settings_in(
            tmp_path,
            mailboxes=f"""\
            desk:
              receive: {{kind: smtp, listen: "127.0.0.1:{first}"}}
              addresses: {{support@example.org: {{name: Support}}}}
              fallback: enquiry
            sales:
              receive: {{kind: smtp, listen: "127.0.0.1:{taken.getsockname()[1]}"}}
              addresses: {{sales@example.org: {{name: Sales}}}}
              fallback: enquiry
            """,
        )

        with pytest.raises(PermanentError, match="mailbox sales: cannot listen on 127"):
            await run(settings, asyncio.Event())

    with socket.create_server(("127.0.0.1", first)):
        pass
    async with open_app(settings):
        pass


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def test_every_loop_ends_at_once_when_all_are_idle(tmp_path: Path) -> None:
    """The loops over the outbox share one event: none may swallow the stop of another."""
    with structlog.testing.capture_logs() as logs:
        async with asyncio.timeout(5):
            async with house(tmp_path):
                pass

    assert [entry["event"] for entry in logs][-1] == "daemon_stopped"
    assert not [entry for entry in logs if entry["event"] == "task_cut"]


async def test_a_stop_while_the_relay_is_silent_gives_back_what_was_not_begun(tmp_path: Path) -> None:
    """R16: the mail in DATA may have gone out and is unknown; those behind it are queued, and nobody waits for long."""
    # Each connection takes a part, however the mails come together.
    limits = Limits(stop_within=timedelta(seconds=1), outbox_batch=3)
    async with SmtpSink() as sink:
        sink.script("MAIL", Act.SILENCE, Act.SILENCE)
        settings = settings_in(tmp_path, relay_port=sink.port, limits=limits)
        async with asyncio.timeout(5):
            async with living(settings, clock=SteppedClock(START)) as here:
                for number in range(5):
                    await here.writes(mail_text(number))
                await here.until_handled(5)

                async def are_both_silent() -> bool:
                    return sum(command.startswith("MAIL") for command in sink.commands) == 2

                await eventually(are_both_silent, "two connections in the middle of a mail")

        async with living(settings, clock=SteppedClock(START)) as here:
            await here.until_sent(10)
            states = {row["state"] for row in await here.deliveries()}

    assert states == {"sent"}
    assert len(sink.mails) == 10


async def test_a_loop_that_dies_takes_the_daemon_down_with_its_reason(tmp_path: Path) -> None:
    def break_claims(point: Point, when: str) -> None:
        if (point, when) == (Point.CLAIM_INBOX, "before"):
            raise RuntimeError("a bug")

    async def lived() -> None:
        async with house(tmp_path, world=World(hook=break_claims)) as (here, _sink):
            await here.writes(mail_text(1))
            await asyncio.wait({here.running}, timeout=10)

    with structlog.testing.capture_logs() as logs, pytest.raises(RuntimeError, match="a bug"):
        await lived()

    (failed,) = [entry for entry in logs if entry["event"] == "daemon_failed"]
    assert failed["task"] == "InboxWorker"
    assert failed["log_level"] == "error"


# ---- mail that goes out ----------------------------------------------------------------------------------------------


async def test_a_relay_that_is_down_is_waited_for_without_a_human(tmp_path: Path) -> None:
    """L31."""
    async with SmtpSink() as sink:
        port = sink.port
    settings = settings_in(tmp_path, relay_port=port)
    async with living(settings, clock=SteppedClock(START)) as here:
        await here.writes(mail_text(1))
        await here.until_handled(1)

        async def deferred() -> bool:
            return len(await here.deliveries("deferred")) == 2

        await eventually(deferred, "two deferred deliveries")
    async with SmtpSink() as sink:
        settings = settings_in(tmp_path, relay_port=sink.port)
        async with living(settings, clock=SteppedClock(START)) as here:
            assert len(await here.deliveries("deferred")) == 2
            here.clock.step(timedelta(minutes=2))
            await here.until_sent(2)

    assert len(sink.mails) == 2


async def test_what_became_of_a_mail_is_kept_until_the_store_takes_it(tmp_path: Path) -> None:
    """R13: sent, and the store refuses to hear of it for a while: the mail is neither sent twice nor called unknown."""
    hindrance = Hindrance(Point.SETTLE)
    async with house(tmp_path, world=World(hook=hindrance)) as (here, sink):
        hindrance.begin()
        await here.writes(mail_text(1))
        await sink.wait_for_mails(1)
        await eventually(hindrance.has_refused, "a refused commit")
        hindrance.end()
        await here.until_sent(2)

    assert len(sink.mails) == 2


async def interrupted(settings: Settings) -> None:
    """An earlier life of the daemon, which ended between the journal entry of Marie's mail and its settling."""
    async with living(settings, clock=SteppedClock(START)) as here:
        # Nothing is sent in this life: its relay is not there.
        await here.writes(mail_text(1))
        await here.until_handled(1)
    later = START + timedelta(hours=1)
    async with open_app(settings, World(clock=SteppedClock(later))) as app:
        first, *_ = await app.store.claim_outbox(now=later, limit_count=10, lease_until=later)
        assert [delivery.address for delivery in first.deliveries] == [MARIE]
        await app.store.journal([delivery.id for delivery in first.deliveries], now=later)


@pytest.mark.parametrize(
    ("resends", "copies_count", "flags"),
    [(False, 0, ["needs-attention", "new-information"]), (True, 1, ["new-information"])],
    ids=["left", "sent again"],
)
async def test_a_mail_interrupted_by_a_crash_is_left_to_people_unless_the_operator_wants_it_sent_again(
    tmp_path: Path, *, resends: bool, copies_count: int, flags: list[str]
) -> None:
    """L32, T9."""
    await interrupted(settings_in(tmp_path))
    async with SmtpSink() as sink:
        settings = settings_in(tmp_path, relay_port=sink.port, limits=Limits(resend_unknown=resends))
        async with living(settings, clock=SteppedClock(START + timedelta(hours=1))) as here:
            case = await here.asks("case.show", ref="1001-C")
            here.clock.step(timedelta(hours=3))
            await here.until_sent(2)

    assert sorted(case["flags"]) == flags
    assert len(subjects(sink, MARIE)) == copies_count


async def test_an_interrupted_mail_that_cannot_be_reported_keeps_no_daemon_from_starting(tmp_path: Path) -> None:
    failures = [ZeroDivisionError()]

    def fail_to_report(point: Point, when: str) -> None:
        if (point, when) == (Point.SETTLE, "before") and failures:
            raise failures.pop()

    await interrupted(settings_in(tmp_path))
    settings = settings_in(tmp_path)
    with structlog.testing.capture_logs() as logs:
        async with living(
            settings, clock=SteppedClock(START + timedelta(hours=1)), world=World(hook=fail_to_report)
        ) as here:
            unknown = await here.deliveries("unknown")

    assert [entry["log_level"] for entry in logs if entry["event"] == "interrupted_unreported"] == ["error"]
    assert [row["to"] for row in unknown] == [MARIE]


# ---- the store -------------------------------------------------------------------------------------------------------


@contextmanager
def locked(store: Path) -> Iterator[None]:
    """Another process holds the database (R13)."""
    database = sqlite3.connect(store, isolation_level=None, check_same_thread=False)
    try:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("ROLLBACK")
    finally:
        database.close()


async def test_a_locked_store_refuses_mail_for_now_and_takes_it_later(tmp_path: Path) -> None:
    """R13: 451, no end of the daemon, no busy loop, and all goes on by itself."""
    async with house(tmp_path) as (here, _sink):
        await here.writes(mail_text(1))
        await here.until_sent(2)
        with structlog.testing.capture_logs() as logs, locked(here.app.settings.store):
            with pytest.raises(smtplib.SMTPDataError) as refused:
                await here.writes(mail_text(2))
            here.clock.step(timedelta(minutes=1))
        await here.writes(mail_text(2))
        outcomes = await here.until_handled(2)
        await here.until_sent(4)

        assert not here.running.done()
    assert refused.value.smtp_code == 451
    assert outcomes == ["new-case", "new-case"]
    assert len([entry for entry in logs if entry["event"].endswith(("_paused", "_unsaved"))]) < 10


async def test_a_listener_whose_presence_cannot_be_saved_goes_on_listening(tmp_path: Path) -> None:
    """Only the gap that a crash would leave seems longer."""
    hindrance = Hindrance(Point.MAILBOX)
    async with house(tmp_path, world=World(hook=hindrance)) as (here, _sink):
        hindrance.begin()

        async def is_refused_as_time_goes_by() -> bool:
            here.clock.step(timedelta(minutes=1))
            return hindrance.refused_count > 0

        await eventually(is_refused_as_time_goes_by, "a refused commit")
        await here.writes(mail_text(1))
        outcomes = await here.until_handled(1)

    assert outcomes == ["new-case"]


async def test_no_attempt_is_counted_while_the_store_is_out_of_reach(tmp_path: Path) -> None:
    """More failures than a mail has attempts, and it is not parked."""
    hindrance = Hindrance(Point.SAVE_MAIL)
    async with house(tmp_path, limits=Limits(attempts=1), world=World(hook=hindrance)) as (here, _sink):
        hindrance.begin()
        await here.writes(mail_text(1))

        async def refused_twice() -> bool:
            return hindrance.refused_count >= 2

        await eventually(refused_twice, "two refused commits")
        hindrance.end()
        outcomes = await here.until_handled(1)
        (mail,) = await here.mails()

    assert outcomes == ["new-case"]
    assert mail.attempts == 1


# ---- mailboxes -------------------------------------------------------------------------------------------------------


class Faulty:
    """Makes sessions, as a program with a bug in it would."""

    def __init__(self) -> None:
        self.calls_count = 0

    def __call__(self, source: ImapSource) -> ImapSession:
        self.calls_count += 1
        raise ZeroDivisionError


async def test_a_watcher_that_dies_is_started_again_and_stops_no_other_mailbox(tmp_path: Path) -> None:
    """L7."""
    faulty = Faulty()
    (tmp_path / "secret").write_text("x")
    (tmp_path / "secret").chmod(0o600)
    broken = """\
    broken:
      receive: {kind: imap, host: 127.0.0.1, port: 1, tls: none, user: me, password_file: secret}
      addresses: {sales@example.org: {name: Sales}}
      fallback: enquiry
    """
    settings = settings_in(tmp_path, mailboxes=LISTENER + dedent(broken))
    async with living(settings, clock=SteppedClock(START), world=World(imap_connect=faulty)) as here:
        await here.writes(mail_text(1))
        outcomes = await here.until_handled(1)

        async def is_tried_again() -> bool:
            return faulty.calls_count >= 2

        await eventually(is_tried_again, "a second start of the watcher")

    assert outcomes == ["new-case"]
