"""What our mails say, that text of mail stays text (S5, S6), and that faults of templates are found with their line."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcase.core.process import AGENT_NOTICES, REQUESTER_NOTICES, Notice, Personal, outgoing_kind
from mailcase.outbound.letter import bare_subject
from mailcase.outbound.templates import (
    FILTER_NAMES,
    NAMES,
    Rendered,
    TemplateFailure,
    Templates,
    shipped_folder,
)
from mailcase.outbound.view import (
    FIELD_NAMES,
    MAIL_TEXT_LIMIT,
    NoticeView,
    excerpt,
    greeting_name,
    sample_views,
)

NBSP = "\N{NO-BREAK SPACE}"
LANGUAGES = ("en", "fr")
ROOT = Path(__file__).parents[2]
FULL, BARE = (view for _, view in sample_views())
OURS = Templates((shipped_folder(),), language="en")
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


def view(**changes: Any) -> NoticeView:
    """The bare sample with these fields."""
    return dataclasses.replace(BARE, **changes)


def view_of(text: str) -> NoticeView:
    """A view with that text wherever there can be one."""
    texts = {field: text for field in FIELD_NAMES if isinstance(getattr(BARE, field), str)}
    return view(**texts, flags=(text,), attachment_names=(text,), omitted_attachment_names=(text,), mail_omitted=1)


def write(folder: Path, name: str, source: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")
    return path


def with_own(tmp_path: Path, **language: str) -> Templates:
    return Templates((tmp_path, shipped_folder()), language=language.get("language", "en"))


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


# ---- where templates come from -----------------------------------------------------------------------------------


def test_an_operator_overrides_one_template_in_a_folder_of_their_own(tmp_path: Path) -> None:
    write(tmp_path, "en/resolved.txt.j2", "Done: {{ ref }}.\n")
    write(tmp_path, "en/resolved.html.j2", "<p>Done: {{ subject }}.</p>\n")
    templates = with_own(tmp_path)

    own = templates.render(Notice.RESOLVED, "en", view(subject="a<b"))

    assert own == Rendered(subject="Re: a<b [1042-C]", text="Done: 1042-C.", html="<p>Done: a&lt;b.</p>")
    assert templates.render(Notice.CLOSED, "en", BARE) == OURS.render(Notice.CLOSED, "en", BARE)


def test_a_text_of_the_operators_own_never_goes_out_with_our_html(tmp_path: Path) -> None:
    write(tmp_path, "en/resolved.txt.j2", "Our very own words.\n")

    assert with_own(tmp_path).render(Notice.RESOLVED, "en", BARE).html is None


def test_an_override_may_use_our_layout_and_replace_a_shared_part(tmp_path: Path) -> None:
    write(
        tmp_path,
        "en/resolved.txt.j2",
        '{% extends "_letter.txt.j2" %}{% block body %}Well. {{ super() }}{% endblock %}',
    )
    write(tmp_path, "en/_signature.txt.j2", "The team")

    assert with_own(tmp_path).render(Notice.RESOLVED, "en", BARE).text == "Hello,\n\nWell. The team"
    assert with_own(tmp_path).render(Notice.CLOSED, "en", BARE).text.endswith("The team")


def test_the_language_asked_for_comes_before_the_operators_folder(tmp_path: Path) -> None:
    """EM-74: a French customer gets our French mail, not the operator's English one."""
    write(tmp_path, "en/closed.txt.j2", "English, own")

    assert with_own(tmp_path).render(Notice.CLOSED, "fr", BARE) == OURS.render(Notice.CLOSED, "fr", BARE)


def test_a_language_without_templates_falls_back_to_the_configured_one_and_then_to_english(tmp_path: Path) -> None:
    """EM-74."""
    write(tmp_path, "de/closed.txt.j2", "Fertig")
    german = with_own(tmp_path, language="fr")

    assert german.render(Notice.CLOSED, "de", BARE).text == "Fertig"
    assert german.render(Notice.RESOLVED, "de", BARE) == OURS.render(Notice.RESOLVED, "fr", BARE)
    assert Templates((shipped_folder(),), language="de").render(Notice.RESOLVED, "nl", BARE) == OURS.render(
        Notice.RESOLVED, "en", BARE
    )


def test_the_folder_of_an_address_comes_before_the_operators(tmp_path: Path) -> None:
    write(tmp_path / "address", "en/closed.txt.j2", "address")
    write(tmp_path / "own", "en/closed.txt.j2", "own")
    write(tmp_path / "own", "en/resolved.txt.j2", "own")
    templates = Templates((tmp_path / "address", tmp_path / "own", shipped_folder()), language="en")

    assert templates.render(Notice.CLOSED, "en", BARE).text == "address"
    assert templates.render(Notice.RESOLVED, "en", BARE).text == "own"


def test_the_templates_are_part_of_the_package() -> None:
    names = {path.relative_to(shipped_folder()).as_posix() for path in shipped_folder().rglob("*.j2")}

    for language in LANGUAGES:
        for name in NAMES:
            assert {f"{language}/{name}.{part}.j2" for part in ("subject", "txt", "html")} <= names


# ---- what templates may not do -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "{{ ref.__class__ }}",
        "{{ ref.upper() }}",
        "{{ ref.__class__.__mro__ }}",
        '{{ "%s" | format(ref) }}',
        '{{ ref | attr("upper") }}',
        "{{ ref | safe }}",
        "{{ 9 ** 9 ** 9 }}",
        '{{ "x" * 1000000000 }}',
        '{{ "%1000000000d" % 1 }}',
        "{% for x in range(9) %}{% endfor %}",
        "{{ flags.append(1) }}",
        '{% include "../../../../etc/passwd" %}',
        '{% include "/etc/passwd" %}',
        "{{ lipsum() }}",
        "{{ self._TemplateReference__context }}",
        "{{ 1 / 0 }}",
        "{{ nobody }}",
        "{% if %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    ],
)
def test_a_template_that_does_what_it_may_not_is_a_failure_with_file_and_line(tmp_path: Path, source: str) -> None:
    path = write(tmp_path, "en/closed.txt.j2", f"first line\n{source}\n")

    with pytest.raises(TemplateFailure) as caught:
        with_own(tmp_path).render(Notice.CLOSED, "en", FULL)

    assert (caught.value.file, caught.value.line) == (str(path), 2)
    assert str(caught.value).startswith(f"{path}:2: ")


def test_text_that_html_includes_is_escaped_whatever_its_file_is_called(tmp_path: Path) -> None:
    write(tmp_path, "en/_part.txt.j2", "{{ subject }}")
    write(tmp_path, "en/closed.txt.j2", "x")
    write(tmp_path, "en/closed.html.j2", '{% include "_part.txt.j2" %}')

    assert with_own(tmp_path).render(Notice.CLOSED, "en", view(subject="<b>")).html == "&lt;b&gt;"


def test_a_template_that_writes_without_end_is_stopped(tmp_path: Path) -> None:
    loop = "{% for a in mail_text %}" * 3 + "0123456789" + "{% endfor %}" * 3
    path = write(tmp_path, "en/closed.txt.j2", loop)

    with pytest.raises(TemplateFailure, match="characters") as caught:
        with_own(tmp_path).render(Notice.CLOSED, "en", view(mail_text="x" * 10_000))

    assert caught.value.file == str(path)


def test_a_file_that_is_not_utf8_is_a_failure(tmp_path: Path) -> None:
    path = write(tmp_path, "en/closed.txt.j2", "")
    path.write_bytes(b"\xff\xfe")

    with pytest.raises(TemplateFailure) as caught:
        with_own(tmp_path).render(Notice.CLOSED, "en", BARE)

    assert caught.value.file == str(path)


def test_a_mail_without_template_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(TemplateFailure, match=r"no template closed\.subject\.j2") as caught:
        Templates((tmp_path,), language="en").render(Notice.CLOSED, "en", BARE)

    assert caught.value.line is None


# ---- the check ---------------------------------------------------------------------------------------------------


def test_our_own_templates_have_no_problem() -> None:
    assert OURS.check(LANGUAGES) == ()


def test_a_missing_variable_is_found_with_file_line_and_hint(tmp_path: Path) -> None:
    path = write(tmp_path, "fr/resolved.html.j2", "<p>\n{% if ref %}\n{{ reqester_name }}\n{% endif %}</p>")

    (problem,) = with_own(tmp_path).check(LANGUAGES)

    assert (problem.file, problem.line) == (str(path), 3)
    assert "reqester_name" in problem.message
    assert problem.hint == "Did you mean requester_name?"


def test_a_missing_variable_is_found_in_a_branch_that_no_sample_takes(tmp_path: Path) -> None:
    path = write(tmp_path, "en/closed.txt.j2", '{% if ref == "1-C" %}\n{{ zzz }}\n{% endif %}')

    (problem,) = with_own(tmp_path).check(["en"])

    assert (problem.file, problem.line) == (str(path), 2)
    assert "requester_name" in problem.hint


@pytest.mark.parametrize(
    ("source", "line", "word"),
    [
        ("a\n{{ ref | uper }}", 2, "uper"),
        ("a\n\n{% if ref %}", 3, "end of template"),
        ('{% extends "_lettre.txt.j2" %}', 1, "_lettre.txt.j2"),
        ("{{ ref.x }}", 1, "x"),
        ("{{ mail_id + ref }}", 1, "unsupported operand"),
    ],
)
def test_every_other_fault_is_found_with_its_line(tmp_path: Path, source: str, line: int, word: str) -> None:
    path = write(tmp_path, "en/closed.txt.j2", source)

    (problem,) = with_own(tmp_path).check(["en"])

    assert (problem.file, problem.line) == (str(path), line)
    assert word in problem.message


def test_a_fault_in_a_shared_part_is_told_once(tmp_path: Path) -> None:
    path = write(tmp_path, "en/_signature.txt.j2", "\n{{ zzz }}")

    problems = with_own(tmp_path).check(["en"])

    assert [(problem.file, problem.line) for problem in problems] == [(str(path), 2)]


def test_a_shared_part_is_tried_only_in_mails_that_there_are(tmp_path: Path) -> None:
    for name in NAMES:
        write(tmp_path, f"en/{name}.subject.j2", "x")
        write(tmp_path, f"en/{name}.txt.j2", '{% include "_part.txt.j2" %}')
    write(tmp_path, "en/_part.txt.j2", "fine")

    assert Templates((tmp_path,), language="en").check(["en"]) == ()


def test_a_fault_is_found_in_a_file_that_another_folder_hides(tmp_path: Path) -> None:
    write(tmp_path / "address", "en/closed.txt.j2", "fine")
    hidden = write(tmp_path / "own", "en/closed.txt.j2", "{{ zzz }}")

    problems = Templates((tmp_path / "address", tmp_path / "own", shipped_folder()), language="en").check(["en"])

    assert [problem.file for problem in problems] == [str(hidden)]


def test_a_file_for_no_mail_is_a_problem_with_the_name_that_was_meant(tmp_path: Path) -> None:
    path = write(tmp_path, "en/acknowledgment.txt.j2", "x")
    write(tmp_path, "en/README", "not a template")
    write(tmp_path, "en/_own_part.j2", "a part of others")

    (problem,) = with_own(tmp_path).check(["en"])

    assert problem.file == str(path)
    assert problem.hint == "Did you mean acknowledgement.txt.j2?"


def test_a_folder_that_does_not_exist_is_a_problem(tmp_path: Path) -> None:
    (problem,) = with_own(tmp_path / "nowhere").check(LANGUAGES)

    assert problem.file == str(tmp_path / "nowhere")


def test_a_mail_that_no_folder_has_is_a_problem(tmp_path: Path) -> None:
    problems = Templates((tmp_path,), language="en").check(["en"])

    assert len(problems) == 2 * len(NAMES)
    assert str(tmp_path / "en" / "closed.txt.j2") in {problem.file for problem in problems}


def test_every_name_that_a_template_may_use_is_documented() -> None:
    documented = set(re.findall(r"`([a-z0-9_-]+)`", (ROOT / "docs/templates.md").read_text(encoding="utf-8")))

    assert {*FIELD_NAMES, *NAMES, *FILTER_NAMES} <= documented
