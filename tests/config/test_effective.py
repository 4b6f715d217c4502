"""What `config show` prints: the shape of the file, complete, without secrets."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import date, time
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml

from mailcase.config import reader
from mailcase.config.effective import effective
from mailcase.config.settings import Settings
from mailcase.core.case import ProcessName
from mailcase.core.process import DueRule, Span, SpanUnit, WorkingCalendar

FULL = """\
store: var/m.db
socket: run.sock
language: fr
time_zone: Europe/Paris
templates: .
people:
  ann: {address: ann@example.org, login: alee, role: leader, queues: [support]}
  bob: {address: bob@example.org, retired: true, language: en}
queues: {support: {}, sales: {}}
calendars:
  office:
    days: mon-thu
    hours: [08:00-12:00, 13:00-24:00]
    holidays: {country: DE, subdivision: BY, extra: [2026-12-24]}
  shop: {hours: {sat: 09:00-12:00}, time_zone: America/New_York}
processes:
  enquiry:
    queue: support
    due: {add: 3 working hours, calendar: office, add_wait_time: true, end_of_day: true, expected_effort: 90 minutes}
    feedback_window: {length: 2 working days, calendar: shop}
    wait_reasons: [{name: client, ask: requester}, internal]
    notices: {closed: true, assigned: false}
    allocation: [ann]
  old: {queue: sales, retired: true, due: 2 weeks, feedback_window: 5 days, answer_takes: false}
mailboxes:
  desk:
    receive: {kind: imap, host: imap.example.org, password_file: desk.secret, ca_file: m.yaml, after: flag, start: all}
    authserv_id: mx.example.org
    addresses: {support@example.org: {name: Support, signature: "a\\nb", templates: .}, b@example.org: }
    routes:
      - {to: "*", from: ["*@bank.example"], process: enquiry, acknowledge: false}
      - {subject: [invoice], importance: high, attachments: [pdf], recipients: b@example.org, process: enquiry}
    fallback: enquiry
  other:
    receive: {kind: imap, host: imap.example.org, password_file: desk.secret, user: o, tls: starttls}
    addresses: [c@example.org]
    fallback: enquiry
    enabled: false
  door:
    receive: {kind: lmtp, listen: "[::1]:24"}
    addresses: {d@example.org: {reply_address: plain}}
    fallback: enquiry
relay: {host: smtp.example.org, user: u, password_file: desk.secret, ca_file: m.yaml}
outgoing: {redirect: trial@example.com}
limits: {lease: 90 seconds, message_bytes: 10 MB, resend_unknown: true}
"""


def _loaded(folder: Path, text: str) -> Settings:
    secret = folder / "desk.secret"
    secret.touch(mode=0o600)
    secret.write_text("SECRET_canary")
    path = folder / "m.yaml"
    path.write_text(text)
    return reader.load(path, environment={})


def test_reading_it_back_gives_the_same_settings(tmp_path: Path) -> None:
    settings = _loaded(tmp_path, FULL)

    again = _loaded(tmp_path, yaml.safe_dump(effective(settings), sort_keys=False))

    assert again == settings


def test_reading_the_least_file_back_gives_the_same_settings(load: Callable[..., Settings], tmp_path: Path) -> None:
    settings = load("")

    again = _loaded(tmp_path, yaml.safe_dump(effective(settings), sort_keys=False))

    assert dataclasses.replace(again, file=settings.file) == settings


def test_no_secret_is_read_or_shown(tmp_path: Path) -> None:
    """S16"""
    settings = _loaded(tmp_path, FULL)

    shown = json.dumps(effective(settings)) + repr(settings)

    assert "canary" not in shown
    assert str(tmp_path / "desk.secret") in shown


def test_nothing_that_is_nothing_is_shown(load: Callable[..., Settings]) -> None:
    assert "null" not in json.dumps(effective(load("")))


def test_days_off_that_did_not_come_from_a_file_are_left_out(load: Callable[..., Settings]) -> None:
    settings = load("")
    calendar = WorkingCalendar(
        name="made",
        zone=ZoneInfo("UTC"),
        hours=(((time(9), time(17)),),) + ((),) * 6,
        holidays=frozenset({date(2026, 12, 24)}),
    )
    name = ProcessName("enquiry")
    due = DueRule(add=Span(amount=1, unit=SpanUnit.WORKING_DAYS), calendar=calendar)
    process = dataclasses.replace(settings.processes[name], due=due)

    shown = effective(dataclasses.replace(settings, processes={name: process}))

    assert shown["calendars"] == {"made": {"hours": {"mon": ["09:00-17:00"]}, "time_zone": "UTC"}}
