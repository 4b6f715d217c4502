"""The SMTP client against a real server: one verdict per recipient, whatever the server does (R11, R19, L32)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from tests.outbound.outgoing import PATIENT, RAW, Journal, claimed, relay_to
from tests.servers.smtp_sink import Act, Reply, SmtpSink

from mailcase.clock import SystemClock
from mailcase.errors import StoreUnavailable
from mailcase.outbound.port import Attempt
from mailcase.store.rows.outbox import DeliveryId, DeliveryState

SENT, DEFERRED, FAILED = DeliveryState.SENT, DeliveryState.DEFERRED, DeliveryState.FAILED
UNKNOWN, QUEUED = DeliveryState.UNKNOWN, DeliveryState.QUEUED

#: Short for a server that does not answer.
IMPATIENT = timedelta(seconds=0.3)


def states(attempts: Sequence[Attempt]) -> list[DeliveryState]:
    return [attempt.state for attempt in attempts]


async def test_a_mail_arrives_byte_for_byte() -> None:
    journal = Journal()
    async with SmtpSink() as sink, relay_to(sink.port).session() as session:
        attempts = await session.send(claimed("anna@example.org"), before_data=journal)

    assert attempts == (Attempt(id=DeliveryId(100), state=SENT, reply="250 2.0.0 taken"),)
    assert sink.mails[0].raw == RAW
    assert sink.mails[0].sender == "desk@example.org"
    assert sink.mails[0].recipients == ("anna@example.org",)
    assert sink.commands[0] == "EHLO desk.example.org"


# R11: what the server does at which command (STARTTLS, AUTH: test_relay_tls.py; RSET, QUIT: below); the state that
# must follow; whether the attempt was journaled by then.
TABLE = [
    ("CONNECT", "421 4.3.2 busy", DEFERRED, False),
    ("CONNECT", "450 4.3.2 not now", DEFERRED, False),
    ("CONNECT", "554 5.3.2 no mail here", DEFERRED, False),
    ("CONNECT", Act.DROP, DEFERRED, False),
    ("CONNECT", Act.SILENCE, DEFERRED, False),
    ("CONNECT", "nonsense", DEFERRED, False),
    ("EHLO", "421 4.3.2 busy", DEFERRED, False),
    ("EHLO", "451 4.3.0 not now", DEFERRED, False),
    ("EHLO", "550 5.7.1 who are you", DEFERRED, False),
    ("EHLO", Act.DROP, DEFERRED, False),
    ("EHLO", Act.SILENCE, DEFERRED, False),
    ("MAIL", "451 4.3.0 later", DEFERRED, False),
    ("MAIL", "550 5.1.0 not from you", FAILED, False),
    ("MAIL", "552 5.3.4 too big", FAILED, False),
    ("MAIL", "530 5.7.0 log in first", DEFERRED, False),
    ("MAIL", "421 4.3.2 busy", DEFERRED, False),
    ("MAIL", "354 what", DEFERRED, False),
    ("MAIL", Act.DROP, DEFERRED, False),
    ("MAIL", Act.SILENCE, DEFERRED, False),
    ("RCPT", "450 4.2.0 greylisted", DEFERRED, False),
    ("RCPT", "550 5.1.1 unknown", FAILED, False),
    ("RCPT", "552 5.2.2 mailbox full", FAILED, False),
    ("RCPT", "421 4.3.2 busy", DEFERRED, False),
    ("RCPT", Act.DROP, DEFERRED, False),
    ("RCPT", Act.SILENCE, DEFERRED, False),
    ("DATA", "451 4.3.0 later", DEFERRED, True),
    ("DATA", "554 5.5.1 no", FAILED, True),
    ("DATA", "421 4.3.2 busy", DEFERRED, True),
    ("DATA", "250 2.0.0 what", DEFERRED, True),
    # No byte of the mail has left us, so it cannot have arrived.
    ("DATA", Act.DROP, DEFERRED, True),
    ("DATA", Act.SILENCE, DEFERRED, True),
    ("BODY", Act.DROP, UNKNOWN, True),
    ("BODY", Act.SILENCE, UNKNOWN, True),
    ("DOT", "451 4.3.0 later", DEFERRED, True),
    ("DOT", "452 4.3.1 disk full", DEFERRED, True),
    ("DOT", "554 5.6.0 not wanted", FAILED, True),
    # An answer, and it says no: the relay does not have the mail.
    ("DOT", "421 4.7.0 slow down", DEFERRED, True),
    ("DOT", Act.DROP, UNKNOWN, True),
    ("DOT", Act.SILENCE, UNKNOWN, True),
    ("DOT", "nonsense", UNKNOWN, True),
    ("DOT", "354 what", UNKNOWN, True),
]


@pytest.mark.parametrize(("verb", "reply", "state", "is_journaled"), TABLE)
async def test_every_answer_has_its_state_and_the_next_mail_goes_out(
    verb: str, reply: Reply, state: DeliveryState, is_journaled: bool
) -> None:
    journal = Journal()
    timeout = IMPATIENT if reply is Act.SILENCE else PATIENT
    async with SmtpSink() as sink, relay_to(sink.port, timeout=timeout).session() as session:
        sink.script(verb, reply)

        first = await session.send(claimed("anna@example.org", number=1), before_data=journal)
        journaled = bool(journal.entries)
        second = await session.send(claimed("ben@example.org", number=2), before_data=journal)

    assert states(first) == [state]
    assert "\n" not in first[0].reply
    assert first[0].reply
    assert journaled is is_journaled
    assert states(second) == [SENT]
    assert [mail.recipients for mail in sink.mails] == [("ben@example.org",)]


@pytest.mark.parametrize(("verb", "reply", "state", "is_journaled"), TABLE)
async def test_the_servers_words_are_kept(verb: str, reply: Reply, state: DeliveryState, is_journaled: bool) -> None:
    if isinstance(reply, Act):
        return
    async with SmtpSink() as sink, relay_to(sink.port).session() as session:
        sink.script(verb, reply)

        attempts = await session.send(claimed("anna@example.org"), before_data=Journal())

    assert reply in attempts[0].reply


async def test_a_relay_that_nobody_listens_at_is_told_in_the_words_of_the_system() -> None:
    async with SmtpSink() as sink:
        port = sink.port

    async with relay_to(port).session() as session:
        attempts = await session.send(claimed("anna@example.org"), before_data=Journal())

    assert states(attempts) == [DEFERRED]
    assert attempts[0].reply == f"relay 127.0.0.1:{port}: cannot connect: Connection refused"


async def test_a_refused_recipient_does_not_stop_the_others() -> None:
    """R11: several RCPT in one transaction, each settled singly."""
    journal = Journal()
    async with SmtpSink() as sink, relay_to(sink.port).session() as session:
        sink.refuse("gone@example.org", "550 5.1.1 unknown")
        sink.refuse("full@example.org", "452 4.2.2 full")
        mail = claimed("anna@example.org", "gone@example.org", "full@example.org", "ben@example.org")

        attempts = await session.send(mail, before_data=journal)

    assert states(attempts) == [SENT, FAILED, DEFERRED, SENT]
    assert [attempt.id for attempt in attempts] == [100, 101, 102, 103]
    assert sink.mails[0].recipients == ("anna@example.org", "ben@example.org")
    assert journal.entries == [(100, 103)]


async def test_a_connection_lost_between_recipients_leaves_the_refused_one_failed() -> None:
    async with SmtpSink() as sink, relay_to(sink.port).session() as session:
        sink.script("RCPT", "550 5.1.1 unknown", "250 2.1.5 ok", Act.DROP)

        attempts = await session.send(claimed("a@example.org", "b@example.org", "c@example.org"), before_data=Journal())

    assert states(attempts) == [FAILED, DEFERRED, DEFERRED]


async def test_552_after_an_accepted_recipient_means_too_many_of_them() -> None:
    """RFC 5321 s. 4.5.3.1.10."""
    async with SmtpSink() as sink, relay_to(sink.port).session() as session:
        sink.script("RCPT", "250 2.1.5 ok", "552 5.5.3 too many recipients")

        attempts = await session.send(claimed("a@example.org", "b@example.org"), before_data=Journal())

    assert states(attempts) == [SENT, DEFERRED]


async def test_a_failing_journal_gives_the_mail_back_and_nothing_is_sent() -> None:
    """L32: no attempt without its entry."""

    async def failing(_ids: Sequence[DeliveryId]) -> None:
        raise StoreUnavailable("database is locked")

    async with SmtpSink() as sink, relay_to(sink.port).session() as session:
        sink.refuse("gone@example.org", "550 5.1.1 unknown")

        first = await session.send(claimed("anna@example.org", "gone@example.org"), before_data=failing)
        second = await session.send(claimed("ben@example.org", number=2), before_data=Journal())

    assert states(first) == [QUEUED, FAILED]
    assert states(second) == [SENT]
    assert [mail.recipients for mail in sink.mails] == [("ben@example.org",)]
    assert sink.connection_count == 1


async def test_the_journal_is_written_before_the_server_hears_of_data() -> None:
    heard: list[str] = []
    async with SmtpSink() as sink, relay_to(sink.port).session() as session:

        async def note(_ids: Sequence[DeliveryId]) -> None:
            heard.extend(sink.commands)

        await session.send(claimed("anna@example.org"), before_data=note)

    assert heard[-1].startswith("RCPT")
    assert "DATA" not in heard
    assert "DATA" in sink.commands


async def test_mails_share_one_connection_without_extra_commands() -> None:
    async with SmtpSink() as sink:
        async with relay_to(sink.port).session() as session:
            for number in (1, 2, 3):
                await session.send(claimed(number=number), before_data=Journal())

        assert sink.connection_count == 1
        verbs = [command.split(" ")[0] for command in sink.commands]
        assert verbs == ["EHLO", *["MAIL", "RCPT", "DATA"] * 3, "QUIT"]


async def test_a_connection_that_lay_idle_is_probed_before_use() -> None:
    async with SmtpSink() as sink, relay_to(sink.port, probe_after=timedelta()).session() as session:
        await session.send(claimed(number=1), before_data=Journal())
        await session.send(claimed(number=2), before_data=Journal())

        assert sink.connection_count == 1
        assert "RSET" in sink.commands


@pytest.mark.parametrize(
    "reply",
    ["421 4.4.2 idle for too long", "451 4.3.0 later", "500 5.5.2 what", "354 what", "nonsense", Act.DROP, Act.SILENCE],
)
async def test_a_probe_that_fails_makes_a_new_connection(reply: Reply) -> None:
    """R11, RSET."""
    timeout = IMPATIENT if reply is Act.SILENCE else PATIENT
    async with SmtpSink() as sink, relay_to(sink.port, timeout=timeout, probe_after=timedelta()).session() as session:
        await session.send(claimed(number=1), before_data=Journal())
        sink.script("RSET", reply)

        attempts = await session.send(claimed(number=2), before_data=Journal())

        assert states(attempts) == [SENT]
        assert sink.connection_count == 2


async def test_a_connection_that_the_server_closed_between_mails_is_replaced() -> None:
    async with SmtpSink() as sink, relay_to(sink.port).session() as session:
        await session.send(claimed(number=1), before_data=Journal())
        sink.hang_up()

        attempts = await session.send(claimed(number=2), before_data=Journal())

        assert states(attempts) == [SENT]
        assert [mail.raw for mail in sink.mails] == [RAW, RAW]


@pytest.mark.parametrize("reply", ["421 4.3.2 busy", "451 4.3.0 later", "500 5.5.2 what", Act.DROP, Act.SILENCE])
async def test_whatever_follows_the_goodbye_the_mail_is_sent(reply: Reply) -> None:
    """R11, QUIT: nobody waits long for it."""
    timeout = IMPATIENT if reply is Act.SILENCE else PATIENT
    async with SmtpSink() as sink:
        async with relay_to(sink.port, timeout=timeout).session() as session:
            sink.script("QUIT", reply)
            attempts = await session.send(claimed(), before_data=Journal())

        assert states(attempts) == [SENT]
        assert len(sink.mails) == 1


@pytest.mark.parametrize("reply", ["421 4.7.0 enough mails for one connection", Act.DROP])
async def test_a_kept_connection_that_is_used_up_delays_no_mail(reply: Reply) -> None:
    async with SmtpSink() as sink, relay_to(sink.port).session() as session:
        await session.send(claimed(number=1), before_data=Journal())
        sink.script("MAIL", reply)

        attempts = await session.send(claimed(number=2), before_data=Journal())

        assert states(attempts) == [SENT]
        assert sink.connection_count == 2


class HandClock(SystemClock):
    """Monotonic seconds that move by hand."""

    seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds


async def test_an_outage_is_remembered_for_a_while_and_then_tried_again() -> None:
    clock = HandClock()
    async with SmtpSink() as sink:
        relay = relay_to(sink.port, reconnect_after=timedelta(seconds=10), clock=clock)
        sink.script("CONNECT", "421 4.3.2 busy")
        async with relay.session() as one, relay.session() as other:
            first = await one.send(claimed(number=1), before_data=Journal())
            clock.seconds += 9.9
            second = await other.send(claimed(number=2), before_data=Journal())
            count_in_the_meantime = sink.connection_count
            clock.seconds += 0.1
            third = await other.send(claimed(number=2), before_data=Journal())

    assert states(first) == states(second) == [DEFERRED]
    assert first[0].reply == second[0].reply
    assert count_in_the_meantime == 1
    assert states(third) == [SENT]


async def test_a_relay_that_is_not_there_defers() -> None:
    async with SmtpSink() as sink:
        port = sink.port
    async with relay_to(port).session() as session:
        attempts = await session.send(claimed("a@example.org", "b@example.org"), before_data=Journal())

    assert states(attempts) == [DEFERRED, DEFERRED]
    assert f"127.0.0.1:{port}" in attempts[0].reply


async def test_a_cancelled_attempt_leaves_no_connection_out_of_step() -> None:
    async with SmtpSink() as sink, relay_to(sink.port).session() as session:
        sink.script("RCPT", Act.SILENCE)
        sending = asyncio.create_task(session.send(claimed("anna@example.org"), before_data=Journal()))
        await sink.wait_for_command("RCPT")
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending

        attempts = await session.send(claimed("ben@example.org", number=2), before_data=Journal())

    assert states(attempts) == [SENT]
    assert [mail.recipients for mail in sink.mails] == [("ben@example.org",)]
    assert "RSET" not in sink.commands


async def test_a_mail_that_was_given_up_does_not_arrive_later() -> None:
    """L32: what was buffered when we gave up is not sent on behind our back."""
    raw = b"Subject: big\r\n\r\n" + b"x" * 76 * 1024 * 256
    async with SmtpSink() as sink, relay_to(sink.port).session() as session:
        sink.script("BODY", Act.STALL)
        sending = asyncio.create_task(session.send(claimed(raw=raw), before_data=Journal()))
        await sink.wait_for_command("(stalled)")
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        sink.resume()
        await sink.wait_for_command("(stall over)")

    assert not sink.late.endswith(b"\r\n.\r\n")
