"""Files that cannot be read, and what a good file becomes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import date, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from mailcase.config import reader
from mailcase.config.settings import (
    AfterTaking,
    ImapSource,
    Language,
    Limits,
    ListenerKind,
    ListenerSource,
    MaildirRelay,
    Outgoing,
    OutgoingMode,
    OwnAddress,
    PersonSettings,
    Relay,
    ReplyAddress,
    SecretFile,
    Settings,
    Tls,
)
from mailcase.core.case import MailboxName, PersonId, ProcessName, QueueName
from mailcase.core.process import (
    DEFAULT_NOTICES,
    DueRule,
    FeedbackWindow,
    Notice,
    Person,
    Process,
    Span,
    SpanUnit,
    WaitReason,
)
from mailcase.core.routing import Condition, ConditionField, Route
from mailcase.errors import ConfigError

Load = Callable[..., Settings]

DESK = MailboxName("desk")
ENQUIRY = ProcessName("enquiry")
ROOT = Path(__file__).parents[2]


def _mailbox_text(receive: str = 'kind: smtp, listen: "127.0.0.1:25"', **keys: str) -> str:
    lines = {"addresses": "[support@example.org]", "fallback": "enquiry", **keys}
    written = "".join(f"    {key}: {value}\n" for key, value in lines.items())
    return f"processes: {{enquiry: {{}}, billing: {{}}}}\nmailboxes:\n  desk:\n    receive: {{{receive}}}\n{written}"


def _process(load: Load, text: str, *, more: str = "") -> Process:
    base = f"""\
processes: {{enquiry: {text}}}
calendars:
  office: {{hours: 09:00-17:00}}
  shop: {{days: mon-sat, hours: [09:00-12:00, 13:00-18:00], holidays: {{country: DE, extra: [2026-12-24]}}}}
mailboxes: {{desk: {{receive: {{kind: smtp, listen: "127.0.0.1:25"}}, addresses: [a@example.org], fallback: enquiry}}}}
"""
    return load(more, base=base).processes[ENQUIRY]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a: b\xe9\n", "1:5: is not written in UTF-8\n    Save the file as UTF-8."),
        (b"# \xc3\xa9\n\nb: \xff\n", "3:4: is not written in UTF-8\n    Save the file as UTF-8."),
        (b"#" * (1024 * 1024 + 1), " is larger than 1 MiB\n    Is it the configuration?"),
        (b"", " the file is empty"),
    ],
)
def test_a_file_that_is_no_text_is_one_problem(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "m.yaml"
    path.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        reader.load(path, environment={})

    assert str(caught.value) == f"{path}:{problem}"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("none.yaml", "there is no such file\n    `mailcase config example` prints one to start from."),
        (".", "cannot be read: Is a directory\n    Check path and permissions."),
        ("a\0b", "cannot be read: embedded null byte\n    Check path and permissions."),
        ("loop", "cannot be read: Too many levels of symbolic links\n    Check path and permissions."),
    ],
)
def test_a_file_that_cannot_be_read_is_one_problem(tmp_path: Path, name: str, problem: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    path = tmp_path / name

    with pytest.raises(ConfigError) as caught:
        reader.load(path, environment={})

    assert str(caught.value) == f"{path}: {problem}"


def test_a_byte_order_mark_does_no_harm(tmp_path: Path, load: Load) -> None:
    assert load("\ufefflanguage: fr\n").language is Language.FRENCH


def test_the_environment_is_that_of_the_process_unless_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.yaml").write_text(_mailbox_text())
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/mailcase")

    assert reader.load(tmp_path / "m.yaml").socket == Path("/run/mailcase/mailcase.sock")
    assert reader.check(tmp_path / "m.yaml") == ()


def test_the_least_that_works_has_a_default_for_everything_else(load: Load, tmp_path: Path) -> None:
    settings = load("")

    process = Process(
        name=ENQUIRY,
        queue=QueueName("main"),
        zone=ZoneInfo("UTC"),
        people=(),
        wait_reasons=(
            WaitReason(name="client", asks_requester=True),
            WaitReason(name="third party"),
            WaitReason(name="internal"),
        ),
    )
    assert settings.language is Language.ENGLISH
    assert settings.zone == ZoneInfo("UTC")
    assert settings.people == {}
    assert settings.queues == ("main",)
    assert settings.processes == {ENQUIRY: process}
    assert settings.outgoing == Outgoing(mode=OutgoingMode.SEND)
    assert settings.relay == MaildirRelay(path=tmp_path / "var" / "outgoing")
    assert settings.templates is None
    assert settings.limits == Limits()
    assert settings.state_folder == tmp_path / "var"
    mailbox = settings.mailboxes[DESK]
    assert mailbox.is_enabled
    assert mailbox.source == ListenerSource(kind=ListenerKind.SMTP, host="127.0.0.1", port=2525)
    assert mailbox.routes == ()
    assert mailbox.fallback == ENQUIRY
    assert mailbox.addresses == (
        OwnAddress(
            address="support@example.org",
            name="",
            signature="",
            language=Language.ENGLISH,
            reply_address=ReplyAddress.PLUS,
            templates=None,
        ),
    )


def test_people(load: Load) -> None:
    settings = load(
        """\
        language: fr
        queues: {a: {}, b: }
        people:
          ann: {name: Ann Lee, address: Ann@Example.org, login: alee, queues: [b], role: leader, language: en}
          bob: {address: bob@example.org, retired: true}
        """,
        base=_mailbox_text().replace("{enquiry: {}, billing: {}}", "{enquiry: {queue: b}}"),
    )

    assert settings.people[PersonId("ann")] == PersonSettings(
        id=PersonId("ann"),
        name="Ann Lee",
        address="ann@example.org",
        login="alee",
        queues=(QueueName("b"),),
        is_leader=True,
        is_retired=False,
        language=Language.ENGLISH,
    )
    assert settings.people[PersonId("bob")] == PersonSettings(
        id=PersonId("bob"),
        name="bob",
        address="bob@example.org",
        login=None,
        queues=(QueueName("a"), QueueName("b")),
        is_leader=False,
        is_retired=True,
        language=Language.FRENCH,
    )
    assert settings.processes[ENQUIRY].queue == "b"
    assert settings.processes[ENQUIRY].people == (
        Person(id=PersonId("ann"), queues=frozenset({QueueName("b")}), is_leader=True),
        Person(id=PersonId("bob"), queues=frozenset({QueueName("a"), QueueName("b")}), is_retired=True),
    )


def test_a_process_in_full(load: Load) -> None:
    process = _process(
        load,
        """{time_zone: America/New_York, allocation: [ann], answer_takes: false,
            wait_reasons: [{name: client, ask: requester}, elsewhere], notices: {reopened: true, resolved: false}}""",
        more="people: {ann: {address: ann@example.org}}\ntime_zone: Europe/Paris\n",
    )

    assert process.zone == ZoneInfo("America/New_York")
    assert process.allocation == ("ann",)
    assert process.answer_takes is False
    assert process.is_retired is False
    assert process.wait_reasons == (WaitReason(name="client", asks_requester=True), WaitReason(name="elsewhere"))
    assert process.notices == (DEFAULT_NOTICES | {Notice.REOPENED}) - {Notice.RESOLVED}


def test_a_retired_process_that_nothing_leads_to(load: Load) -> None:
    settings = load("", base=_mailbox_text().replace("billing: {}", "old: {retired: true}"))

    assert settings.processes[ProcessName("old")].is_retired


def test_a_due_rule_in_full(load: Load) -> None:
    """SL-11"""
    due = _process(
        load,
        """{due: {add: 2 working days, calendar: shop, add_wait_time: true, next_morning: true, may_override: false,
            promise: true, expected_effort: 90 minutes}}""",
        more="time_zone: Europe/Berlin\n",
    ).due

    assert due is not None
    assert due.add == Span(amount=2, unit=SpanUnit.WORKING_DAYS)
    assert (due.add_wait_time, due.next_morning, due.end_of_day, due.may_override) == (True, True, False, False)
    assert due.is_promised
    assert due.expected_effort == timedelta(minutes=90)
    calendar = due.calendar
    assert calendar is not None
    assert calendar.zone == ZoneInfo("Europe/Berlin")
    assert calendar.hours == (((time(9), time(12)), (time(13), time(18))),) * 6 + ((),)
    assert date(2026, 12, 24) in calendar.holidays
    assert date(2026, 10, 3) in calendar.holidays
    assert date(2026, 10, 2) not in calendar.holidays


def test_a_due_rule_in_short(load: Load) -> None:
    assert _process(load, "{due: 5 days}").due == DueRule(add=Span(amount=5, unit=SpanUnit.DAYS))


def test_the_words_of_a_feedback_window_say_how_days_are_counted(load: Load) -> None:
    """ST-20"""
    plain = _process(load, "{feedback_window: 5 days, due: {add: 1 day, calendar: office}}")
    of_the_due_rule = _process(load, "{feedback_window: 5 working days, due: {add: 1 day, calendar: office}}")
    its_own = _process(
        load, "{feedback_window: {length: 1 working day, calendar: shop}, due: {add: 1 day, calendar: office}}"
    )

    assert plain.feedback_window == FeedbackWindow(days=5)
    assert of_the_due_rule.due is not None
    assert of_the_due_rule.feedback_window == FeedbackWindow(days=5, calendar=of_the_due_rule.due.calendar)
    assert its_own.feedback_window is not None
    assert its_own.feedback_window.calendar is not None
    assert its_own.feedback_window.calendar.name == "shop"


def test_an_imap_mailbox_in_short(load: Load, tmp_path: Path) -> None:
    mailbox = load("", base=_mailbox_text("kind: imap, host: IMAP.example.org, password_file: p")).mailboxes[DESK]

    assert mailbox.source == ImapSource(
        host="imap.example.org",
        port=993,
        tls=Tls.TLS,
        ca_file=None,
        user="support@example.org",
        login=SecretFile(path=tmp_path / "p"),
        folder="INBOX",
        after=AfterTaking.MOVE,
        move_to="Processed",
        takes_existing=False,
    )
    assert mailbox.addresses[0].reply_address is ReplyAddress.PLAIN


def test_an_imap_mailbox_in_full(load: Load, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    text = _mailbox_text(
        "kind: imap, host: h, port: 1143, tls: starttls, ca_file: ca.pem, user: u, password_file: p, folder: Büro/In,"
        " after: {move: Done}, start: all, poll_every: 5 minutes, command_timeout: 30 seconds"
    )

    assert load("", base=text).mailboxes[DESK].source == ImapSource(
        host="h",
        port=1143,
        tls=Tls.STARTTLS,
        ca_file=tmp_path / "ca.pem",
        user="u",
        login=SecretFile(path=tmp_path / "p"),
        folder="Büro/In",
        after=AfterTaking.MOVE,
        move_to="Done",
        takes_existing=True,
        poll_every=timedelta(minutes=5),
        command_timeout=timedelta(seconds=30),
    )


@pytest.mark.parametrize("word", ["move", "flag", "leave"])
def test_what_becomes_of_a_mail_on_the_server(load: Load, word: str) -> None:
    source = (
        load("", base=_mailbox_text(f"kind: imap, host: h, password_file: p, after: {word}")).mailboxes[DESK].source
    )

    assert isinstance(source, ImapSource)
    assert source.after.value == word


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [("0.0.0.0:25", "0.0.0.0", 25), ("[::1]:24", "::1", 24), ("LOCALHOST:0", "localhost", 0)],
)
def test_a_listener(load: Load, listen: str, host: str, port: int) -> None:
    text = _mailbox_text(f'kind: lmtp, listen: "{listen}", sender_retry: 2 hours, relays: MX.example.org')

    assert load("", base=text).mailboxes[DESK].source == ListenerSource(
        kind=ListenerKind.LMTP, host=host, port=port, sender_retry=timedelta(hours=2), relays=("mx.example.org",)
    )


def test_addresses_in_full(load: Load, tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    text = _mailbox_text(
        addresses="""
      Support@Example.org: {name: Support, signature: "One\\nTwo", language: fr, reply_address: catch-all,
                            templates: letters}
      billing@example.org:"""
    )

    mailbox = load("", base=text).mailboxes[DESK]

    assert mailbox.addresses[0] == OwnAddress(
        address="support@example.org",
        name="Support",
        signature="One\nTwo",
        language=Language.FRENCH,
        reply_address=ReplyAddress.CATCH_ALL,
        templates=tmp_path / "letters",
    )
    assert mailbox.address("billing@example.org") == mailbox.addresses[1]


def test_routes_keep_their_order_and_wildcards_come_last(load: Load) -> None:
    """EM-31, EM-33"""
    text = _mailbox_text(
        addresses="[support@example.org, billing@example.org]",
        routes="""
      - {to: "*", from: ["*@Bank.example"], process: billing, acknowledge: false}
      - {subject: Invoice, importance: high, attachments: [.PDF, "*.xlsx"], process: billing}
      - {to: Billing@example.org, from: a@b.example, recipients: ["*@c.example"], process: enquiry}""",
    )

    routes = load("", base=text).mailboxes[DESK].routes

    def condition(field: ConditionField, *values: str) -> Condition:
        return Condition(field=field, values=values)

    assert routes == (
        Route(
            to="support@example.org",
            conditions=(
                condition(ConditionField.SUBJECT, "invoice"),
                condition(ConditionField.IMPORTANCE, "high"),
                condition(ConditionField.ATTACHMENTS, "pdf", "xlsx"),
            ),
            process=ProcessName("billing"),
        ),
        Route(
            to="billing@example.org",
            conditions=(
                condition(ConditionField.SENDER, "a@b.example"),
                condition(ConditionField.RECIPIENT, "*@c.example"),
            ),
            process=ENQUIRY,
        ),
        Route(
            to="*",
            conditions=(condition(ConditionField.SENDER, "*@bank.example"),),
            process=ProcessName("billing"),
            acknowledge=False,
        ),
    )


@pytest.mark.parametrize(("tls", "port"), [("tls", 465), ("starttls", 587), ("none", 25)])
def test_a_relay_has_the_port_of_its_protection(load: Load, tls: str, port: int) -> None:
    relay = load(f"relay: {{host: 127.0.0.1, tls: {tls}}}\n").relay

    assert relay == Relay(
        host="127.0.0.1", port=port, tls=Tls(tls), ca_file=None, user=None, login=None, helo="example.org"
    )


def test_a_relay_in_full(load: Load, tmp_path: Path) -> None:
    settings = load(
        "relay: {host: smtp.example.org, port: 2587, user: u, password_file: p, helo: desk.example.org,"
        " connections: 4, timeout: 30 seconds}\noutgoing: {redirect: Me@Example.com}\n"
    )

    assert settings.relay == Relay(
        host="smtp.example.org",
        port=2587,
        tls=Tls.STARTTLS,
        ca_file=None,
        user="u",
        login=SecretFile(path=tmp_path / "p"),
        helo="desk.example.org",
        connections=4,
        timeout=timedelta(seconds=30),
    )
    assert settings.outgoing == Outgoing(mode=OutgoingMode.REDIRECT, redirect_to="me@example.com")


def test_mail_can_be_held(load: Load) -> None:
    assert load("outgoing: hold\n").outgoing == Outgoing(mode=OutgoingMode.HOLD)


def test_limits(load: Load) -> None:
    limits = load(
        "limits: {message_bytes: 10 MB, inbox_batch_bytes: 4 MiB, attempts: 5, lease: 1 hour, resend_unknown: true,"
        " due_batch: 20, outbox_batch: 5, pause_first: 2 seconds, pause_longest: 1 minute}\n"
    ).limits

    assert limits == Limits(
        message_bytes=10_000_000,
        inbox_batch_bytes=4 * 2**20,
        attempts=5,
        lease=timedelta(hours=1),
        resend_unknown=True,
        due_batch=20,
        outbox_batch=5,
        pause_first=timedelta(seconds=2),
        pause_longest=timedelta(minutes=1),
    )


def test_holidays_cost_nothing_where_no_calendar_names_a_country(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(f"calendars: {{office: {{holidays: [2026-12-24]}}}}\n{_mailbox_text()}")
    program = (
        "import sys; from pathlib import Path; from mailcase.config import reader;"
        f"reader.load(Path({str(path)!r}), environment={{}}); sys.exit('holidays' in sys.modules)"
    )

    finished = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)

    assert finished.returncode == 0
