"""For well-formed mail we see what the standard library sees."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from mailcase.mail import reading

WORDS = st.text(st.characters(categories=["L", "N", "P", "S"], max_codepoint=0xFFFF), min_size=1, max_size=12)
LINES = st.lists(st.lists(WORDS, max_size=8).map(" ".join), max_size=6).map("\n".join).filter(str.strip)
#: Latin letters alone, since names of files lose what a path or a terminal would obey.
NAMES = st.text(
    st.characters(min_codepoint=0x61, max_codepoint=0x7A) | st.sampled_from("éüß "), min_size=1, max_size=30
)
FILES = st.lists(st.tuples(NAMES.filter(lambda name: name.strip() == name), st.binary(max_size=300)), max_size=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the standard library is asked to make a mail of."""

    line_ends: EmailPolicy[EmailMessage]
    subject: str
    text: str
    encoding: str | None
    has_html: bool
    files: list[tuple[str, bytes]]


WANTED = st.builds(
    Wanted,
    line_ends=st.sampled_from([policy.SMTP, policy.default]),
    subject=st.lists(WORDS, min_size=1, max_size=10).map(" ".join),
    text=LINES,
    encoding=st.sampled_from([None, "base64", "quoted-printable", "8bit"]),
    has_html=st.booleans(),
    files=FILES,
)


def made(wanted: Wanted) -> bytes:
    mail = EmailMessage(policy=wanted.line_ends)
    mail["Subject"] = wanted.subject
    mail["From"] = "Ann Example <ann@example.net>"
    mail["To"] = "desk@example.org, bureau@example.org"
    mail["Date"] = format_datetime(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    mail["Message-ID"] = "<one@example.net>"
    mail.set_content(wanted.text, cte=wanted.encoding)
    if wanted.has_html:
        mail.add_alternative("<p>html</p>", subtype="html")
    for name, content in wanted.files:
        mail.add_attachment(content, maintype="application", subtype="octet-stream", filename=f"{name}.bin")
    return mail.as_bytes()


@given(WANTED)
@settings(max_examples=200, deadline=None)
def test_a_well_formed_mail_reads_as_the_standard_library_reads_it(wanted: Wanted) -> None:
    raw = made(wanted)
    theirs = message_from_bytes(raw, policy=policy.default)
    assert isinstance(theirs, EmailMessage)
    body = theirs.get_body(("plain",))
    assert body is not None

    ours = reading.read(raw)

    assert ours.text == body.get_content().replace("\r\n", "\n")
    assert ours.html.strip() == ("<p>html</p>" if theirs.get_body(("html",)) else "")
    assert ours.subject == theirs["Subject"]
    assert [address.address for address in ours.to] == [one.addr_spec for one in theirs["To"].addresses]
    assert ours.message_id == "one@example.net"
    assert ours.date == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert [(one.name, reading.attachment_bytes(raw, one)) for one in ours.attachments] == [
        (one.get_filename(), one.get_content()) for one in theirs.iter_attachments()
    ]
    assert ours.defects == ()
