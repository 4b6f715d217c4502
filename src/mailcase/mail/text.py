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

#: What stands between pieces of text: comments, what browsers skip like them, elements whose content is no text, and
#: tags with their attributes, in which quotes count only behind `=`. What does not end reaches to the end of the text,
#: and everything is possessive: no character is looked at twice.
_MARKUP = re.compile(
    r"""<(?:!--(?:[^-]++|-(?!->))*+(?:-->)?|(?:[!?]|/(?![a-z]))[^>]*+>?"""
    r"""|(script|style|title|textarea|iframe|noembed|noframes|xmp)(?![^\s/>])(?:[^<]++|<(?!/\1))*+(?:</\1[^>]*+>?)?"""
    r"""|(/)?([a-z][^\s/>]*+)((?:[^=>]++|=\s*+(?:"[^"]*+"|'[^']*+')?+)*+)>?)""",
    re.IGNORECASE | re.ASCII,
)
#: Text, then the four groups of the markup behind it.
_STRIDE = 5
# The alternatives take what is no attribute too: a search would begin again at every character of it.
_ATTRIBUTE = re.compile(
    r"""([^\s=/"']++)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"']*+))|[^\s=/"']++|["'][^"']*+|[\s=/]++"""
)
#: Attributes that reach further than this are no link that anybody wrote.
_ATTRIBUTES_LENGTH = 8192
#: Python refuses to read numbers of thousands of digits; no character has more than seven.
_MONSTER = re.compile(r"&#[xX]?[0-9A-Fa-f]{9,}+;?")
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
_CELL = "\x01"
_CELLS = re.compile(f"[ {_CELL}]*{_CELL}[ {_CELL}]*")
#: Tags that mean nothing here are passed over.
_TAGS = _PARAGRAPHS | _LINES | {"a", "br", "hr", "img", "td", "th"}
_LINKS = ("http://", "https://", "mailto:", "tel:", "ftp://")
_LONGEST_LINK = 2000


def html_to_text(html: str) -> str:
    """The text that a reader of the HTML would see, with LF line ends; "" when there is none."""
    pieces = _MARKUP.split(html[: limits.TEXT].replace(_CELL, ""))
    renderer = _Renderer()
    for index in range(0, len(pieces) - 1, _STRIDE):
        text, _, closing, name, attributes = pieces[index : index + _STRIDE]
        if text:
            renderer.write(text)
        if name and (name := name.lower()) in _TAGS:
            if closing:
                renderer.leave(name)
            else:
                renderer.enter(name, attributes)
    renderer.write(pieces[-1])
    return renderer.text()


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
        """Adds running text, in which entities stand for characters."""
        if not self.line and not self.verbatim and text.isspace():
            return
        text = _unescaped(text)
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
        """Takes a start tag, one of `_TAGS`."""
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
        else:
            self._end_line()
            if name == "li":
                self.marker = self._item_marker()

    def leave(self, name: str) -> None:
        """Takes an end tag, one of `_TAGS`, which may close nothing."""
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
            self.line.append(f"[{alternative}]")

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
        if not self.line and not keep_empty:
            return
        text = "".join(self.line)
        self.line.clear()
        if not self.verbatim:
            text = " ".join(text.split()) if text.isascii() else _BLANKS.sub(" ", text).strip()
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
        if self.lists or self.marker:
            indent = "  " * min(len(self.lists) - bool(self.marker), _DEEPEST) if text else ""
            text = f"{indent}{self.marker}{text}"
            self.marker = ""
        self.lines.append(f"{self._quotation()}{text}".rstrip())

    def _quotation(self) -> str:
        return "> " * min(self.quotes, _DEEPEST) if self.quotes else ""


def _unescaped(text: str) -> str:
    return entities.unescape(_MONSTER.sub("\N{REPLACEMENT CHARACTER}", text))


def _attribute(attributes: str, name: str) -> str:
    for found in _ATTRIBUTE.finditer(attributes[:_ATTRIBUTES_LENGTH]):
        if (found.group(1) or "").lower() == name:
            return _unescaped(found.group(2) or found.group(3) or found.group(4) or "")
    return ""


def _target(attributes: str) -> str:
    """Where a link leads; "" for places inside the document, scripts and monsters."""
    target = "".join(_attribute(attributes, "href").split())
    return target if target.lower().startswith(_LINKS) and len(target) <= _LONGEST_LINK else ""
