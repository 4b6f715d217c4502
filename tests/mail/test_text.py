"""HTML turned into text that a person can read."""

from __future__ import annotations

import pytest

from mailcase.mail import limits
from mailcase.mail.text import html_to_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("plain &amp; simple", "plain & simple"),
        ("a  b\n\tc&nbsp;d", "a b c d"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<div>one</div><div>two</div>", "one\ntwo"),
        ("a<br>b<br><br>c", "a\nb\n\nc"),
        ("<ul><li>one<li><p>two</p><ul><li>in</li></ul></li></ul>", "- one\n- two\n  - in"),
        ("<ol><li>one</li><li>two</li></ol>", "1. one\n2. two"),
        ("<li>stray</li></ul>", "- stray"),
        ("<ul><li></li><li>one</ul>after", "- one\n\nafter"),
        ("<table><tr><th>K<th>V</tr><tr><td>a</td><td>1</td></tr></table>", "K | V\na | 1"),
        ("<table><tr><td></td><td>only</td></tr></table>", "only"),
        ('see <a href="https://x.org/a?b=1&amp;c=2">this</a>', "see this <https://x.org/a?b=1&c=2>"),
        ("<a href='https://x.org/'>x.org</a>", "x.org"),
        ("<a href=mailto:a@x.org>a@x.org</a>", "a@x.org"),
        ("<a href='javascript:evil()'>click</a>", "click"),
        ("<a href='#top'>up</a> <a>nowhere</a>", "up nowhere"),
        ("<a href='https://x.org/1'>one<a href='https://x.org/2'>two", "one <https://x.org/1>two <https://x.org/2>"),
        ("<a href='https://x.org/" + "y" * 3000 + "'>long</a>", "long"),
        ('x <img src=l.png alt="the logo"><img src=p.png>', "x [the logo]"),
        ("a<hr>b", "a\n\n----------\n\nb"),
        ("a<blockquote>b<p>c</p></blockquote>d", "a\n\n> b\n>\n> c\n\nd"),
        ("</blockquote></pre></ol>a", "a"),
        ("<pre>a\n  b\n\nc</pre>", "a\n  b\n\nc"),
        ("<style>p{}</style><script>if (a<b) alert('<p>no')</script><title>T</title>yes", "yes"),
        ("<SCRIPT>x</SCRIPT >yes", "yes"),
        ("a<script>never closed", "a"),
        ("a<!-- <b>hidden</b> -->b<!doctype html><?php x ?></3>c", "abc"),
        ("a<!-- never closed", "a"),
        ("1 < 2 and <b>3</b> > 2", "1 < 2 and 3 > 2"),
        ("<p title='a > b' class=x>text", "text"),
        ('<p title="never closed>text</p>more', "text\n\nmore"),
        ("a<", "a<"),
        ("&#13;a&#0;&#x1f;", "a\ufffd"),
    ],
)
def test_html_becomes_readable_text(html: str, text: str) -> None:
    assert html_to_text(html) == text


def test_text_below_any_depth_is_found() -> None:
    """L27: a parser that stops at a depth hides text from us that the reader sees."""
    assert html_to_text("<div>" * 5000 + "deep" + "</div>" * 5000) == "deep"


def test_the_text_is_no_longer_than_the_limit() -> None:
    html = "<ul>" * 100 + "<li>x" * 100_000

    assert len(html_to_text(html)) == limits.TEXT


def test_quotes_are_marked_no_deeper_than_a_reader_can_count() -> None:
    assert html_to_text("<blockquote>" * 500 + "x") == "> " * 10 + "x"
