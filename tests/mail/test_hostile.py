"""Input that was made, or happened, to break a reader: it costs little and raises nothing (S10, S11, L5, L27).

The time limit is generous: each input is far slower than it when anything in its way is worse than linear.
"""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailcase.mail import bounce, charset, classify, limits, reading, transfer
from mailcase.mail.signing import KeyRing
from mailcase.mail.text import html_to_text

pytestmark = pytest.mark.timeout(30)


def nested(depth: int) -> bytes:
    opening = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth))
    closing = b"".join(b"--b%d--\r\n" % n for n in reversed(range(depth)))
    return opening + b"\r\nhello\r\n" + closing


BODY = b"\r\n\r\nhi"
MAILS = {
    "1000 nested multiparts": nested(1000),
    "100k parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 100_000 + b"--b--\r\n",
    "10 MB header": b"Subject: " + b"x" * 10_000_000 + BODY,
    "1M header lines": b"X-A: y\r\n" * 1_000_000 + BODY,
    "1M header lines without a name": b"Subject: x\r\n" + b"abc def\r\n" * 1_000_000 + BODY,
    "header of blanks": b"Subject:" + b" " * 5_000_000,
    "header of folds": b"Subject: x\n" + b" \n" * 2_000_000,
    "20k addresses": b"To: " + b", ".join(b"a%d@example.org" % n for n in range(20_000)) + BODY,
    "20k encoded words": b"Subject: " + b" ".join([b"=?utf-8?q?x?="] * 20_000) + BODY,
    "20k charsets": b"Subject: " + b" ".join(b"=?x%d?q?=E4?=" % n for n in range(20_000)) + BODY,
    "open encoded words": b"Subject: " + b"=?a?q?" * 40_000 + BODY,
    "open comments": b"From: " + b"(" * 200_000 + BODY,
    "groups": b"To: " + b"a:" * 100_000 + BODY,
    "escaped quotes": b'To: "' + b'\\"' * 100_000 + BODY,
    "angles and quotes": b"To: " + b'<"' * 100_001 + BODY,
    "50k parameters": b"Content-Type: text/plain; " + b"a=b;" * 50_000 + BODY,
    "20k sections": b"Content-Type: text/plain; " + b"".join(b"a*%d=b;" % n for n in range(20_000)) + BODY,
    "quotes in parameters": b'Content-Type: text/plain; a="' + b'\\"' * 100_000 + BODY,
    "tags in a subject": b"Subject: " + b"[#" * 100_000 + b"Re: " * 10_000 + BODY,
    "errors in a subject": b"From: <>\nReturn-Path: <>\nSubject: " + b"error" * 50_000 + BODY,
    "false boundaries": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--bx\n" * 2_000_000,
    "dashes": b"Content-Type: multipart/mixed\r\n\r\n" + b"--\n" * 2_000_000,
    "no text but NUL": b"Content-Type: text/plain\r\n\r\n" + b"\0" * 10_000_000,
    "quoted-printable of =": b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=" * 1_000_000,
    "quoted-printable of blanks": b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=" + b" " * 1_000_000,
    "base64 of =": b"Content-Transfer-Encoding: base64\r\n\r\n" + b"=" * 1_000_000,
    "base64 of A=": b"Content-Transfer-Encoding: base64\r\n\r\n" + b"A=" * 500_000,
    "uuencoded nothing": b"Content-Transfer-Encoding: x-uuencode\r\n\r\n" + b"M\n" * 500_000,
    "ISO-2022 escapes": b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n" + b"\x1b$B" * 3_000_000,
    "ISO-2022 without a charset": b"\r\n" + b"\x1b$B\xff" * 1_000_000,
    "reports": b"From: mailer-daemon@x\n\n" + b"<a@example.org>: 550 5.1.1\n" * 20_000,
    "addresses in a report": b"From: mailer-daemon@x\n\n" + b"a" * 200_000 + b"@" * 200_000,
    "report of blank lines": b"From: mailer-daemon@x.example\n\nbob@z.example\n" + b"\n" * 900_000,
    "report of empty quotations": b"From: mailer-daemon@x.example\n\nbob@z.example\n" + b">\n" * 450_000,
    "delivery status of blank lines": b"Content-Type: message/delivery-status\n\nReporting-MTA: x\n"
    + b" \n" * 2_000_000,
    "delivery status": b"Content-Type: message/delivery-status\n\n" + b"Final-Recipient: rfc822; a@x\n\n" * 50_000,
}


@pytest.mark.parametrize("name", MAILS)
def test_no_mail_takes_long(name: str) -> None:
    raw = MAILS[name]

    message = reading.read(raw)
    found = bounce.read_bounce(message, raw)
    classify.classify(message, own_addresses=(), ring=KeyRing(keys=()), envelope_from=None, bounce=found)

    assert len(message.text) <= limits.TEXT
    assert len(message.headers) <= limits.HEADER_FIELDS
    assert all(len(value) <= limits.HEADER_VALUE for _, value in message.headers)
    assert max(len(message.from_), len(message.to)) <= limits.ADDRESSES_PER_HEADER
    assert len(message.attachments) <= limits.PARTS
    for attachment in message.attachments:
        reading.attachment_bytes(raw, attachment)


PAGES = {
    "200k nested": "<div>" * 200_000 + "hello",
    "comments": "<!--" * 200_000,
    "entities": "&amp;" * 200_000,
    "blanks": "a" + " " * 1_000_000 + "b",
    "20k links": '<a href="http://example.org/x">click</a> ' * 20_000,
    "100k attributes": "<a " + " ".join(f"a{n}" for n in range(100_000)) + ">x</a>",
    "open formatting": "".join(f"<font size={n}>" for n in range(1000)) + "<p>x" * 100_000,
    "attributes without a value": "<a " + "a" * 900_000 + ">",
    "a picture without an end": "<img " + "a" * 900_000,
    "a value without an end": '<a b="' + "a" * 900_000,
    "angles in a tag": "<a " + "<" * 900_000 + ">",
    "quotes without names": "<a " + '" ' * 450_000 + ">",
    "characters beyond all numbers": "&#" + "9" * 5000 + ";<a href='&#x" + "f" * 5000 + ";'>x</a>",
    "quotes in tags": "<a b=\"<a b='" * 80_000,
    "values without blanks": "<a/b=" * 200_000,
    "open tags": "<a" * 400_000,
    "angles": "<" * 1_000_000,
    "end tags": "</" * 500_000,
    "scripts": "<script>" * 100_000,
    "titles": "<title" * 100_000,
    "quotations": "<blockquote>" * 10_000 + "x<br>" * 10_000,
    "lists": "<ul>" * 10_000 + "<li>x" * 10_000,
    "verbatim": "<pre>" + "\n" * 900_000,
    "cells": "<td>" * 200_000,
}


@pytest.mark.parametrize("name", PAGES)
def test_no_html_takes_long(name: str) -> None:
    assert len(html_to_text(PAGES[name])) <= limits.TEXT


HEADER_NAMES = st.sampled_from(
    [
        "From",
        "To",
        "Cc",
        "Subject",
        "Date",
        "Message-ID",
        "References",
        "Content-Type",
        "Content-Disposition",
        "Content-Transfer-Encoding",
        "Auto-Submitted",
        "Return-Path",
        "X",
    ]
)
PIECES = st.sampled_from(
    b"multipart/mixed multipart/report text/html message/delivery-status base64 boundary= charset= utf-7 gb2312 b "
    b"--b --b-- =?utf-8?q? =?utf-8?b? ?= < > @ , ; : ( ) \\ = =3D filename*0*= \" '".split(b" ")
) | st.sampled_from([b"\n", b"\r\n", b" ", b"\xe4", b"\x00"])
NOISE = st.lists(PIECES | st.binary(max_size=8), max_size=40).map(b"".join)


@st.composite
def strange_mails(draw: st.DrawFn) -> bytes:
    """Bytes that look enough like mail to reach every corner of the reader."""
    fields = draw(st.lists(st.tuples(HEADER_NAMES, NOISE), max_size=6))
    header = b"\n".join(name.encode() + b": " + value.replace(b"\n", b"\n ") for name, value in fields)
    return header + draw(st.sampled_from([b"\n\n", b"\r\n\r\n", b"\n"])) + draw(NOISE)


@given(st.binary(max_size=400) | strange_mails())
@settings(max_examples=400, deadline=None)
def test_any_bytes_are_read_twice_alike_and_cleanly(raw: bytes) -> None:
    message = reading.read(raw)
    found = bounce.read_bounce(message, raw)

    assert message == reading.read(raw)
    assert found == bounce.read_bounce(message, raw)
    shown = [value for _, value in message.headers] + [attachment.name for attachment in message.attachments]
    shown += [
        text for address in (*message.from_, *message.to, *message.cc) for text in (address.name, address.address)
    ]
    assert not any(unicodedata.category(character).startswith(("C", "Zl", "Zp")) for character in "".join(shown))
    assert all(attachment.name for attachment in message.attachments)
    for attachment in message.attachments:
        assert 0 <= attachment.start <= attachment.end <= len(raw)
        reading.attachment_bytes(raw, attachment)
    message.text.encode()
    message.subject.encode()


@given(st.text())
@settings(max_examples=200, deadline=None)
def test_any_html_becomes_text(html: str) -> None:
    assert html_to_text(html) == html_to_text(html)


@given(st.binary(), st.sampled_from(["base64", "quoted-printable", "x-uuencode", "7bit", "x"]))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_decoded(data: bytes, encoding: str) -> None:
    assert isinstance(transfer.decode(data, encoding), bytes)


@given(
    st.binary(), st.text(max_size=12) | st.sampled_from(["utf-8", "utf-7", "utf-16", "iso-2022-jp", "gb2312", "cp037"])
)
@settings(max_examples=200, deadline=None)
def test_any_charset_gives_text_that_can_be_stored(data: bytes, declared: str) -> None:
    charset.decode(data, declared)[0].encode("utf-8")
