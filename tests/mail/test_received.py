"""After a gap, mail is judged by when a configured relay took it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mailcase.mail.received import taken_at

RELAYS = ("mx.example.org",)
POSTFIX = (
    b"Received: from mail.customer.example (mail.customer.example [192.0.2.7])\r\n"
    b"\tby mx.example.org (Postfix) with ESMTPS id 4ABC\r\n"
    b"\tfor <support@example.org>; Tue, 24 Nov 2026 10:00:05 +0100 (CET)\r\n"
)
OLDER = b"Received: from pc by mail.customer.example; Tue, 24 Nov 2026 09:59:00 +0100\r\n"
REST = b"From: marie@customer.example\r\n\r\nIt smokes.\r\n"


def test_the_topmost_line_of_a_relay_says_when_it_took_the_mail() -> None:
    assert taken_at(POSTFIX + OLDER + REST, RELAYS) == datetime(2026, 11, 24, 9, 0, 5, tzinfo=UTC)


def test_a_return_path_above_it_does_not_matter() -> None:
    assert taken_at(b"Return-Path: <x@y.example>\r\n" + POSTFIX + REST, RELAYS) is not None


def test_the_name_of_a_relay_is_compared_without_case() -> None:
    assert taken_at(POSTFIX.replace(b"mx.example.org", b"MX.Example.ORG") + REST, RELAYS) is not None


@pytest.mark.parametrize(
    "raw",
    [
        OLDER + POSTFIX + REST,
        REST,
        POSTFIX.replace(b"mx.example.org", b"mx.example.org.evil.example") + REST,
        b"Received: by\r\n" + REST,
        POSTFIX.replace(b"Tue, 24 Nov 2026 10:00:05 +0100 (CET)", b"yesterday") + REST,
        b"",
    ],
    ids=["a relay further down", "no line", "another host", "no host", "no date", "nothing"],
)
def test_whatever_else_is_not_believed(raw: bytes) -> None:
    assert taken_at(raw, RELAYS) is None


def test_without_relays_nothing_is_believed() -> None:
    assert taken_at(POSTFIX + REST, ()) is None
