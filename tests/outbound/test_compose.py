"""A finished mail, read back with the standard library, says what the letter said and nothing else (S4)."""

from __future__ import annotations

import email
import email.header
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage, Message
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcase.mail.message import Address
from mailcase.outbound.compose import clean_body, clean_filename, clean_name, clean_text, compose
from mailcase.outbound.letter import (
    MOST_REFERENCES,
    AutoSubmitted,
    Letter,
    OutgoingAttachment,
    bare_subject,
    is_writable_address,
    is_writable_id,
    limit_references,
)

BOUNDARY = "k3jq5xw7ab2c4d6e"
AT = datetime(2026, 11, 27, 14, 5, 9, tzinfo=UTC)
SUPPORT = Address(name="Example Support", address="support@example.org")
MARIE = Address(name="Marie Dupont", address="marie@example.net")
#: Every header a letter can make; S4 allows no other.
HEADERS = {
    *("date", "from", "to", "cc", "reply-to", "subject", "message-id", "in-reply-to", "references"),
    *("auto-submitted", "x-auto-response-suppress", "x-mailcase-instance", "x-mailcase-case"),
    *("mime-version", "content-type", "content-transfer-encoding"),
}
HOSTILE = "x\r\nBcc: v@example.com\r\n\r\n<b>body</b>"


def letter(
    *,
    subject: str = "Printer",
    text: str = "Hello\n",
    html: str | None = None,
    from_: Address = SUPPORT,
    to: tuple[Address, ...] = (MARIE,),
    cc: tuple[Address, ...] = (),
    reply_to: Address | None = None,
    message_id: str = "m1@mailcase.example.org",
    in_reply_to: str | None = None,
    references: tuple[str, ...] = (),
    auto_submitted: AutoSubmitted | None = None,
    case_ref: str | None = None,
    attachments: tuple[OutgoingAttachment, ...] = (),
    date: datetime = AT,
    mark: str = "i1",
) -> Letter:
    return Letter(
        message_id=message_id,
        date=date,
        from_=from_,
        to=to,
        cc=cc,
        reply_to=reply_to,
        subject=subject,
        text=text,
        html=html,
        in_reply_to=in_reply_to,
        references=references,
        auto_submitted=auto_submitted,
        mark=mark,
        case_ref=case_ref,
        attachments=attachments,
    )


def raw_of(written: Letter) -> bytes:
    return compose(written, boundary=BOUNDARY)


def modern(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)


def classic(raw: bytes) -> Message:
    return email.message_from_bytes(raw, policy=email.policy.compat32)


def classic_text(value: str) -> str:
    return str(email.header.make_header(email.header.decode_header(value.replace("\r\n", ""))))


def payloads(raw: bytes, kind: str) -> list[str]:
    """Decoded bodies of the parts of that type, line ends as LF."""
    return [
        cast("bytes", part.get_payload(decode=True)).decode("utf-8").replace("\r\n", "\n")
        for part in classic(raw).walk()
        if part.get_content_type() == kind and part.get_content_disposition() is None
    ]


def unspaced(name: str) -> str:
    return "".join(name.split())


any_text = st.text(max_size=200)
#: Any text, and the shapes that break header writers, mixed into it.
nasty_text = st.lists(
    st.one_of(
        st.text(max_size=30),
        st.sampled_from(
            [
                "\r\nBcc: v@example.com",
                "\n\n",
                "\x00",
                "\x0b",
                "\u2028",
                "=?utf-8?q?x=0D=0ABcc:_v@x?=",
                "é" * 40,
                '"',
                "\\",
            ]
        ),
        st.text(alphabet="ab", min_size=70, max_size=300),
    ),
    max_size=4,
).map("".join)
local_part = st.text(alphabet="abcXYZ019+_-", min_size=1, max_size=40)
addresses = st.builds(
    lambda name, local: Address(name=name, address=f"{local}@example.net"), name=nasty_text, local=local_part
)
ids = st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="<>"), min_size=1).map(
    lambda local: f"{local}@x"
)


@given(subject=nasty_text)
def test_any_subject_is_read_back_by_both_parsers(subject: str) -> None:
    raw = raw_of(letter(subject=subject))

    assert modern(raw)["Subject"] == clean_text(subject)
    assert classic_text(classic(raw)["Subject"]) == clean_text(subject)


@given(sender=addresses, to=st.lists(addresses, min_size=1, max_size=4), cc=st.lists(addresses, max_size=3))
def test_any_name_is_read_back_with_its_address(sender: Address, to: list[Address], cc: list[Address]) -> None:
    read = modern(raw_of(letter(from_=sender, to=tuple(to), cc=tuple(cc), reply_to=sender)))

    for name, wanted in (("From", [sender]), ("To", to), ("Cc", cc), ("Reply-To", [sender])):
        found = read[name].addresses if name in read else ()
        # This parser puts a space between two encoded words of a name, against RFC 2047 s. 6.2; the classic one below
        # proves the spaces.
        assert [(unspaced(one.display_name), one.addr_spec) for one in found] == [
            (unspaced(clean_name(one.name)), one.address) for one in wanted
        ]


@given(to=st.lists(addresses, min_size=1, max_size=4))
def test_the_classic_parser_reads_the_same_names(to: list[Address]) -> None:
    value = classic(raw_of(letter(to=tuple(to))))["To"]

    found = email.utils.getaddresses([value.replace("\r\n", "")])
    assert [(classic_text(name), address) for name, address in found] == [(clean_name(a.name), a.address) for a in to]


@given(text=any_text, html=st.none() | any_text)
def test_any_text_and_html_are_read_back(text: str, html: str | None) -> None:
    raw = raw_of(letter(text=text, html=html))

    assert payloads(raw, "text/plain") == [clean_body(text)]
    assert payloads(raw, "text/html") == ([] if html is None else [clean_body(html)])


@given(files=st.lists(st.tuples(nasty_text, st.binary(max_size=300)), min_size=1, max_size=3))
def test_any_attachment_is_read_back_by_both_parsers(files: list[tuple[str, bytes]]) -> None:
    attachments = tuple(
        OutgoingAttachment(name=name, type="application/pdf", content=content) for name, content in files
    )
    raw = raw_of(letter(attachments=attachments, html="<p>x</p>"))

    expected = [(clean_filename(name), content) for name, content in files]
    for read in (modern(raw), classic(raw)):
        parts = [part for part in read.walk() if part.get_content_disposition() == "attachment"]
        assert [(part.get_filename(), part.get_payload(decode=True)) for part in parts] == expected
    assert payloads(raw, "text/plain") == ["Hello\n"]


@given(
    subject=nasty_text,
    name=nasty_text,
    filename=nasty_text,
    id_=nasty_text,
    text=nasty_text,
    mark=nasty_text,
)
def test_s4_no_field_can_add_a_header_or_end_the_headers(
    subject: str, name: str, filename: str, id_: str, text: str, mark: str
) -> None:
    raw = raw_of(
        letter(
            subject=subject,
            to=(Address(name=name, address="marie@example.net"),),
            references=(id_, "known@example.net"),
            in_reply_to=id_,
            text=text,
            mark=mark,
            auto_submitted=AutoSubmitted.REPLIED,
            attachments=(OutgoingAttachment(name=filename, type=filename, content=b"x"),),
        )
    )
    read = classic(raw)

    assert {header.lower() for header in read.keys()} <= HEADERS  # noqa: SIM118 - a Message is no mapping
    assert len(read.keys()) == len(set(read.keys()))
    assert not read.defects
    assert payloads(raw, "text/plain") == [clean_body(text)]
    lines = raw.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert not any(b"\n" in line or b"\r" in line or b"\0" in line for line in lines)


@given(subject=nasty_text, names=st.lists(nasty_text, max_size=3), filename=nasty_text, text=any_text)
def test_lines_are_at_most_78_where_no_single_word_is_longer(
    subject: str, names: list[str], filename: str, text: str
) -> None:
    to = tuple(Address(name=name, address="marie@example.net") for name in names)
    attachment = OutgoingAttachment(name=filename, type="image/png", content=b"x" * 200)

    raw = raw_of(letter(subject=subject, to=to or (MARIE,), text=text, html=text, attachments=(attachment,)))

    assert max(map(len, raw.split(b"\r\n"))) <= 78
    words = [word for line in raw.split(b"\r\n\r\n")[0].split(b"\r\n") for word in line.split() if b"=?" in word]
    assert all(len(word.strip(b",")) <= 75 for word in words)


@given(known=st.lists(ids, min_size=1, max_size=5))
def test_ids_are_never_encoded_or_divided(known: list[str]) -> None:
    raw = raw_of(letter(in_reply_to=known[-1], references=tuple(known)))
    read = classic(raw)

    writable = [one for one in known if is_writable_id(one)]
    assert read["References"].replace("\r\n", "").split() == [f"<{one}>" for one in writable]
    assert read["In-Reply-To"] == f"<{known[-1]}>"


@pytest.mark.parametrize("length", [77, 78, 79, 80, 200, 900])
def test_a_message_id_of_outlooks_length_stays_whole(length: int) -> None:
    """The standard library would write it as encoded words."""
    long_id = "a" * (length - 10) + "@b.example"

    raw = raw_of(letter(in_reply_to=long_id, references=("first@x", long_id, "last@x")))

    assert f"In-Reply-To: <{long_id}>\r\n".encode() in raw
    assert modern(raw)["References"].split() == ["<first@x>", f"<{long_id}>", "<last@x>"]


@pytest.mark.parametrize("broken", ["with space@x", "a\r\nBcc: v@x", "é@x", "a>b@x", "", "a\0@x", "x" * 901])
def test_an_id_that_cannot_be_written_whole_is_left_out(broken: str) -> None:
    raw = raw_of(letter(in_reply_to=broken, references=(broken, "good@x")))

    assert "In-Reply-To" not in classic(raw)
    assert classic(raw)["References"] == "<good@x>"


@pytest.mark.parametrize(
    "address",
    [
        *("a b@example.org", "a@example.org\r\nBcc: v@x", "a@b>\r\nRCPT TO:<v@x", "é@example.org", "nobody", "@x", ""),
        *(
            '"a b"@example.org',
            "a@exa mple.org",
            "a\0@example.org",
            "=?utf-8?q?a?=@example.org",
            "a@x,b@y",
            "a" * 250 + "@x.org",
        ),
    ],
)
def test_an_address_that_cannot_be_written_is_an_error(address: str) -> None:
    """GHSA-v3q9-hj7j-63hq: nothing behind us may be trusted to refuse it."""
    assert not is_writable_address(address)
    with pytest.raises(ValueError, match="address header"):
        raw_of(letter(to=(Address(name="", address=address),)))


@pytest.mark.parametrize(
    "address", ["support+c1042-ann.k1abcdef@example.org", "o'neil@example.org", "a..b@docomo.example", "a@[192.0.2.1]"]
)
def test_addresses_in_use_can_be_written(address: str) -> None:
    raw = raw_of(letter(to=(Address(name="", address=address),)))

    assert is_writable_address(address)
    assert classic(raw)["To"] == address


@pytest.mark.parametrize("message_id", ["", "a b@x", "a\r\nBcc: v@x", "<a@x>"])
def test_our_own_message_id_must_be_right(message_id: str) -> None:
    with pytest.raises(ValueError, match="Message-ID"):
        raw_of(letter(message_id=message_id))


def test_a_date_without_zone_is_an_error() -> None:
    with pytest.raises(ValueError, match="zone"):
        raw_of(letter(date=datetime(2026, 1, 1)))  # noqa: DTZ001 - the point of the test


@pytest.mark.parametrize("boundary", ["", "short", "with space 123", "a\r\nb345678", "x" * 41])
def test_a_boundary_is_a_word(boundary: str) -> None:
    with pytest.raises(ValueError, match="boundary"):
        compose(letter(), boundary=boundary)


def test_the_date_is_read_back() -> None:
    assert modern(raw_of(letter()))["Date"].datetime == AT


def test_a_text_that_holds_the_boundary_divides_nothing() -> None:
    text = f"--=_a{BOUNDARY}\nContent-Type: text/html\n\n--=_a{BOUNDARY}--\n--=_m{BOUNDARY}--\n"
    attachment = OutgoingAttachment(name="a.txt", type="text/plain", content=text.encode())

    raw = raw_of(letter(text=text, html=text, attachments=(attachment,)))

    assert [part.get_content_type() for part in classic(raw).walk()] == [
        *("multipart/mixed", "multipart/alternative", "text/plain", "text/html", "text/plain"),
    ]
    assert payloads(raw, "text/plain") == [text]
    assert not any(part.defects for part in classic(raw).walk())


def test_short_ascii_text_stays_readable_and_all_other_text_is_encoded() -> None:
    assert "Content-Transfer-Encoding: 7bit" in raw_of(letter(text="Hello\n")).decode()
    for text in ("Échéance", "x" * 79, "-- \nAnn", "From here", "a\0b", "\x0c"):
        assert "Content-Transfer-Encoding: quoted-printable" in raw_of(letter(text=text)).decode()


def test_mail_of_a_machine_says_so_and_keeps_bounces_coming() -> None:
    """L24; T31 needs the non-delivery report, so that one is not suppressed."""
    read = classic(raw_of(letter(auto_submitted=AutoSubmitted.GENERATED, case_ref="1042-C", mark="i7")))

    assert read["Auto-Submitted"] == "auto-generated"
    suppressed = read["X-Auto-Response-Suppress"].split(", ")
    assert {"OOF", "AutoReply"} <= set(suppressed)
    assert not {"NDR", "All"} & set(suppressed)
    assert read["X-Mailcase-Instance"] == "i7"
    assert read["X-Mailcase-Case"] == "1042-C"


def test_what_a_person_wrote_is_not_marked_as_a_machines() -> None:
    read = classic(raw_of(letter(auto_submitted=None)))

    assert "Auto-Submitted" not in read
    assert "X-Auto-Response-Suppress" not in read


@pytest.mark.parametrize(
    "kind", ["message/rfc822", "multipart/mixed", "nonsense", "text/x\r\nBcc: v@x", "text/html; a=b"]
)
def test_a_type_that_cannot_be_base64_goes_as_octets(kind: str) -> None:
    raw = raw_of(letter(attachments=(OutgoingAttachment(name="a", type=kind, content=b"a\nb"),)))

    part = next(part for part in classic(raw).walk() if part.get_content_disposition() == "attachment")
    assert part.get_content_type() == "application/octet-stream"
    assert part.get_payload(decode=True) == b"a\nb"


def test_a_long_thread_keeps_its_root_and_its_newest_mails() -> None:
    thread = [f"m{number}@x" for number in range(100)]

    kept = limit_references([*thread, "m50@x"])

    assert len(kept) == MOST_REFERENCES
    assert kept[0] == "m0@x"
    assert kept[-2:] == ("m99@x", "m50@x")


def test_a_short_thread_is_named_whole() -> None:
    assert limit_references(["a@x", "b@x", "a@x"]) == ("b@x", "a@x")
    assert limit_references([]) == ()


@pytest.mark.parametrize(
    ("subject", "bare"),
    [
        ("Printer", "Printer"),
        ("Re: Printer", "Printer"),
        ("RE : Re: AW: Printer [1042-C]", "Printer"),
        ("Re[2]: Réf : Imprimante", "Imprimante"),
        ("Re: [1042-C] Printer [7-C] smokes", "Printer smokes"),
        ("Fwd: Printer", "Fwd: Printer"),
        ("Reading: a book", "Reading: a book"),
        ("Re:", ""),
    ],
)
def test_a_subject_does_not_grow_from_turn_to_turn(subject: str, bare: str) -> None:
    """L24."""
    assert bare_subject(subject) == bare
    assert bare_subject(f"Re: {bare} [1042-C]") == bare


def test_control_characters_become_spaces_and_a_no_break_space_stays() -> None:
    assert clean_text(HOSTILE) == "x Bcc: v@example.com <b>body</b>"
    assert clean_text("\u202eOh\u00a0!\u2028\x00 x ") == "Oh\u00a0! x"


def test_a_file_name_leads_nowhere() -> None:
    """S8."""
    assert clean_filename("../../etc/passwd") == ".._.._etc_passwd"
    assert clean_filename("inv\u202efdp.exe") == "inv fdp.exe"
    assert clean_filename("\x00\r\n") == "attachment"
