"""What our mails say, and that text of mail stays text (S5, S6)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.outbound.own_templates import BARE, FULL, LANGUAGES, OURS, view

from mailcase.core.process import AGENT_NOTICES, REQUESTER_NOTICES, Notice, Personal, outgoing_kind
from mailcase.outbound.letter import bare_subject
from mailcase.outbound.templates import (
    NAMES,
    Rendered,
    shipped_folder,
)
from mailcase.outbound.view import (
    FIELD_NAMES,
    MAIL_TEXT_LIMIT,
    NoticeView,
    excerpt,
    greeting_name,
)

NBSP = "\N{NO-BREAK SPACE}"
#: Tags that can occur in our HTML; anything else came from text that was not escaped.
TAGS = frozenset(
    {"html", "head", "meta", "title", "body", "p", "br", "ul", "li", "code", "strong", "blockquote"}
)  # fmt: skip


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in ("meta", "br"):
            self.open.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parsed(html: str | None) -> _Tags:
    assert html is not None
    parser = _Tags()
    parser.feed(html)
    parser.close()
    assert not parser.open
    return parser


def both_parts(mail: Rendered) -> Iterator[str]:
    """The readable text of each part, with white space as single spaces."""
    yield re.sub(r"[ \n>]+", " ", mail.text)
    yield re.sub(r"[ \n>]+", " ", " ".join(parsed(mail.html).text))


def view_of(text: str) -> NoticeView:
    """A view with that text wherever there can be one."""
    texts = {field: text for field in FIELD_NAMES if isinstance(getattr(BARE, field), str)}
    return view(**texts, flags=(text,), attachment_names=(text,), omitted_attachment_names=(text,), mail_omitted=1)


# ---- what the mails say ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sample", [FULL, BARE], ids=["full", "bare"])
def test_every_mail_can_be_written_in_both_languages(name: str, language: str, sample: NoticeView) -> None:
    mail = OURS.render(outgoing_kind(name), language, sample)

    assert mail.subject.endswith("[1042-C]")
    assert "\n" not in mail.subject
    assert mail.html is not None
    assert f'lang="{language}"' in mail.html
    assert "\n\n\n" not in mail.text
    assert mail.text == mail.text.strip()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", [*(notice.value for notice in sorted(REQUESTER_NOTICES)), Personal.ANSWER])
def test_mail_to_the_requester_keeps_the_subject_so_that_clients_thread_it(name: str, language: str) -> None:
    mail = OURS.render(outgoing_kind(name), language, view(subject="RE : Printer [7-C]"))

    assert mail.subject == "Re: Printer [1042-C]"
    assert bare_subject(mail.subject) == "Printer"


@pytest.mark.parametrize("language", LANGUAGES)
def test_mail_to_agents_says_in_its_subject_what_happened(language: str) -> None:
    subjects = {OURS.render(notice, language, FULL).subject.split(":")[0] for notice in AGENT_NOTICES}

    assert len(subjects) == len(AGENT_NOTICES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_acknowledgement_names_the_case_and_the_promise(language: str) -> None:
    """EM-70."""
    mail = OURS.render(Notice.ACKNOWLEDGEMENT, language, view(promised_by="DAY", continues_ref="1001-C"))

    for text in both_parts(mail):
        assert "1042-C" in text
        assert "DAY" in text
        assert "1001-C" in text


def test_an_acknowledgement_promises_no_date_by_itself() -> None:
    assert "expect" not in OURS.render(Notice.ACKNOWLEDGEMENT, "en", BARE).text


def test_an_acknowledgement_sends_no_text_of_the_mail_back() -> None:
    """A forged sender must not be able to make us deliver a message of theirs."""
    mail = OURS.render(Notice.ACKNOWLEDGEMENT, "en", view(mail_text="BUY", requester_name="Win at http://spam.example"))

    for text in both_parts(mail):
        assert "BUY" not in text
        assert "spam.example" not in text
    assert mail.text.startswith("Hello,\n")


@pytest.mark.parametrize("language", LANGUAGES)
def test_information_wanted_says_the_reason_and_the_question(language: str) -> None:
    mail = OURS.render(Notice.INFORMATION_WANTED, language, view(reason="model number", message="Which one?\nPlease."))

    for text in both_parts(mail):
        assert "model number" in text
        assert "Which one? Please." in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_resolved_says_until_when_an_answer_reopens(language: str) -> None:
    """T24, T26."""
    mail = OURS.render(Notice.RESOLVED, language, view(reopen_until="FRIDAY", message="New toner."))

    for text in both_parts(mail):
        assert "FRIDAY" in text
        assert "New toner." in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_resolved_without_a_window_promises_no_reopening(language: str) -> None:
    """T25."""
    text = OURS.render(Notice.RESOLVED, language, BARE).text

    assert not re.search("reopen|rouvr", text)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("notice", sorted(AGENT_NOTICES))
def test_every_notice_to_an_agent_shows_the_case_and_what_can_be_done(notice: Notice, language: str) -> None:
    for text in both_parts(OURS.render(notice, language, FULL)):
        for shown in (
            *("Ann Lee", "New information, Needs attention", FULL.due_text, "support", FULL.mail_from.split(" <")[0]),
            *("it smokes <again & again.", "12000", "m@example.com", "smoke.jpg", "film.mp4", "Please have a look."),
            *("client", "mailcase case show 1042-C", "mailcase mail show 7"),
        ):
            assert shown in text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("notice", sorted(AGENT_NOTICES))
def test_l34_every_notice_to_an_agent_says_that_answering_it_reaches_no_customer(notice: Notice, language: str) -> None:
    sentence = {"en": "It does not reach the customer", "fr": "ne parvient pas au client"}[language]

    for text in both_parts(OURS.render(notice, language, BARE)):
        assert sentence in text
        assert "mailcase case reply 1042-C" in text


def test_a_case_that_nobody_has_is_offered_to_be_taken() -> None:
    assert "case take 1042-C" in OURS.render(Notice.OVERDUE, "en", BARE).text
    assert "case take 1042-C" not in OURS.render(Notice.OVERDUE, "en", view(assignee_name="Ann Lee")).text


def test_an_answer_is_the_persons_text_with_the_signature_and_the_mail_it_answers() -> None:
    mail = OURS.render(
        Personal.ANSWER, "en", view(message="Try again.", signature="Support", mail_from="M", mail_text="Hi\n\nM")
    )

    assert mail.text == "Try again.\n\n-- \nSupport\n\nM wrote:\n\n> Hi\n>\n> M"


def test_a_mail_is_signed_with_the_display_name_where_there_is_no_signature() -> None:
    assert OURS.render(Notice.CLOSED, "en", view(our_name="Desk")).text.endswith("Kind regards,\nDesk")
    assert OURS.render(Notice.CLOSED, "en", view(signature="Desk\nRoom 4")).text.endswith("-- \nDesk\nRoom 4")


@pytest.mark.parametrize("name", NAMES)
def test_french_has_a_no_break_space_before_double_punctuation(name: str) -> None:
    for sample in (BARE, view_of("X")):
        mail = OURS.render(outgoing_kind(name), "fr", sample)
        subject = mail.subject.removeprefix("Re: ")
        for text in (subject, mail.text, "".join(parsed(mail.html).text)):
            text = text.replace("HH:MM", "")
            assert re.findall(rf"[^{NBSP}][:;?!»]|«[^{NBSP}]", text) == []
            assert re.findall(r"[a-zà-ÿ]'[a-zà-ÿ]", text) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_text_and_html_say_the_same(name: str, language: str) -> None:
    for sample in (FULL, BARE):
        text, html = both_parts(OURS.render(outgoing_kind(name), language, sample))

        # The title of the HTML has the case's name, which the text of an answer need not have.
        words = [set(re.findall(r"\w+", part)) - {"1042", "C"} for part in (text, html)]
        assert words[0] == words[1]


# ---- text stays text ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "hostile", ["{{7*7}}", "{% for x in y %}", "{{ ref.__class__ }}", "{# gone #}", "{{ signature }}"]
)
def test_s5_template_code_in_text_is_literal(name: str, hostile: str) -> None:
    mail = OURS.render(
        outgoing_kind(name), "en", view(subject=hostile, message=hostile, mail_text=hostile, requester_name=hostile)
    )

    assert hostile in mail.subject
    assert "49" not in mail.text


@pytest.mark.parametrize("name", NAMES)
@given(
    text=st.one_of(
        st.text(max_size=60),
        st.sampled_from(
            [
                *(
                    "<script>alert(1)</script>",
                    "<img src=x onerror=y>",
                    "</p><svg/onload=x>",
                    "&lt;b&gt;",
                    "<!--",
                    "]]>",
                ),
                *('" onmouseover="x', "<a href='javascript:x'>", "<style>@import 'x'</style>", "\u2028<b>\n\n<i>"),
            ]
        ),
    )
)
def test_s6_html_is_built_from_escaped_text_only(name: str, text: str) -> None:
    sample = view_of(text)

    for language in LANGUAGES:
        html = parsed(OURS.render(outgoing_kind(name), language, sample).html)
        assert html.tags <= TAGS
        assert html.attributes <= {"lang", "charset", "style"}


def test_our_html_loads_nothing_from_elsewhere() -> None:
    for path in shipped_folder().rglob("*.html.j2"):
        assert not re.search(r"src=|href=|url\(|https?:|@import", path.read_text(encoding="utf-8"))


@given(subject=st.text(max_size=80))
def test_a_subject_is_one_line_whatever_the_case_is_called(subject: str) -> None:
    mail = OURS.render(Notice.ASSIGNED, "en", view(subject=subject))

    assert len(mail.subject.splitlines()) == 1
    assert mail.subject.endswith("[1042-C]")


def test_a_very_long_subject_is_cut_and_keeps_its_tag() -> None:
    mail = OURS.render(Notice.RESOLVED, "en", view(subject="word " * 1000))

    assert len(mail.subject) < 250
    assert mail.subject.endswith("… [1042-C]")


def test_a_mails_text_is_cut_and_the_rest_counted() -> None:
    """L25: nothing is left out without saying so."""
    assert excerpt("  short\n\n") == ("short", 0)
    text, omitted = excerpt("x" * (MAIL_TEXT_LIMIT + 5))
    assert (len(text), omitted) == (MAIL_TEXT_LIMIT, 5)


@pytest.mark.parametrize("character", ["&", '"', "\n", "é"])
def test_the_longest_text_fits_into_every_mail(character: str) -> None:
    text, _ = excerpt("x" + character * (MAIL_TEXT_LIMIT - 2) + "x")

    assert OURS.render(Notice.NEW_INFORMATION, "en", view(mail_text=text)).html


@pytest.mark.parametrize(
    ("name", "greeted"),
    [
        ("Marie Dupont", "Marie Dupont"),
        ("Jean-François  d'Été", "Jean-François d'Été"),
        ("marie@example.net", ""),
        ("Call 0800 555", ""),
        ("WIN! www.spam.example", ""),
        ("x" * 61, ""),
        ("", ""),
    ],
)
def test_somebody_is_greeted_by_what_can_be_a_name(name: str, greeted: str) -> None:
    assert greeting_name(name) == greeted
