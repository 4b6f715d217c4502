"""Where templates come from, what they may not do, and that their faults are found with their line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.outbound.own_templates import BARE, FULL, LANGUAGES, OURS, view, with_own, write

from mailcase.core.process import Notice
from mailcase.outbound.templates import (
    FILTER_NAMES,
    NAMES,
    Rendered,
    TemplateFailure,
    Templates,
    shipped_folder,
)
from mailcase.outbound.view import FIELD_NAMES

ROOT = Path(__file__).parents[2]


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
