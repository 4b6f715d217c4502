"""The small readers under `reading`: addresses, parameters, charsets, transfer encodings."""

from __future__ import annotations

import pytest

from mailcase.mail import addresses, charset, headers, transfer


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("a@x", [("", "a@x")]),
        ("a@x, b@x; c@x", [("", "a@x"), ("", "b@x"), ("", "c@x")]),
        ("Ann <a@x>", [("Ann", "a@x")]),
        ('"Ann, of \\"X\\"" <a@x>', [('Ann, of "X"', "a@x")]),
        ('"agent@org" <evil@x>', [("agent@org", "evil@x")]),
        ("agent@org <evil@x>", [("agent@org", "evil@x")]),
        ("<a@x> <b@x>", [("", "a@x"), ("", "b@x")]),
        ("a@x b@x", [("", "a@x"), ("", "b@x")]),
        ("a@x (Ann (really))", [("Ann really", "a@x")]),
        ("team: a@x, b@x;", [("", "a@x"), ("", "b@x")]),
        ("undisclosed-recipients:;", []),
        ("<@relay,@other:a@x>", [("", "a@x")]),
        ("mailto:a@x", [("", "a@x")]),
        ("=?utf-8?q?M=C3=BCller=2C_A?= <a@x>", [("Müller, A", "a@x")]),
        ("=?utf-8?q?M=C3=BCller, A?= <a@x>", [("Müller, A", "a@x")]),
        ("=?utf-8?q?Ann_=3Ca=40x=3E?=", [("Ann", "a@x")]),
        ("=?utf-8?q?a=40x=2C_b=40x?=", []),
        ('"a b"@x', [("", '"a b"@x')]),
        ('"a@x"', [("", "a@x")]),
        ("'a@x' <a@x>", [("'a@x'", "a@x")]),
        ("MAILER-DAEMON", [("", "MAILER-DAEMON")]),
        ("John Smith", []),
        ("", []),
        ("<>", []),
        ("Ann < a@x >", [("Ann", "a@x")]),
        ('"Ann <a@x>', [("Ann", "a@x")]),
        ("Ann (Sales <a@x>", [("Ann (Sales", "a@x")]),
        ("Ann) <a@x>", [("Ann", "a@x")]),
        ("a = b <a@x>", [("a = b", "a@x")]),
        ("Ann <a@x, Bob <b@x>", [("Ann", "a@x"), ("", "b@x")]),
    ],
)
def test_addresses_are_read_as_people_write_them(written: str, expected: list[tuple[str, str]]) -> None:
    found, is_cut = addresses.parse(written)

    assert [(address.name, address.address) for address in found] == expected
    assert not is_cut


def test_more_addresses_than_the_limit_are_cut() -> None:
    found, is_cut = addresses.parse(", ".join(f"a{number}@x" for number in range(300)))

    assert (len(found), is_cut) == (200, True)


@pytest.mark.parametrize(
    ("written", "front", "parameters"),
    [
        (b"Text/Plain; Charset=utf-8", "text/plain", {"charset": "utf-8"}),
        (b'a/b; x="1;2"; y=3', "a/b", {"x": "1;2", "y": "3"}),
        (b"a/b; x=1; x=2", "a/b", {"x": "1"}),
        (b"a/b; x=un quoted (1)", "a/b", {"x": "un quoted (1)"}),
        (b'a/b\n\tx="1"', "a/b", {"x": "1"}),
        (b'a/b; x="open', "a/b", {"x": "open"}),
        (b'; filename="x"', "", {"filename": "x"}),
        (b"filename=x", "", {"filename": "x"}),
        (b"a/b; x; =y", "a/b", {}),
        (b"a/b; x*=utf-8''%C3%BC; x=plain", "a/b", {"x": "ü"}),
        (b"a/b; x*=no-charset", "a/b", {"x": "no-charset"}),
        (b"a/b; x*1=b; x*0=a", "a/b", {"x": "ab"}),
        (b"a/b; x*0*=iso-8859-1'de'%FC; x*1=%41", "a/b", {"x": "ü%41"}),
        (b"a/b; x==?utf-8?q?=C3=BC?=", "a/b", {"x": "ü"}),
        (b"", "", {}),
        (b"  ", "", {}),
    ],
)
def test_parameters_are_read_as_programs_write_them(written: bytes, front: str, parameters: dict[str, str]) -> None:
    assert headers.parameters_of(written) == (front, parameters)


@pytest.mark.parametrize(
    ("data", "declared", "text", "defect"),
    [
        ("Grüße".encode(), "utf-8", "Grüße", None),
        ("Grüße".encode(), None, "Grüße", None),
        ("Grüße".encode("latin-1"), "ISO-8859-1", "Grüße", None),
        (b"\x93quoted\x94", "iso-8859-1", "“quoted”", None),
        ("Grüße".encode(), "us-ascii", "Grüße", "charset us-ascii read as utf-8"),
        ("Grüße".encode("cp1252"), "utf-8", "Grüße", "charset utf-8 does not fit, read as cp1252"),
        ("Grüße".encode("cp1252"), None, "Grüße", "no charset, read as cp1252"),
        ("Grüße".encode(), "x-foo", "Grüße", "charset x-foo unknown, read as utf-8"),
        (b"hello", "x-foo", "hello", "charset x-foo unknown, read as utf-8"),
        (b"hello", '"charset=utf-8"', "hello", None),
        ("中文".encode("gb18030"), "gb2312", "中文", None),
        ("日本".encode("iso2022_jp"), None, "日本", "no charset, read as iso2022_jp"),
        ("日本".encode("iso2022_jp"), "us-ascii", "日本", "charset us-ascii does not fit, read as iso2022_jp"),
        ("日本".encode("shift_jis"), "x-sjis", "日本", None),
        ("\ufeffGrüße".encode(), "cp1252", "Grüße", None),
        ("Grüße".encode("utf-16"), "utf-8", "Grüße", None),
        ("ÄÖÜäöüß".encode()[:-1], "utf-8", "ÄÖÜäöü\ufffd", "charset utf-8 with broken characters replaced"),
        ("ÄÖÜäöüß".encode()[:-1], None, "ÄÖÜäöü\ufffd", "no charset, read as utf-8 with broken characters replaced"),
        (b"a\x81\x8d", None, "a\ufffd\ufffd", "no charset, read as cp1252 with unknown bytes replaced"),
        (b"+2AA-", "utf-7", "+2AA-", "charset utf-7 does not fit, read as utf-8"),
        (b"caf\xe9", "punycode", "café", "charset punycode unknown, read as cp1252"),
        (b"caf\xe9", "\x00\xff", "café", "charset \x00? unknown, read as cp1252"),
        (b"\x1b$B\xff", None, "\x1b$Bÿ", "no charset, read as cp1252"),
    ],
)
def test_no_charset_can_fail_a_text(data: bytes, declared: str | None, text: str, defect: str | None) -> None:
    """L26: declared, alias, detected, cp1252, replacement, each unusual step named."""
    assert charset.decode(data, declared) == (text, defect)


@pytest.mark.parametrize(
    ("data", "encoding", "expected"),
    [
        (b"aGVsbG8=", "base64", b"hello"),
        (b"aGVs\r\nbG8=\r\n", "base64", b"hello"),
        (b"aGVsbG8", "base64", b"hello"),
        (b"aGVsbG8x", "base64", b"hello1"),
        (b"aGVsbG8xa", "base64", b"hello1"),
        (b"aGVsbG8=aGVsbG8=", "base64", b"hellohello"),
        (b"aGVsbG8=\n-- \nthe list\n", "base64", b"hello"),
        (b"aGVs*bG8=", "base64", b"hello"),
        (b"====", "base64", b""),
        (b"", "base64", b""),
        (b"a=3Db=\r\nc", "quoted-printable", b"a=bc"),
        (b"a= \r\nb", "quoted-printable", b"ab"),
        (b"a=XYb", "quoted-printable", b"a=XYb"),
        (b"begin 644 x\n%:&5L;&\\\n`\nend\n", "x-uuencode", b"hello"),
        (b"begin 644 x\n%:&5L;&\\   \nend\n", "uuencode", b"hello"),
        (b"begin 644 x\n%:&5L;&\\`~~~\nend\n", "uuencode", b"hello"),
        (b"begin 644 x\nM\nM!\n\nend\n", "uuencode", b""),
        (b"begin 644 x\n#\xff\xff\xff\xff\nend\n", "uuencode", b""),
        (b"as it is", "7bit", b"as it is"),
        (b"as it is", "x-unknown", b"as it is"),
    ],
)
def test_no_transfer_encoding_can_fail(data: bytes, encoding: str, expected: bytes) -> None:
    assert transfer.decode(data, encoding) == expected


@pytest.mark.parametrize(
    ("written", "expected"), [('"Base64"', "base64"), ("8BIT; x", "8bit"), ("", ""), ("!", ""), (" 7bit", "7bit")]
)
def test_the_name_of_an_encoding_is_read_tolerantly(written: str, expected: str) -> None:
    assert transfer.encoding_of(written) == expected


def test_clean_text_has_one_line_and_no_hidden_characters() -> None:
    assert headers.clean("a\x00b\u202ec\u2028d\ue000e\x85") == "a b c d e"


def test_a_raw_header_in_iso_2022_is_read() -> None:
    assert headers.text_of("日本".encode("iso2022_jp"))[0] == "日本"


def test_words_in_different_charsets_stand_side_by_side() -> None:
    assert headers.decode_words("=?utf-8?q?=C3=BC?= =?iso-8859-1?q?=FC?= x =?utf-8*de?b?w7w=?=") == "üü x ü"


def test_raw_bytes_in_a_word_are_in_its_charset() -> None:
    assert headers.decode_words("=?iso-8859-1?q?Frö=F6sche?= =?x-foo?q?ö?=") == "Fröösche" + "ö"
