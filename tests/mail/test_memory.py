"""What reading a mail costs in memory: a small multiple of the mail, whatever stands in it (S10)."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest

from mailcase.mail import limits, reading, transfer

MIB = 1024 * 1024
SIZE = 2 * MIB


def encoded(encoding: str, body: bytes, *, kind: str = "text/plain; charset=utf-8") -> bytes:
    """A mail of SIZE bytes that repeats `body`."""
    header = f"Message-ID: <a@b>\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return header.encode() + body * (SIZE // len(body))


def peak_of(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


MAILS = {
    "soft breaks with blanks": encoded("quoted-printable", b"a=  \n"),
    "quoted bytes": encoded("quoted-printable", b"=C3=B6"),
    "pieces of base64": encoded("base64", b"A="),
    "whole pieces of base64": encoded("base64", b"QQ=="),
    "uuencoded lines": encoded("x-uuencode", b"#86)C\r\n"),
    "uuencoded nothing": encoded("x-uuencode", b"\n"),
    "characters of four bytes": encoded("8bit", "😀".encode()),
    "a wrong charset": encoded("8bit", b"\xff\xfe\r\n", kind="text/plain; charset=gb2312"),
}


@pytest.mark.parametrize("name", MAILS)
def test_reading_costs_a_small_multiple_of_the_mail(name: str) -> None:
    raw = MAILS[name]

    assert peak_of(lambda: reading.read(raw)) < 8 * SIZE


@pytest.mark.parametrize("name", MAILS)
def test_an_attachment_costs_a_small_multiple_of_the_mail(name: str) -> None:
    part = b"Content-Disposition: attachment\r\n" + MAILS[name]
    raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + part + b"\r\n--b--\r\n"
    (attachment,) = reading.read(raw).attachments

    assert peak_of(lambda: reading.attachment_bytes(raw, attachment)) < 8 * SIZE


def test_many_texts_cost_no_more_than_one() -> None:
    """Beside the limit of one part there is one for all: each could become four bytes a character."""
    part = b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + "😀".encode() + b"x" * 100_000 + b"\r\n"
    raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * 200 + b"--b--\r\n"

    peak = peak_of(lambda: reading.read(raw))

    assert peak < 2 * len(raw)
    assert len(reading.read(raw).text) == limits.TEXT


@pytest.mark.parametrize("charset", ["utf-8", "utf-16-le", "iso-2022-jp", "shift_jis", "gb2312"])
def test_a_text_that_is_cut_in_the_middle_of_a_character_keeps_its_charset(charset: str) -> None:
    line = "あいうえお日本\r\n" if charset != "gb2312" else "中文中文中文中\r\n"
    data = line.encode(charset) * (8 * MIB // len(line.encode(charset)))
    for shift in range(3):
        head = ("x" * shift).encode(charset)
        raw = f"Content-Type: text/plain; charset={charset}\r\n\r\n".encode() + head + data
        message = reading.read(raw)

        assert line.strip() in message.text.splitlines()[-2]
        assert [defect for defect in message.defects if "charset" in defect] == []


@pytest.mark.parametrize(("encoding", "piece", "data"), [("base64", b"QQ==", b"A"), ("x-uuencode", b"!00\r\n", b"A")])
def test_more_pieces_than_any_mail_has_are_not_decoded(encoding: str, piece: bytes, data: bytes) -> None:
    decoded = transfer.decode(piece * (limits.ENCODED_PIECES + 10), encoding)

    assert decoded == data * limits.ENCODED_PIECES
