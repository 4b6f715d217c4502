"""HTML to readable text: lists, links, tables and quotes stay recognisable; scripts and styles do not.

One pass over the tags, without a tree: whatever is nested, left open or repeated, the time is linear (L27). A tree
parser was measured and left out: 100,000 attributes in one tag cost it eleven seconds, and no scan beforehand that is
cheaper than reading the tags can tell such a document from a harmless one.
"""

from __future__ import annotations

import html as entities
import re
from dataclasses import dataclass, field

from mailcase.mail import limits

#: A tag with its attributes, a comment, or what browsers skip like one. Quotes count only behind `=`; everything is
#: possessive, so no character is looked at twice.
_TAG = re.compile(
    r"""<(?:(?P<comment>!--)|(?P<skipped>[!?]|/(?![a-zA-Z]))[^>]*+>?"""
    r"""|(?P<end>/)?(?P<name>[a-zA-Z][^\s/>]*+)(?P<attributes>(?:[^=>]++|=\s*+(?:"[^"]*+"|'[^']*+')?+)*+)>?)"""
)
_ATTRIBUTE = re.compile(r"""([^\s=/"']++)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"']*+))""")
#: Nothing in them is a tag, and only a textarea would show its text.
_RAW = frozenset(["script", "style", "title", "textarea", "iframe", "noembed", "noframes", "xmp"])
#: A line is free before and behind.
_PARAGRAPHS = frozenset(
    ["p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "table", "blockquote", "pre", "fieldset", "form"]
)
#: They begin and end a line.
_LINES = frozenset(
    [
        *("address", "article", "aside", "body", "caption", "center", "dd", "details", "div", "dt", "figcaption"),
        *("figure", "footer", "header", "legend", "li", "main", "nav", "option", "section", "summary", "tbody"),
        *("tfoot", "thead", "tr"),
    ]
)
_BLANKS = re.compile(r"[ \t\n\r\f\u00a0\u200b\u200c\u2007\ufeff\u034f]+")
_MANY_BLANK_LINES = re.compile(r"\n{3,}")
_DEEPEST = 10
_CELL = "\x1f"
_CELLS = re.compile(f"[ {_CELL}]*{_CELL}[ {_CELL}]*")
_LINKS = ("http://", "https://", "mailto:", "tel:", "ftp://")
_LONGEST_LINK = 2000


def html_to_text(html: str) -> str:
    """The text that a reader of the HTML would see, with LF line ends; "" when there is none."""
    html = html[: limits.TEXT].replace(_CELL, "")
    renderer = _Renderer()
    ends = _Ends(html)
    position = 0
    while (tag := _TAG.search(html, position)) is not None:
        if tag.start() > position:
            renderer.write(entities.unescape(html[position : tag.start()]))
        position = tag.end()
        if tag.group("comment"):
            position = ends.behind("-->", position)
        elif name := (tag.group("name") or "").lower():
            if name in _RAW and not tag.group("end"):
                position = ends.behind(f"</{name}", position)
                position = ends.behind(">", position)
            elif tag.group("end"):
                renderer.leave(name)
            else:
                renderer.enter(name, tag.group("attributes"))
    renderer.write(entities.unescape(html[position:]))
    return renderer.text()


class _Ends:
    """Finds the end of what was opened. A mark that is missing is searched for once only: `<!--` a hundred thousand
    times would be quadratic otherwise.
    """

    def __init__(self, html: str) -> None:
        self._html = html
        self._missing: set[str] = set()

    def behind(self, mark: str, start: int) -> int:
        """The offset behind the first `mark`, in either letter case; the end of the text when there is none."""
        if mark not in self._missing:
            found = re.compile(re.escape(mark), re.IGNORECASE | re.ASCII).search(self._html, start)
            if found:
                return found.end()
            self._missing.add(mark)
        return len(self._html)


@dataclass(slots=True)
class _Renderer:
    """The text as it grows, line by line."""

    lines: list[str] = field(default_factory=list)
    line: list[str] = field(default_factory=list)
    #: Depth of quotation.
    quotes: int = 0
    #: Open lists, innermost last: the number of the next item, 0 for bullets.
    lists: list[int] = field(default_factory=list)
    #: Stands before the first text of the next line.
    marker: str = ""
    #: Depth of preformatted text.
    verbatim: int = 0
    #: Where the open link leads, "" when none is open, and its text so far.
    target: str = ""
    link: list[str] = field(default_factory=list)

    def write(self, text: str) -> None:
        """Adds running text."""
        if self.target:
            self.link.append(text)
        if not self.verbatim:
            self.line.append(text)
            return
        first, *others = text.split("\n")
        self.line.append(first)
        for other in others:
            self._end_line(keep_empty=True)
            self.line.append(other)

    def enter(self, name: str, attributes: str) -> None:
        """Takes a start tag."""
        if name in ("td", "th"):
            self.line.append(_CELL)
        elif name == "br":
            self._end_line(keep_empty=True)
        elif name == "a":
            self._end_link()
            self.target = _target(attributes)
        elif name == "img":
            self._image(attributes)
        elif name == "hr":
            self._blank_line()
            self._put("----------")
            self._blank_line()
        elif name in _PARAGRAPHS:
            self._enter_paragraph(name)
        elif name in _LINES:
            self._end_line()
            if name == "li":
                self.marker = self._item_marker()

    def leave(self, name: str) -> None:
        """Takes an end tag, which may close nothing."""
        if name == "a":
            self._end_link()
        elif name in _PARAGRAPHS:
            self._leave_paragraph(name)
        elif name in _LINES:
            self._end_line()
            if name == "li":
                self.marker = ""

    def text(self) -> str:
        """Everything, once all is read."""
        self._end_link()
        self._end_line()
        text = "\n".join(self.lines).replace("\r", "")
        return _MANY_BLANK_LINES.sub("\n\n", text).strip("\n")[: limits.TEXT]

    def _enter_paragraph(self, name: str) -> None:
        if self.lists:
            self._end_line()
        else:
            self._blank_line()
        if name == "blockquote":
            self.quotes += 1
        elif name in ("ul", "ol"):
            self.lists.append(1 if name == "ol" else 0)
        elif name == "pre":
            self.verbatim += 1

    def _leave_paragraph(self, name: str) -> None:
        self._end_line()
        if name == "blockquote":
            self.quotes = max(self.quotes - 1, 0)
        elif name in ("ul", "ol") and self.lists:
            self.lists.pop()
        elif name == "pre":
            self.verbatim = max(self.verbatim - 1, 0)
        if not self.lists:
            self._blank_line()

    def _item_marker(self) -> str:
        if not self.lists or not self.lists[-1]:
            return "- "
        self.lists[-1] += 1
        return f"{self.lists[-1] - 1}. "

    def _image(self, attributes: str) -> None:
        alternative = _BLANKS.sub(" ", _attribute(attributes, "alt")).strip()
        if alternative:
            self.write(f"[{alternative}]")

    def _end_link(self) -> None:
        """Says where a link leads, unless its own text does."""
        shown = "".join(self.link).strip()
        bare = self.target.partition(":")[2].removeprefix("//")
        if shown and shown.rstrip("/") not in (self.target.rstrip("/"), bare.rstrip("/")):
            self.line.append(f" <{self.target}>")
        self.target = ""
        self.link.clear()

    def _end_line(self, *, keep_empty: bool = False) -> None:
        """Ends the line, unless nothing is on it."""
        text = "".join(self.line)
        self.line.clear()
        if not self.verbatim:
            text = _BLANKS.sub(" ", text).strip()
        if _CELL in text:
            text = _CELLS.sub(" | ", text.strip(f" {_CELL}"))
        if text or keep_empty:
            self._put(text.rstrip())

    def _blank_line(self) -> None:
        """Ends the line and leaves one line free."""
        self._end_line()
        free = self._quotation().rstrip()
        if self.lines and self.lines[-1].strip("> "):
            self.lines.append(free)
        elif self.lines:
            self.lines[-1] = free

    def _put(self, text: str) -> None:
        indent = "  " * min(len(self.lists) - bool(self.marker), _DEEPEST) if text else ""
        self.lines.append(f"{self._quotation()}{indent}{self.marker}{text}".rstrip())
        self.marker = ""

    def _quotation(self) -> str:
        return "> " * min(self.quotes, _DEEPEST)


def _attribute(attributes: str, name: str) -> str:
    for found in _ATTRIBUTE.finditer(attributes):
        if found.group(1).lower() == name:
            return entities.unescape(found.group(2) or found.group(3) or found.group(4) or "")
    return ""


def _target(attributes: str) -> str:
    """Where a link leads; "" for places inside the document, scripts and monsters."""
    target = "".join(_attribute(attributes, "href").split())
    return target if target.lower().startswith(_LINKS) and len(target) <= _LONGEST_LINK else ""
