"""A new configuration while the daemon works: all of it or nothing, and no stimulus falls between two."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
import structlog
from tests.e2e.house import ANN, MARIE, START, House, house, living, mail_text, settings_in, subjects
from tests.handlers.reading_here import ReadingHere
from tests.servers.eventually import eventually
from tests.servers.notify_socket import NotifySocket
from tests.servers.smtp_sink import SmtpSink

from mailcase.app import World
from mailcase.clock import Clock, SteppedClock, SystemClock
from mailcase.config.settings import Limits, Settings
from mailcase.daemon.service_manager import Systemd
from mailcase.handlers.read import Reader, ReadMail
from mailcase.inbound.protocol import Exit, Response
from mailcase.login.logins import Credentials
from mailcase.outbound.port import Attempt, BeforeData, Outlet, OutletSession
from mailcase.store.rows.inbox import ClaimedMail
from mailcase.store.rows.outbox import ClaimedOutgoing, DeliveryId

BOB = "people:\n  bob: {name: Bob Ray, address: bob@example.org, queues: [support]}\n"


def rewrite(folder: Path, *changes: tuple[str, str]) -> None:
    """Changes the configuration file of a running daemon."""
    path = folder / "config.yaml"
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


async def reloaded(here: House) -> list[str]:
    """Reloads; gives what has changed."""
    response = await here.daemon.reload()
    assert response.exit == Exit.DONE, response.error
    assert isinstance(response.data, dict)
    return [str(name) for name in response.data["changed"]]  # type: ignore[union-attr]  # the answer's own list


# ---- what can be changed ---------------------------------------------------------------------------------------------


async def test_people_processes_and_addresses_follow_the_file(tmp_path: Path) -> None:
    async with house(tmp_path) as (here, _sink):
        rewrite(
            tmp_path,
            ("people:\n", BOB),
            ("processes:\n", "processes:\n  billing: {queue: support}\n"),
            ("fallback: enquiry", "fallback: billing"),
            ("support@example.org: {name: Example Support}", "help@example.org: {}"),
        )
        changed = await reloaded(here)
        refused = await refused_recipient(here, "support@example.org")
        await asyncio.to_thread(deliver, here.port, mail_text(1).replace(b"support@", b"help@"), "help@example.org")
        await here.until_handled(1)
        case = await here.asks("case.take", ref="1001-C", as_="bob")

    # Bob works for the queue of the one process that there was.
    assert changed == ["people.bob", "processes.enquiry", "processes.billing", "mailboxes.desk"]
    assert refused == 550
    assert (case["process"], case["assignee"]) == ("billing", "bob")


def deliver(port: int, raw: bytes, recipient: str) -> None:
    with smtplib.SMTP("127.0.0.1", port, local_hostname="customer.example", timeout=60) as smtp:
        smtp.sendmail(MARIE, [recipient], raw)


async def refused_recipient(here: House, recipient: str) -> int:
    """The code that a recipient is refused with."""
    try:
        await asyncio.to_thread(deliver, here.port, mail_text(9), recipient)
    except smtplib.SMTPRecipientsRefused as refusal:
        return refusal.recipients[recipient][0]
    return 250


async def test_the_deadlines_of_open_cases_are_those_of_the_changed_process(tmp_path: Path) -> None:
    async with house(tmp_path) as (here, _sink):
        rewrite(tmp_path, ("    queue: support\n", "    queue: support\n    due: {add: 5 days}\n"))
        await reloaded(here)
        await here.writes(mail_text(1))
        await here.until_handled(1)
        first = await next_wake(here)
        rewrite(tmp_path, ("due: {add: 5 days}", "due: {add: 5 days, expected_effort: 1 day}"))
        await reloaded(here)

        async def is_earlier() -> bool:
            return await next_wake(here) < first

        await eventually(is_earlier, "an earlier deadline")


async def next_wake(here: House) -> float:
    wake_at, _ = await here.app.store.next_wake()
    assert wake_at is not None
    return wake_at.timestamp()


async def test_the_way_out_follows_the_file(tmp_path: Path) -> None:
    """Relay and mode: what is written from then on is held, then goes to another relay."""
    async with house(tmp_path) as (here, sink), SmtpSink() as other:
        rewrite(tmp_path, ("relay:", "outgoing: hold\nrelay:"))
        await reloaded(here)
        await here.writes(mail_text(1))
        await here.until_handled(1)
        held = await here.deliveries()
        rewrite(tmp_path, ("outgoing: hold\n", ""), (f"port: {sink.port}", f"port: {other.port}"))
        assert await reloaded(here) == ["relay", "outgoing"]
        await here.writes(mail_text(2, subject="Another"))
        await here.until_sent(2)

    assert {delivery["held"] for delivery in held} == {True}
    assert len(sink.mails) == 0
    assert len(other.mails) == 2


async def test_changed_templates_are_taken_over(tmp_path: Path) -> None:
    folder = tmp_path / "templates" / "en"
    folder.mkdir(parents=True)
    (folder / "acknowledgement.subject.j2").write_text("First wording")
    async with house(tmp_path) as (here, sink):
        rewrite(tmp_path, ("relay:", "templates: templates\nrelay:"))
        await reloaded(here)
        await here.writes(mail_text(1))
        await here.until_sent(2)
        (folder / "acknowledgement.subject.j2").write_text("Second wording")
        await reloaded(here)
        await here.writes(mail_text(2, subject="Another"))
        await here.until_sent(4)

    first, second = subjects(sink, MARIE)
    assert first.startswith("First wording")
    assert second.startswith("Second wording")


async def test_the_log_level_is_told_to_whoever_has_the_log(tmp_path: Path) -> None:
    levels: list[str] = []
    settings = settings_in(tmp_path)
    async with living(
        settings, clock=SteppedClock(START), on_settings=lambda new: levels.append(new.log_level)
    ) as here:
        rewrite(tmp_path, ("relay:", "log_level: debug\nrelay:"))
        await reloaded(here)

    assert levels == ["debug"]


# ---- all or nothing --------------------------------------------------------------------------------------------------


async def test_of_a_wrong_file_every_problem_is_told_and_nothing_is_applied(tmp_path: Path) -> None:
    async with house(tmp_path) as (here, _sink):
        rewrite(
            tmp_path,
            ("people:\n", BOB),
            ("fallback: enquiry", "fallback: enqiury"),
            ("feedback_window: 5 days", "feedback_window: 5 dyas"),
        )
        with structlog.testing.capture_logs() as logs:
            response = await here.daemon.reload()
        bob = await here.answer("case.new", as_="bob", process="enquiry", subject="S")

    problems = [entry["problem"] for entry in logs if entry["event"] == "reload_refused"]
    assert response.exit == Exit.CONFIGURATION
    assert response.data == {"problems": problems}
    assert len(problems) == 2
    assert "feedback_window" in problems[0]
    assert "fallback" in problems[1]
    assert "there is no person 'bob'" in str(bob.error)


async def test_a_broken_template_is_a_reason_to_stay_with_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "templates" / "en"
    folder.mkdir(parents=True)
    (folder / "acknowledgement.subject.j2").write_text("{{ case.")
    async with house(tmp_path) as (here, _sink):
        rewrite(tmp_path, ("relay:", "templates: templates\nrelay:"))

        assert (await here.daemon.reload()).exit == Exit.CONFIGURATION


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("store: state/mailcase.db", "store: elsewhere/mailcase.db", "store"),
        ('listen: "127.0.0.1:0"', 'listen: "127.0.0.1:1"', "mailboxes.desk.receive"),
        ("fallback: enquiry", "enabled: false\n    fallback: enquiry", "mailboxes.desk"),
        ("relay:", "limits: {sessions: 7}\nrelay:", "limits.sessions"),
        (
            "relay:",
            "  shop:\n    receive: {kind: smtp, listen: 127.0.0.1:0}\n    addresses: [shop@example.org]\n"
            "    fallback: enquiry\nrelay:",
            "mailboxes.shop",
        ),
    ],
)
async def test_what_needs_a_restart_is_named_and_the_rest_waits_with_it(
    tmp_path: Path, old: str, new: str, where: str
) -> None:
    async with house(tmp_path) as (here, _sink):
        rewrite(tmp_path, (old, new), ("people:\n", BOB))
        refused = await here.daemon.reload()
        bob = await here.answer("case.new", as_="bob", process="enquiry", subject="S")
        rewrite(tmp_path, (new, old))
        accepted = await here.daemon.reload()

    assert refused.exit == Exit.CONFIGURATION
    assert f" {where}: " in str(refused.error)
    assert "restart needed" in str(refused.error)
    assert "there is no person 'bob'" in str(bob.error)
    assert accepted.data == {"changed": ["people.bob", "processes.enquiry"]}


async def test_a_process_with_open_cases_cannot_be_taken_away(tmp_path: Path) -> None:
    async with house(tmp_path) as (here, _sink):
        await here.writes(mail_text(1))
        await here.until_handled(1)
        rewrite(tmp_path, ("  enquiry:\n", "  request:\n"), ("fallback: enquiry", "fallback: request"))
        refused = await here.daemon.reload()
        await here.asks("case.cancel", ref="1001-C", yes=True)
        accepted = await here.daemon.reload()

    assert refused.exit == Exit.CONFIGURATION
    assert "'enquiry' still has 1 open case(s)" in str(refused.error)
    assert accepted.exit == Exit.DONE


# ---- what is in hand -------------------------------------------------------------------------------------------------


class HeldReader(ReadingHere):
    """Reads only when told to."""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.reading, self.going_on = asyncio.Event(), asyncio.Event()

    async def read(self, mails: Sequence[ClaimedMail], *, now: datetime) -> tuple[ReadMail | Exception, ...]:
        self.reading.set()
        await self.going_on.wait()
        return await super().read(mails, now=now)


async def test_a_mail_in_handling_ends_under_the_old_configuration_and_the_next_begins_under_the_new(
    tmp_path: Path,
) -> None:
    readers: list[HeldReader] = []

    def held(reader: Reader, _limits: Limits) -> HeldReader:
        readers.append(HeldReader(reader))
        if len(readers) > 1:
            readers[-1].going_on.set()
        return readers[-1]

    async with house(tmp_path, world=World(reads=held)) as (here, _sink):
        await here.writes(mail_text(1))
        await readers[0].reading.wait()
        rewrite(tmp_path, ("processes:\n", "processes:\n  billing: {queue: support}\n"))
        rewrite(tmp_path, ("fallback: enquiry", "fallback: billing"))
        reloading = asyncio.create_task(here.daemon.reload())
        await here.writes(mail_text(2, subject="Another"))
        asking = await command_that_waits(here)
        is_done_early = reloading.done()
        readers[0].going_on.set()
        response = await reloading
        opened = await asking
        await here.until_handled(2)
        cases = await here.asks("case.list")

    assert not is_done_early
    assert response.exit == Exit.DONE
    assert opened.exit == Exit.DONE, opened.error
    assert {case["subject"]: case["process"] for case in cases} == {
        "My printer smokes": "enquiry",
        "Another": "billing",
        "By hand": "billing",
    }


async def command_that_waits(here: House) -> asyncio.Task[Response]:
    """A command that only the new configuration can carry out, and that has come while the old one ends its work."""
    while True:
        asking = asyncio.create_task(here.answer("case.new", process="billing", subject="By hand"))
        done, _ = await asyncio.wait({asking}, timeout=0.3)
        if not done:
            return asking


async def test_reloads_under_load_lose_nothing_and_send_nothing_twice(tmp_path: Path) -> None:
    async with house(tmp_path) as (here, sink):

        async def write() -> None:
            for number in range(40):
                raw = mail_text(number, subject=f"Mail {number}").replace(
                    MARIE.encode(), f"m{number}@c.example".encode()
                )
                await here.writes(raw, sender=f"m{number}@c.example")

        writing = asyncio.create_task(write())
        while not writing.done():
            await reloaded(here)
        await writing
        outcomes = await here.until_handled(40)
        await here.until_sent(80)

        attempts = {mail.attempts for mail in await here.mails()}

    assert set(outcomes) == {"new-case"}
    assert attempts == {1}
    assert len(sink.mails) == len({mail.raw for mail in sink.mails}) == 80


class HeldOutlet:
    """The way out, on which the first mail of its first configuration is held up."""

    def __init__(self) -> None:
        self.going_on, self.on_the_wire = asyncio.Event(), asyncio.Event()
        self._outlets_count = 0

    def __call__(self, settings: Settings, clock: Clock, credentials: Credentials | None) -> Outlet:
        self._outlets_count += 1
        outlet = World().outlet(settings, clock, credentials)
        return _HeldSessions(outlet, self) if self._outlets_count == 1 else outlet


class _HeldSessions:
    def __init__(self, outlet: Outlet, held: HeldOutlet) -> None:
        self._outlet = outlet
        self._held = held

    def session(self) -> _HeldSession:
        return _HeldSession(self._outlet.session(), self._held)


class _HeldSession:
    def __init__(self, session: OutletSession, held: HeldOutlet) -> None:
        self._session = session
        self._held = held

    async def send(self, mail: ClaimedOutgoing, *, before_data: BeforeData) -> tuple[Attempt, ...]:
        async def hold(delivery_ids: Sequence[DeliveryId]) -> None:
            await before_data(delivery_ids)
            self._held.on_the_wire.set()
            await self._held.going_on.wait()

        return await self._session.send(mail, before_data=hold)

    async def close(self) -> None:
        await self._session.close()

    async def __aenter__(self) -> Self:
        await self._session.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._session.__aexit__(kind, error, traceback)


async def test_a_mail_on_the_wire_is_not_cut_by_a_reload(tmp_path: Path) -> None:
    """What comes after it goes out meanwhile, by the new relay."""
    held = HeldOutlet()
    async with house(tmp_path, world=World(outlet=held)) as (here, sink), SmtpSink() as other:
        await here.writes(mail_text(1))
        await held.on_the_wire.wait()
        rewrite(tmp_path, (f"port: {sink.port}", f"port: {other.port}"))
        await reloaded(here)
        await here.writes(
            mail_text(2, subject="Another").replace(MARIE.encode(), b"max@c.example"), sender="max@c.example"
        )
        await other.wait_for_mails(2)
        held.going_on.set()
        await here.until_sent(4)

    assert len(sink.mails) >= 1
    assert len(sink.mails) + len(other.mails) == 4


# ---- the service manager ---------------------------------------------------------------------------------------------


async def test_a_storm_of_reloads_is_two(tmp_path: Path) -> None:
    """Who asks while one waits for its turn gets that one: a daemon that reloads for minutes handles no mail."""
    with structlog.testing.capture_logs() as logs:
        async with house(tmp_path) as (here, _sink):
            answers = await asyncio.gather(*(here.daemon.reload() for _ in range(100)))
            rewrite(tmp_path, ("people:\n", BOB))
            changed = await reloaded(here)

    assert {answer.exit for answer in answers} == {Exit.DONE}
    assert len([entry for entry in logs if entry["event"] == "configuration_reloaded"]) <= 3
    assert "people.bob" in changed


async def test_whoever_goes_away_does_not_end_the_reload(tmp_path: Path) -> None:
    """Somebody must be at work, whatever becomes of who asked."""
    async with house(tmp_path) as (here, _sink):
        rewrite(tmp_path, ("people:\n", BOB))
        asking = asyncio.create_task(here.daemon.reload())
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait({asking})
        await reloaded(here)
        await here.writes(mail_text(1))
        await here.until_handled(1)
        case = await here.asks("case.take", ref="1001-C", as_="bob")

    assert case["assignee"] == "bob"


async def test_the_service_manager_hears_of_start_reload_and_stop(tmp_path: Path) -> None:
    with NotifySocket(tmp_path) as heard:
        manager = Systemd(heard.address, watchdog=timedelta(seconds=10), clock=SystemClock())
        async with living(settings_in(tmp_path), clock=SteppedClock(START), manager=manager) as here:
            await heard.until_said("READY=1")
            assert (await here.daemon.reload()).exit == Exit.DONE
            await heard.until_said("READY=1", count=2)
            rewrite(tmp_path, ("fallback: enquiry", "fallback: enqiury"))
            await here.daemon.reload()
            await heard.until_said("READY=1", count=3)
        await heard.until_said("STOPPING=1")

    states = [message.partition("=")[0] for message in heard.messages if "WATCHDOG" not in message]
    refused = next(message for message in heard.messages if "refused" in message)
    assert [state for state in states if state != "STATUS"] == [
        *("READY", "RELOADING", "READY", "RELOADING", "READY", "STOPPING")
    ]
    assert "mailboxes.desk.fallback" in refused
    assert ANN not in "".join(heard.messages)
