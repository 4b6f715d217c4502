"""Delivery reports, by the standard and in words; never out of a person's mail (S18, L33)."""

from __future__ import annotations

import pytest
from tests.mail.samples import corpus, read

from mailcase.mail import reading
from mailcase.mail.bounce import read_bounce
from mailcase.mail.kind import Bounce, BouncedRecipient


def bounce_in(raw: bytes | str) -> Bounce | None:
    data = raw if isinstance(raw, bytes) else raw.encode()
    return read_bounce(reading.read(data), data)


def one(address: str, status: str, action: str) -> BouncedRecipient:
    return BouncedRecipient(address=address, status=status, action=action)


def test_a_standard_report_names_each_recipient_and_our_mail() -> None:
    """RFC 3464: the address as we wrote it counts."""
    assert bounce_in(corpus("delivery-report")) == Bounce(
        recipients=(one("Gone.Person@example.net", "5.1.1", "failed"), one("slow@example.net", "4.4.1", "delayed")),
        original_message_id="our-mail@mailcase.example.org",
    )


def test_a_report_in_words_is_read() -> None:
    assert bounce_in(corpus("delivery-report-in-words")) == Bounce(
        recipients=(one("gone@example.net", "5.1.1", "failed"),), original_message_id="our-mail@mailcase.example.org"
    )


def test_a_person_who_quotes_a_bounce_sends_none() -> None:
    """S18: an ordinary mail must not make an address dead."""
    assert bounce_in(corpus("person-quotes-a-bounce")) is None


@pytest.mark.parametrize("name", ["out-of-office", "calendar-answer", "list-footer", "forwarded", "no-headers"])
def test_other_mail_is_no_bounce(name: str) -> None:
    assert read_bounce(read(name), corpus(name)) is None


def test_an_out_of_office_without_return_path_is_no_bounce() -> None:
    assert bounce_in("From: paul@x.org\nReturn-Path: <>\nSubject: Away\n\nAsk bob@x.org\n") is None


def test_a_known_null_sender_makes_a_report_in_words_believable() -> None:
    raw = b"From: postman@x.org\nSubject: Undeliverable: hello\n\n<a@y.org>: 550 no\n"
    message = reading.read(raw)

    assert read_bounce(message, raw) is None
    assert read_bounce(message, raw, envelope_from="postman@x.org") is None
    assert read_bounce(message, raw, envelope_from="") == Bounce(
        recipients=(one("a@y.org", "5.0.0", "failed"),), original_message_id=None
    )


def status(*fields: str, header: str = "") -> Bounce | None:
    return bounce_in(
        f"From: system@x.org\n{header}Content-Type: message/delivery-status\n\n" + "\n".join(fields) + "\n"
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (("Final-Recipient: rfc822; a@x.org", "Action: failed"), one("a@x.org", "", "failed")),
        (("Final-Recipient: a@x.org", "Action: FAILED (x)"), one("a@x.org", "", "failed")),
        (("Final-Recipient: rfc822; <a@x.org>", "Status: 5.2.2 (full)"), one("a@x.org", "5.2.2", "failed")),
        (("Final-Recipient: rfc822; a@x.org", "Status: 4.2.2"), one("a@x.org", "4.2.2", "delayed")),
        (("Final-Recipient: rfc822; a@x.org", "Status: 2.0.0"), one("a@x.org", "2.0.0", "delivered")),
        (("Final-Recipient: rfc822; a@x.org", "Action: failure"), one("a@x.org", "", "failed")),
        (("Final-Recipient: rfc822; a", "Action: failed"), one("a", "", "failed")),
        (
            (
                "Final-Recipient: rfc822; a@x.org",
                "Action: failed",
                "Status: 5.0.0",
                "Diagnostic-Code: smtp; 550 5.1.1 x",
            ),
            one("a@x.org", "5.1.1", "failed"),
        ),
        (
            ("Final-Recipient: rfc822; a@x.org", "Action: failed", "Diagnostic-Code: smtp; 552-full"),
            one("a@x.org", "5.0.0", "failed"),
        ),
        (
            ("Final-Recipient: rfc822; b@x.org", "Original-Recipient: rfc822;a@x.org", "Action: relayed"),
            one("a@x.org", "", "relayed"),
        ),
        (
            ("Reporting-MTA: dns; x", "", "Final-Recipient: rfc822; a@x.org", "Action: delayed"),
            one("a@x.org", "", "delayed"),
        ),
    ],
)
def test_fields_are_read_as_servers_write_them(fields: tuple[str, ...], expected: BouncedRecipient) -> None:
    found = status(*fields)

    assert found is not None
    assert found.recipients == (expected,)


@pytest.mark.parametrize(
    "fields", [(), ("Action: failed",), ("Final-Recipient: rfc822; a@x.org",), ("Final-Recipient:",)]
)
def test_a_report_that_names_nobody_is_none(fields: tuple[str, ...]) -> None:
    assert status(*fields) is None


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        ("In-Reply-To: <our@x>\n", ()),
        ("References: <old@x> <our@x>\n", ()),
        ("X-Original-Message-ID: <our@x>\n", ()),
        ("", ("Original-Message-ID: <our@x>", "")),
    ],
)
def test_our_mail_is_named_in_other_places_too(header: str, fields: tuple[str, ...]) -> None:
    found = status(*fields, "Final-Recipient: rfc822; a@x.org", "Action: failed", header=header)

    assert found is not None
    assert found.original_message_id == "our@x"


def test_a_report_may_name_no_mail() -> None:
    found = status("Final-Recipient: rfc822; a@x.org", "Action: failed")

    assert found is not None
    assert found.original_message_id is None


def test_returned_headers_alone_name_our_mail() -> None:
    found = bounce_in(
        "From: system@x.org\nContent-Type: multipart/report; boundary=b\n\n"
        "--b\nContent-Type: message/delivery-status\n\nFinal-Recipient: rfc822; a@x.org\nAction: failed\n\n"
        "--b\nContent-Type: text/rfc822-headers\n\n\nMessage-ID: <our@x>\nTo: a@x.org\n--b--\n"
    )

    assert found is not None
    assert found.original_message_id == "our@x"


@pytest.mark.parametrize(
    ("header", "body", "recipients"),
    [
        (
            "From: MAILER-DAEMON@x.org\nSubject: failure notice",
            "Hi.\n\n<a@y.org>:\n1.2.3.4 does not like recipient.\nRemote host said: 550 no\n\n<b@y.org>:\n421 busy\n"
            "\n--- Below this line is a copy of the message.\n\nMessage-ID: <our@x>\n",
            (one("a@y.org", "5.0.0", "failed"), one("b@y.org", "4.0.0", "failed")),
        ),
        (
            "From: Mailer-Daemon@x.org\nSubject: Warning: message delayed 24 hours",
            "has not yet been delivered\n\n  a@y.org\n\nMessage-ID: <our@x>\n",
            (one("a@y.org", "", "delayed"),),
        ),
        (
            "From: Mailer-Daemon@x.org\nSubject: report",
            "Your mail to a@y.org will be retried: 451 later\n\nMessage-ID: <our@x>\n",
            (one("a@y.org", "4.0.0", "delayed"),),
        ),
        (
            "Return-Path: <>\nFrom: postman@x.org\nSubject: Undeliverable: hello",
            "To: desk@x.org\nthe server refused it (a@y.org)\n\nReceived: x\nMessage-ID: <our@x>\n",
            (one("a@y.org", "", "failed"),),
        ),
        (
            "From: postmaster@x.org\nSubject: Returned mail",
            "421 deferred\n\n---- Unsent message follows ----\nMessage-ID: <our@x>\nTo: A <a@y.org>\n",
            (one("a@y.org", "4.0.0", "failed"),),
        ),
        (
            "From: <>\nSubject: Unzustellbar: hallo",
            "a@y.org\n\nOriginal message:\n> Message-ID: <our@x>\n",
            (one("a@y.org", "", "failed"),),
        ),
        (
            "From: Mailer-Daemon@x.org\nX-Failed-Recipients: desk@x.org\nSubject: x",
            "Message-ID: <our@x>\n",
            (one("desk@x.org", "", "failed"),),
        ),
    ],
)
def test_reports_in_words_are_read(header: str, body: str, recipients: tuple[BouncedRecipient, ...]) -> None:
    found = bounce_in(f"{header}\nTo: desk@x.org\n\n{body}")

    assert found == Bounce(recipients=recipients, original_message_id="our@x")


def returned(text: str, to: str = "To: a@y.org\n") -> Bounce | None:
    return bounce_in(
        "Return-Path: <>\nFrom: system@x.org\nSubject: Mail\nContent-Type: multipart/mixed; boundary=b\n\n"
        f"--b\n\n{text}\n--b\nContent-Type: message/rfc822\n\nMessage-ID: <our@x>\n{to}\nhello\n--b--\n"
    )


def test_the_returned_mail_tells_who_was_not_reached() -> None:
    assert returned("Your mail could not be delivered.") == Bounce(
        recipients=(one("a@y.org", "", "failed"),), original_message_id="our@x"
    )


@pytest.mark.parametrize(("text", "to"), [("Look at this.", "To: a@y.org\n"), ("could not be delivered", "")])
def test_a_returned_mail_alone_is_no_bounce(text: str, to: str) -> None:
    assert returned(text, to) is None


def test_a_daemon_that_names_nobody_tells_nothing() -> None:
    assert bounce_in("From: mailer-daemon@x.org\nSubject: failure\n\nsomething failed\n") is None


@pytest.mark.parametrize(
    ("action", "code", "is_permanent"),
    [("failed", "5.1.1", True), ("failed", "4.4.7", True), ("delayed", "4.4.1", False)],
)
def test_who_has_given_up_has_failed(action: str, code: str, is_permanent: bool) -> None:
    """RFC 3464 2.3.3: failed means that no further attempts are made, whatever the class of the status."""
    assert one("a@x", code, action).is_permanent is is_permanent
