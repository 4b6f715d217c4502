"""What the SMTP client puts on the wire: addresses, extensions, line ends (S4, S12, S14)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.outbound.outgoing import Journal, claimed, relay_to
from tests.servers.smtp_sink import SmtpSink

from mailcase.outbound.port import Attempt
from mailcase.store.rows.outbox import DeliveryState

SENT, FAILED = DeliveryState.SENT, DeliveryState.FAILED


def states(attempts: Sequence[Attempt]) -> list[DeliveryState]:
    return [attempt.state for attempt in attempts]


async def test_the_null_sender_stays_null() -> None:
    async with SmtpSink() as sink, relay_to(sink.port).session() as session:
        attempts = await session.send(claimed(envelope_from=""), before_data=Journal())

    assert states(attempts) == [SENT]
    assert sink.mails[0].sender == ""


@pytest.mark.parametrize(
    "address",
    [
        "a@b>\r\nRCPT TO:<v@x",
        "a@example.org> SIZE=1",
        "a b@example.org",
        "a\u2028@example.org",
        "a\x00@example.org",
        "a\udcff@example.org",
        "<a@example.org>",
        "Anna <a@example.org>",
        "nobody",
        "@example.org",
        "a@",
        "",
        "a" * 250 + "@example.org",
    ],
)
async def test_a_bad_address_fails_alone_and_never_reaches_the_wire(address: str) -> None:
    """S14: the library would have rewritten some of these in silence."""
    async with SmtpSink() as sink, relay_to(sink.port).session() as session:
        attempts = await session.send(claimed("anna@example.org", address), before_data=Journal())

    assert states(attempts) == [SENT, FAILED]
    assert sink.mails[0].recipients == ("anna@example.org",)
    assert len([command for command in sink.commands if command.startswith("RCPT")]) == 1


async def test_a_bad_sender_fails_all_without_a_connection() -> None:
    async with SmtpSink() as sink, relay_to(sink.port).session() as session:
        attempts = await session.send(claimed("a@b.org", "c@d.org", envelope_from="x>\r\nQUIT"), before_data=Journal())

    assert states(attempts) == [FAILED, FAILED]
    assert sink.connection_count == 0


async def test_letters_outside_ascii_go_out_with_smtputf8() -> None:
    async with SmtpSink() as sink, relay_to(sink.port).session() as session:
        attempts = await session.send(claimed("zoë@exämple.org"), before_data=Journal())

    assert states(attempts) == [SENT]
    assert sink.mails[0].recipients == ("zoë@exämple.org",)
    assert "SMTPUTF8" in next(command for command in sink.commands if command.startswith("MAIL"))


async def test_without_smtputf8_such_an_address_fails_alone() -> None:
    async with SmtpSink(extensions=("8BITMIME",)) as sink, relay_to(sink.port).session() as session:
        attempts = await session.send(claimed("zoë@example.org", "ben@example.org"), before_data=Journal())
        from_us = await session.send(claimed(envelope_from="büro@example.org", number=2), before_data=Journal())

    assert states(attempts) == [FAILED, SENT]
    assert "SMTPUTF8" in attempts[0].reply
    assert states(from_us) == [FAILED]


async def test_what_the_server_offers_is_used_and_nothing_else() -> None:
    raw = "Subject: x\r\n\r\nGrüße\r\n".encode()
    async with SmtpSink() as sink, relay_to(sink.port).session() as session:
        await session.send(claimed(raw=raw), before_data=Journal())
    async with SmtpSink(extensions=()) as plain, relay_to(plain.port).session() as session:
        await session.send(claimed(raw=raw), before_data=Journal())

    assert f"MAIL FROM:<desk@example.org> SIZE={len(raw)} BODY=8BITMIME" in sink.commands
    assert "MAIL FROM:<desk@example.org>" in plain.commands
    assert sink.mails[0].raw == plain.mails[0].raw == raw


async def test_a_reply_of_many_lines_with_strange_bytes_becomes_one_safe_line() -> None:
    """S7: the server's words are text from outside."""
    async with SmtpSink() as sink, relay_to(sink.port).session() as session:
        sink.script("RCPT", "550-5.1.1 no \x1b[2Jsuch\r\n550 5.1.1 " + "x" * 1000)

        attempts = await session.send(claimed("anna@example.org"), before_data=Journal())

    assert states(attempts) == [FAILED]
    assert attempts[0].reply.startswith("550 5.1.1 no \\x1b[2Jsuch 5.1.1 xxx")
    assert len(attempts[0].reply) <= 503


@pytest.mark.parametrize(
    "ending", [b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n.\r", b"\r.\n", b"\r\n.\r\n"]
)
@pytest.mark.parametrize("is_lenient", [False, True])
async def test_no_end_of_mail_can_be_smuggled_out(ending: bytes, is_lenient: bool) -> None:
    """S12: strict and lenient servers see one mail."""
    raw = b"Subject: x\r\n\r\nbefore" + ending + b"MAIL FROM:<evil@example.org>\r\n"
    async with SmtpSink(ends_at_bare_dot=is_lenient) as sink, relay_to(sink.port).session() as session:
        attempts = await session.send(claimed(raw=raw), before_data=Journal())

    assert states(attempts) == [SENT]
    assert len(sink.mails) == 1
    assert b"evil@example.org" in sink.mails[0].raw
    assert [command for command in sink.commands if "evil" in command] == []


async def test_a_mail_that_starts_with_a_dot_or_ends_in_mid_line_arrives_whole() -> None:
    async with SmtpSink() as sink, relay_to(sink.port).session() as session:
        await session.send(claimed(raw=b".x: y\r\n\r\n.end"), before_data=Journal())

    assert sink.mails[0].raw == b".x: y\r\n\r\n.end\r\n"
