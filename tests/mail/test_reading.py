"""What is understood of a mail, well-formed or not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.mail.samples import CORPUS, corpus, mail, read

from mailcase.mail import limits, reading
from mailcase.mail.message import Address, Importance


def attachments_of(name: str) -> list[tuple[str, str, bytes]]:
    raw = corpus(name)
    return [(a.name, a.type, reading.attachment_bytes(raw, a)) for a in reading.read(raw).attachments]


def test_a_mail_without_anything_is_an_empty_message() -> None:
    message = reading.read(b"")

    assert message.message_id is None
    assert message.from_ == message.to == message.cc == message.reply_to == ()
    assert message.author is None
    assert message.sender is None
    assert message.date is None
    assert message.text == message.html == message.subject == ""
    assert message.defects == ("no usable Message-ID", "no Date")


def test_a_mail_without_headers_is_all_text() -> None:
    assert read("no-headers").text == "Just a line\n\nand another.\n"


def test_the_fields_of_an_ordinary_mail_are_read() -> None:
    message = mail(
        "Message-ID: <one@example.net>",
        "From: Ann Example <Ann@Example.net>",
        "Sender: list@example.net",
        "Reply-To: ann+reply@example.net",
        'To: desk@example.org, "Desk, French" <bureau@example.org>',
        "Cc: bob@example.net (Bob)",
        "Subject: The printer",
        "  smokes",
        "Date: Mon, 2 Feb 2026 10:00:00 +0100",
        "In-Reply-To: <a@x> <b@x>",
        "References: <r1@x>",
        " <r2@x>",
        "X-Priority: 1 (Highest)",
    )

    assert message.message_id == "one@example.net"
    assert message.author == Address(name="Ann Example", address="Ann@Example.net")
    assert message.from_[0].key == "ann@example.net"
    assert message.sender == Address(name="", address="list@example.net")
    assert message.reply_to == (Address(name="", address="ann+reply@example.net"),)
    assert message.to[1] == Address(name="Desk, French", address="bureau@example.org")
    assert message.cc == (Address(name="Bob", address="bob@example.net"),)
    assert message.subject == "The printer  smokes"
    assert message.date == datetime(2026, 2, 2, 9, 0, tzinfo=UTC)
    assert message.in_reply_to == ("a@x", "b@x")
    assert message.references == ("r1@x", "r2@x")
    assert message.importance is Importance.HIGH
    assert message.text == "hello\n"
    assert message.header("x-priority") == "1 (Highest)"
    assert message.header("x-none") is None
    assert message.defects == ()


@pytest.mark.parametrize(
    ("field", "importance"),
    [
        ("Importance: high", Importance.HIGH),
        ("Importance: Normal", Importance.NORMAL),
        ("Priority: urgent", Importance.HIGH),
        ("Priority: non-urgent", Importance.LOW),
        ("X-MSMail-Priority: Low", Importance.LOW),
        ("X-Priority: 3", Importance.NORMAL),
        ("X-Priority:", Importance.NORMAL),
        ("Subject: none", Importance.NORMAL),
    ],
)
def test_importance_is_read_from_the_usual_headers(field: str, importance: Importance) -> None:
    assert mail(field).importance is importance


def test_two_from_headers_identify_nobody() -> None:
    """S3: a second From must not hide behind the first."""
    message = mail("From: a@example.org", "From: b@example.org")

    assert [address.address for address in message.from_] == ["a@example.org", "b@example.org"]
    assert message.author is None


@pytest.mark.parametrize("name", ["bare-cr", "mixed-line-ends"])
def test_any_line_end_ends_a_line(name: str) -> None:
    message = read(name)

    assert message.author == Address(name="", address="a@example.org")
    assert message.text.split("\n")[1] in ("world", "line two")
    assert "\r" not in message.text


def test_a_blank_line_before_the_header_is_passed_over() -> None:
    assert reading.read(b"\r\n\r\nSubject: late\r\n\r\nx").subject == "late"


def test_eight_bit_headers_are_read_in_the_charset_of_the_body() -> None:
    """L26."""
    message = read("eight-bit-header")

    assert message.subject == "Größe geändert"
    assert message.from_ == (Address(name="Jürgen", address="j@example.org"),)
    assert message.text == "Grüße\n"
    assert any(defect.startswith("subject: 8-bit header") for defect in message.defects)


@pytest.mark.parametrize(
    ("name", "subject"),
    [("encoded-twice", "Grüße"), ("split-character", "Grüße"), ("blanks-in-word", "Schöne neue Welt")],
)
def test_encoded_words_are_read_as_they_come_in_the_wild(name: str, subject: str) -> None:
    assert read(name).subject == subject


def test_no_header_brings_a_line_end_or_a_control_character() -> None:
    """S4, S7: neither folded, nor in an encoded word, nor as a bidi override."""
    message = read("header-injection")

    assert message.subject == "hi  Bcc: v@x txt"
    assert message.from_[0] == Address(name="Eve Bcc: victim@example.org", address="eve@example.org")


def test_file_names_are_read_as_they_come_in_the_wild() -> None:
    """RFC 2231 in sections, encoded words, raw bytes; no path and no hidden direction survives (S8)."""
    assert [name for name, _, _ in attachments_of("wild-file-names")] == [
        "Rechnung für Mai.pdf",
        "Übersicht.xls",
        "x",
        "evil.exe",
        "part-5.png",
        "résumé.doc",
        "inv fdp.exe",
    ]


def test_a_long_file_name_is_cut_and_keeps_its_ending() -> None:
    raw = b'Content-Type: image/png; name="' + b"\xc3\xa9" * 200 + b'.png"\n\nx'

    name = reading.read(raw).attachments[0].name

    assert name.endswith("é.png")
    assert len(name.encode()) <= limits.FILENAME_BYTES
    assert len(reading.read(raw.replace(b".png", b"")).attachments[0].name.encode()) == limits.FILENAME_BYTES


def test_an_undeclared_boundary_is_taken_from_the_body() -> None:
    message = read("no-boundary")

    assert message.text == "plain"
    assert message.html == "<p>html"
    assert "boundary wrong or missing, taken from the body" in message.defects


def test_an_outer_boundary_ends_the_inner_parts() -> None:
    assert read("outer-ends-inner").text == "the text"
    assert attachments_of("outer-ends-inner") == [("log.txt", "text/plain", b"the log")]
    assert read("outer-ends-inner").defects[0] == "closing boundary missing"


def test_a_body_may_follow_the_header_without_a_blank_line() -> None:
    message = read("no-blank-line")

    assert message.subject == "forgot the blank line"
    assert message.text == "Hello there,\nthis is the body.\n"


@pytest.mark.parametrize(("name", "subject"), [("garbage-in-header", "still read"), ("mbox-line", "from an mbox")])
def test_a_line_without_a_name_does_not_end_the_header(name: str, subject: str) -> None:
    assert read(name).subject == subject
    assert read(name).text == "body\n"


def test_a_header_may_end_on_a_line_without_a_name() -> None:
    message = reading.read(b"Subject: x\ngarbage\n\nbody")

    assert (message.subject, message.text) == ("x", "body")


def test_a_forwarded_mail_stays_whole_as_an_attachment() -> None:
    [(name, type_, content)] = attachments_of("forwarded")

    assert read("forwarded").text == "see below"
    assert (name, type_) == ("part-1.eml", "message/rfc822")
    assert reading.read(content).text == "inner text"


def test_html_beside_plain_text_is_not_lost() -> None:
    """A list that puts a plain footer under an HTML mail does not silence its writer."""
    text = read("list-footer").text

    assert text.startswith("What do you think?\n")
    assert "talk mailing list" in text


def alternatives(plain: str, html: str) -> bytes:
    return (
        "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\n"
        f"{plain}\n--b\nContent-Type: text/html\n\n{html}\n--b--\n"
    ).encode()


def test_plain_text_is_preferred_to_its_html() -> None:
    message = reading.read(alternatives("plain", "<p>html</p>"))

    assert (message.text, message.html) == ("plain", "<p>html</p>")


def test_html_becomes_the_text_where_the_plain_part_is_empty() -> None:
    assert reading.read(alternatives("   ", "<p>html</p>")).text.strip() == "html"


def test_html_without_a_content_type_is_recognised() -> None:
    assert reading.read(b"From: a@x\n\n<!DOCTYPE html><p>hi").text == "hi"


def test_the_charset_of_html_may_stand_in_its_meta_tag() -> None:
    raw = b'Content-Type: text/html\n\n<meta http-equiv=x content="text/html; charset=koi8-r"><p>\xf0\xd2\xc9'

    assert reading.read(raw).text == "При"


def test_text_has_no_control_characters() -> None:
    """S15: a database refuses NUL, a terminal obeys ESC."""
    assert reading.read(b"\n\na\x00b\x1b[2Jc\td").text == "\nab[2Jc\td"


def test_text_over_the_limit_is_cut_and_said_so() -> None:
    message = reading.read(b"Subject: x\n\n" + b"x" * (limits.TEXT + 1))

    assert len(message.text) == limits.TEXT
    assert "text/plain too long, cut" in message.defects


def test_parts_of_a_digest_are_mails() -> None:
    raw = b"Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: one\n\n1\n--b--"

    assert [a.type for a in reading.read(raw).attachments] == ["message/rfc822"]


def test_an_unknown_encoding_leaves_the_bytes_alone() -> None:
    message = reading.read(b"Content-Transfer-Encoding: x-rot13\n\nuryyb")

    assert message.text == "uryyb"
    assert message.defects[0] == "transfer encoding unknown, left as it is"


def test_an_unreadable_content_type_is_text() -> None:
    assert reading.read(b"Content-Type: text\n\nhello").text == "hello"


def test_a_named_text_part_is_a_file_unless_it_is_the_mail() -> None:
    whole = b"Content-Type: text/plain; name=notes.txt\n\nhello"
    part = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n" + whole + b"\n--b--"

    assert reading.read(whole).text == "hello"
    assert reading.read(part).text == ""
    assert [a.name for a in reading.read(part).attachments] == ["notes.txt"]


def test_parameters_of_an_attachment_are_kept() -> None:
    [calendar] = read("calendar-answer").attachments

    assert calendar.parameter("method") == "REPLY"
    assert calendar.parameter("none") == ""


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("<a@x>", "a@x"),
        ("<a\n @x>", "a@x"),
        ("a@x", "a@x"),
        ("=?utf-8?q?=3Ca=40x=3E?=", "a@x"),
        ("<>", None),
        ("", None),
        ("<" + "x" * 999 + ">", None),
    ],
)
def test_a_message_id_is_read_tolerantly(written: str, expected: str | None) -> None:
    """L15: none is none, never the empty one."""
    assert mail(f"Message-ID: {written}").message_id == expected


def test_only_the_last_hundred_references_count() -> None:
    message = mail("References: " + "\n ".join(f"<{number}@x>" for number in range(300)))

    assert message.references == tuple(f"{number}@x" for number in range(200, 300))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Mon, 2 Feb 2026 10:00:00 -0000", datetime(2026, 2, 2, 10, tzinfo=UTC)),
        ("2026-02-02T10:00:00Z", datetime(2026, 2, 2, 10, tzinfo=UTC)),
        ("yesterday", None),
        ("Mon, 99 Feb 2026 10:00:00", None),
        ("Fri, 31 Dec 9999 23:59:59 -2300", None),
    ],
)
def test_a_date_that_makes_no_sense_is_none(written: str, expected: datetime | None) -> None:
    message = mail(f"Date: {written}")

    assert message.date == expected
    assert ("Date unreadable" in message.defects) is (expected is None)


def test_the_fingerprint_is_the_same_by_any_way() -> None:
    """L13, EM-7: line ends, folding and headers added on the way do not matter."""
    one = b"Message-ID: <a@x>\nFrom: a@x\nSubject: long\n subject\nDate: x\n\nbody\nmore\n"
    other = b"Received: y\r\nMessage-ID: <a@x>\r\nFrom: a@x\r\nSubject: long\tsubject\r\nDate: x\r\n\r\nbody\r\nmore"

    assert reading.read(one).fingerprint == reading.read(other).fingerprint


@pytest.mark.parametrize("old", [b"<a@x>", b"From: a", b"long", b"Date: x", b"body"])
def test_another_mail_has_another_fingerprint(old: bytes) -> None:
    """L13: a Message-ID alone is not identity."""
    raw = b"Message-ID: <a@x>\nFrom: a\nSubject: long\nDate: x\n\nbody\n"

    assert reading.read(raw).fingerprint != reading.read(raw.replace(old, old + b"z")).fingerprint


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.eml")), ids=lambda path: path.stem)
def test_each_odd_mail_is_read_twice_alike(path: object) -> None:
    assert isinstance(path, type(CORPUS))
    raw = path.read_bytes()

    assert reading.read(raw) == reading.read(raw)
