"""Mail that is pushed to us: durable first, acknowledged second (L11, R1, S12)."""

from __future__ import annotations

import asyncio
import shutil
import smtplib
import sqlite3
import threading
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from tests.inbound.listening import NOW, RAW, desk, stuffed
from tests.outbound.outgoing import Journal, claimed, relay_to

from mailcase.clock import SteppedClock
from mailcase.config.settings import Limits, ListenerKind, ListenerSource
from mailcase.core.case import MailboxName
from mailcase.errors import PermanentError
from mailcase.inbound.accept import Door
from mailcase.inbound.free_space import FreeSpace
from mailcase.inbound.smtp import Listener
from mailcase.inbound.smtp_data import Room, has_bare_line_end, source_of
from mailcase.store.port import Point
from mailcase.store.rows.inbox import Outcome

#: S12: what somebody might take for the end of a mail, and RFC 5321 does not.
FALSE_ENDINGS = [b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n.\r", b"\r.\n"]


async def test_a_mail_is_kept_byte_for_byte_with_its_envelope(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        client = await here.dial()
        reply = await client.deliver(RAW, "desk@example.org", "sales@example.org")

        (row,) = await here.mails()
        assert reply.startswith("250 ")
        assert await here.raws() == [RAW]
        assert row.mailbox == "desk"
        assert row.envelope_from == "anna@example.net"
        assert row.envelope_to == ("desk@example.org", "sales@example.org")
        assert row.arrived_at == row.received_at == NOW
        assert row.outcome is Outcome.PENDING
        assert row.source == source_of(["desk@example.org", "sales@example.org"], RAW, received_at=NOW)
        assert here.wake.is_set()


async def test_the_banner_names_the_instance_and_no_product(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        client = await here.dial(greeting=None)

        assert await client.reply() == "220 desk.example.org ESMTP"


async def test_250_is_said_after_the_commit(tmp_path: Path) -> None:
    """R1: while the commit hangs there is no answer, and a client that leaves then has no acknowledgement."""
    reached, released = threading.Event(), threading.Event()

    def hook(point: Point, when: str) -> None:
        if point is Point.ACCEPT and when == "before":
            reached.set()
            released.wait(10)

    async with desk(tmp_path, hook=hook) as here:
        client = await here.dial()
        await client.begin()
        client.send(stuffed(RAW) + b".\r\n")
        await asyncio.to_thread(reached.wait, 10)

        too_early = await client.reply_within(0.05)
        released.set()

        assert too_early is None
        assert (await client.reply()).startswith("250 ")


async def test_a_connection_cut_during_the_commit_changes_nothing_for_the_mail(tmp_path: Path) -> None:
    """R1, L6: it is stored and handled; the client, which has no 250, will repeat it and be recognised."""
    reached, released = threading.Event(), threading.Event()

    def hook(point: Point, when: str) -> None:
        if point is Point.ACCEPT and when == "before":
            reached.set()
            released.wait(10)

    async with desk(tmp_path, hook=hook) as here:
        client = await here.dial()
        await client.begin()
        client.send(stuffed(RAW) + b".\r\n")
        await asyncio.to_thread(reached.wait, 10)
        stopping = asyncio.create_task(here.listener.stop(timedelta()))
        cut = await client.reply()
        released.set()
        await stopping

        assert cut == ""
        assert here.wake.is_set()
        assert await here.raws() == [RAW]


async def test_a_store_that_fails_is_451_and_the_same_mail_is_taken_later(tmp_path: Path) -> None:
    """R13, L6: our fault is never permanent."""
    async with desk(tmp_path) as here:
        client = await here.dial()
        other = sqlite3.connect(here.file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        refused = await client.deliver(RAW)
        other.execute("ROLLBACK")
        other.close()

        taken = await client.deliver(RAW)

        assert refused == "451 4.3.0 cannot take the mail now, try again later"
        assert taken.startswith("250 ")
        assert await here.raws() == [RAW]


async def test_an_error_that_nobody_expected_is_451_and_tells_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A1: the library would have said 500 and the error's text."""
    failures = [RuntimeError("secret=abc")]

    def hook(point: Point, when: str) -> None:
        if point is Point.ACCEPT and failures:
            raise failures.pop()

    async with desk(tmp_path, hook=hook) as here:
        client = await here.dial()
        refused = await client.deliver(RAW)
        taken = await client.deliver(RAW)

        assert refused == "451 4.3.0 cannot take the mail now, try again later"
        assert taken.startswith("250 ")
        assert "smtp_session_failed" in capsys.readouterr().out


async def test_a_client_that_repeats_a_mail_changes_nothing(tmp_path: Path) -> None:
    """R2: our 250 was lost on the way."""
    async with desk(tmp_path) as here:
        await (await here.dial()).deliver(RAW, "desk@example.org", "sales@example.org")
        reply = await (await here.dial()).deliver(RAW, "sales@example.org", "desk@example.org")

        assert reply.startswith("250 ")
        assert len(await here.mails()) == 1


async def test_the_same_bytes_to_another_recipient_are_another_mail(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        client = await here.dial()
        await client.deliver(RAW, "desk@example.org")
        await client.deliver(RAW, "sales@example.org")

        assert [row.envelope_to for row in await here.mails()] == [("desk@example.org",), ("sales@example.org",)]


async def test_a_mail_is_taken_once_when_offered_again_and_looked_at_when_it_comes_another_day(tmp_path: Path) -> None:
    """A lost `250` makes no second row; an alarm in the same words next week has one."""
    async with desk(tmp_path) as here:
        client = await here.dial()
        await client.deliver(RAW, "desk@example.org")
        await client.deliver(RAW, "desk@example.org")
        assert len(await here.mails()) == 1

        here.clock.step(timedelta(days=7))
        await client.deliver(RAW, "desk@example.org")

        assert len(await here.mails()) == 2


def test_the_source_depends_on_the_day_and_on_each_recipient_and_byte() -> None:
    sources = {
        source_of(["a@x", "b@x"], b"raw", received_at=NOW),
        source_of(["b@x", "a@x"], b"raw", received_at=NOW + timedelta(hours=1)),
        source_of(["a@x", "b@x"], b"raw", received_at=NOW + timedelta(days=1)),
        source_of(["a@x"], b"raw", received_at=NOW),
        source_of(["a@xb@x"], b"raw", received_at=NOW),
        source_of(["a@x", "b@x"], b"raw\r\n", received_at=NOW),
        source_of([], b"a@x\0raw", received_at=NOW),
    }

    assert len(sources) == 6
    assert all(len(source) == len("smtp:2026-03-02:") + 64 for source in sources)


async def test_an_unknown_recipient_is_refused_in_the_dialogue(tmp_path: Path) -> None:
    """L41: routed by envelope; the known ones are served."""
    async with desk(tmp_path) as here:
        client = await here.dial()
        await client.say("MAIL FROM:<anna@example.net>")
        known = await client.say("RCPT TO:<desk+c1042@example.org>")
        unknown = await client.say("RCPT TO:<nobody@example.org>")
        await client.say("DATA")
        client.send(stuffed(RAW) + b".\r\n")

        assert (await client.reply()).startswith("250 ")
        assert known.startswith("250 ")
        assert unknown.startswith("550 5.1.1 ")
        assert [row.envelope_to for row in await here.mails()] == [("desk+c1042@example.org",)]


async def test_recipients_are_asked_for_as_they_were_given(tmp_path: Path) -> None:
    asked: list[str] = []

    def knows(address: str) -> bool:
        asked.append(address)
        return True

    async with desk(tmp_path, knows_recipient=knows) as here:
        await (await here.dial()).deliver(RAW, "Desk+C1042@Example.org")

    assert asked == ["Desk+C1042@Example.org"]


async def test_data_without_a_recipient_takes_nothing(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        client = await here.dial()
        await client.say("MAIL FROM:<anna@example.net>")
        await client.say("RCPT TO:<nobody@example.org>")

        assert (await client.say("DATA")).startswith("503 ")
        assert (await client.say("RSET")).startswith("250 ")
        assert (await client.deliver(RAW)).startswith("250 ")


async def test_the_null_sender_is_kept_as_empty(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        reply = await (await here.dial()).deliver(RAW, sender="")

        assert reply.startswith("250 ")
        assert [row.envelope_from for row in await here.mails()] == [""]


async def test_a_mail_leaves_nothing_behind_for_the_next(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        client = await here.dial()
        await client.deliver(RAW, "desk@example.org", "sales@example.org", sender="anna@example.net")
        await client.deliver(RAW, "desk@example.org", sender="ben@example.net")

        rows = await here.mails()
        assert [row.envelope_from for row in rows] == ["anna@example.net", "ben@example.net"]
        assert rows[1].envelope_to == ("desk@example.org",)


async def test_8_bit_content_and_addresses_are_taken(tmp_path: Path) -> None:
    raw = "Subject: Grüße\r\n\r\nÉté\r\n".encode() + b"\xff\xfe\r\n"
    async with desk(tmp_path) as here:
        client = await here.dial(greeting=None)
        await client.reply()
        offered = (await client.say("EHLO client.example.net")).split("\n")
        await client.say("MAIL FROM:<zoë@example.net> BODY=8BITMIME SMTPUTF8")
        await client.say("RCPT TO:<büro@example.org>")
        await client.say("DATA")
        client.send(raw + b".\r\n")

        assert (await client.reply()).startswith("250 ")
        assert {"250-8BITMIME", "250-SMTPUTF8"} <= set(offered)
        assert not [line for line in offered if "AUTH" in line or "STARTTLS" in line]
        assert await here.raws() == [raw]
        assert (await here.mails())[0].envelope_to == ("büro@example.org",)
        assert (await here.mails())[0].envelope_from == "zoë@example.net"


async def test_an_address_that_no_store_could_hold_is_refused(tmp_path: Path) -> None:
    async with desk(tmp_path, knows_recipient=lambda _address: True) as here:
        client = await here.dial()
        client.send(b"MAIL FROM:<a\xff@example.net>\r\n")
        sender = await client.reply()
        await client.say("MAIL FROM:<anna@example.net>")
        client.send(b"RCPT TO:<a\xff@example.org>\r\n")
        recipient = await client.reply()

        assert sender.startswith("553 5.1.3 ")
        assert recipient.startswith("553 5.1.3 ")


@pytest.mark.parametrize("ending", FALSE_ENDINGS)
async def test_a_bare_line_end_is_refused_and_no_second_mail_is_smuggled(tmp_path: Path, ending: bytes) -> None:
    """S12."""
    evil = b"MAIL FROM:<evil@example.net>\r\nRCPT TO:<desk@example.org>\r\nDATA\r\nevil\r\n"
    async with desk(tmp_path) as here:
        client = await here.dial()
        await client.begin()
        client.send(b"Subject: x\r\n\r\nbefore" + ending + evil + b".\r\n")
        refused = await client.reply()
        taken = await client.deliver(RAW)

        assert refused.startswith("550 5.6.11 ")
        assert taken.startswith("250 ")
        assert await here.raws() == [RAW]


@pytest.mark.parametrize(("raw", "is_bare"), [(b"a\r\nb\r\n", False), (b"", False), (b"\n\r", True), (b"\r\r\n", True)])
def test_a_bare_line_end_is_a_cr_or_lf_that_is_no_crlf(raw: bytes, is_bare: bool) -> None:
    assert has_bare_line_end(raw) is is_bare


async def test_a_mail_that_breaks_off_is_not_taken(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        client = await here.dial()
        await client.begin()
        client.send(stuffed(RAW))
        client.hang_up()
        await (await here.dial()).deliver(b"Subject: other\r\n\r\n")

        assert await here.raws() == [b"Subject: other\r\n\r\n"]


async def test_the_standard_client_delivers(tmp_path: Path) -> None:
    def send(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, local_hostname="client.example.net", timeout=10) as smtp:
            smtp.sendmail("anna@example.net", ["desk@example.org"], RAW)

    async with desk(tmp_path) as here:
        await asyncio.to_thread(send, here.listener.port)

        assert await here.raws() == [RAW]


async def test_our_relay_and_our_listener_understand_each_other(tmp_path: Path) -> None:
    raw = b".Subject: dots\r\n\r\n.\r\n..\r\n" + bytes(range(128, 256)) + b"\r\n"
    async with desk(tmp_path) as here, relay_to(here.listener.port).session() as session:
        attempts = await session.send(
            claimed("desk@example.org", "nobody@example.org", "b\u00fcro@example.org", raw=raw), before_data=Journal()
        )

        assert [attempt.state.value for attempt in attempts] == ["sent", "failed", "sent"]
        assert await here.raws() == [raw]


async def test_the_log_holds_no_address_and_no_text_of_a_mail(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with desk(tmp_path) as here:
        client = await here.dial()
        await client.deliver(RAW)
        await client.say("MAIL FROM:<anna@example.net>")
        await client.say("RCPT TO:<nobody@example.org>")

    logged = capsys.readouterr().out
    assert "mail_accepted" in logged
    assert "smtp_recipient_refused" in logged
    assert "@" not in logged
    assert "smokes" not in logged


async def test_lmtp_takes_one_recipient_per_mail_and_stays_in_step(tmp_path: Path) -> None:
    """A2: 452 makes the server send the others in a transaction of their own."""
    async with desk(tmp_path, kind=ListenerKind.LMTP) as here:
        client = await here.dial("LHLO mail.example.org")
        await client.say("MAIL FROM:<anna@example.net>")
        first = await client.say("RCPT TO:<desk@example.org>")
        unknown = await client.say("RCPT TO:<nobody@example.org>")
        second = await client.say("RCPT TO:<sales@example.org>")
        await client.say("DATA")
        client.send(stuffed(RAW) + b".\r\n")
        taken = await client.reply()
        again = await client.deliver(RAW, "sales@example.org")

        assert [first[:4], second[:10], unknown[:10]] == ["250 ", "452 4.5.3 ", "550 5.1.1 "]
        assert taken.startswith("250 ")
        assert again.startswith("250 ")
        assert [row.envelope_to for row in await here.mails()] == [("desk@example.org",), ("sales@example.org",)]


async def test_lmtp_has_its_own_greeting(tmp_path: Path) -> None:
    async with desk(tmp_path, kind=ListenerKind.LMTP) as here:
        client = await here.dial(greeting=None)

        assert await client.reply() == "220 desk.example.org LMTP"
        assert (await client.say("EHLO mail.example.org")).startswith("500 ")
        assert (await client.say("LHLO mail.example.org")).startswith("250")


@pytest.mark.parametrize("ending", FALSE_ENDINGS)
async def test_lmtp_takes_bare_line_ends_as_part_of_one_mail(tmp_path: Path, ending: bytes) -> None:
    """S12: the mail server in front has already decided where the mail ends."""
    raw = b"Subject: x\r\n\r\nbefore" + ending + b"after\r\n"
    async with desk(tmp_path, kind=ListenerKind.LMTP) as here:
        reply = await (await here.dial("LHLO mail.example.org")).deliver(raw)

        assert reply.startswith("250 ")
        assert await here.raws() == [raw]


async def test_a_listener_knows_its_port_until_it_is_stopped(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        assert here.listener.port > 0
        await here.dial()

        await here.listener.stop(timedelta())

        with pytest.raises(ConnectionError):
            await here.dial()


async def test_a_port_that_is_taken_is_an_error_for_the_operator(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        second = Listener(
            MailboxName("sales"),
            ListenerSource(kind=ListenerKind.SMTP, host="127.0.0.1", port=here.listener.port),
            door=Door(here.store, here.wake, here.clock, FreeSpace(here.file.parent, shutil.disk_usage)),
            clock=SteppedClock(NOW),
            knows_recipient=lambda _address: True,
            limits=Limits(),
            room=Room(0),
            instance="desk.example.org",
        )

        with pytest.raises(PermanentError, match=f"sales.*127.0.0.1:{here.listener.port}"):
            await second.start()


async def test_a_mail_has_arrived_when_a_configured_relay_took_it(tmp_path: Path) -> None:
    """A mail that was held back while nobody listened is judged by its relay's word."""
    taken = NOW - timedelta(hours=1)
    line = f"Received: from x by mx.example.org (Postfix) with LMTP; {format_datetime(taken)}\r\n".encode()
    async with desk(tmp_path, relays=("mx.example.org",)) as here:
        client = await here.dial()
        await client.deliver(line + RAW)
        await client.deliver(RAW)

        by_relay, by_receipt = await here.mails()

    assert (by_relay.arrived_at, by_relay.received_at) == (taken, NOW)
    assert by_receipt.arrived_at == NOW
