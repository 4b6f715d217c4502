"""Renders the texts of our mail from the operator's templates and ours. The only file that knows Jinja.

Rules:

1. A template gets plain text and numbers, never an object, and calls nothing but its own macros.
2. Text of mail is data: it is never read as a template (S5), and in HTML always escaped (S6).
3. A missing name is an error, never an empty string.

A template is looked for in the language asked for, then the configured one, then English, and in each language in the
operator's folders before ours. Where the text of a mail comes from an earlier place than its HTML, the mail is text
alone: the HTML would say something else.
"""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

import jinja2
import jinja2.exceptions
import jinja2.sandbox
from jinja2 import meta, nodes
from jinja2.runtime import BlockReference, Context, Macro
from markupsafe import Markup, escape

from mailcase.core.process import Notice, OutgoingKind, Personal
from mailcase.errors import AppError, Problem
from mailcase.outbound.compose import clean_text
from mailcase.outbound.letter import bare_subject
from mailcase.outbound.view import FIELD_NAMES, NoticeView, greeting_name, sample_views

#: The language that always has every template.
LAST_LANGUAGE: Final = "en"

#: Every mail that has templates.
NAMES: Final = tuple(kind.value for kind in (*Notice, *Personal))
SUBJECT: Final = ".subject.j2"
TEXT: Final = ".txt.j2"
HTML: Final = ".html.j2"
_SUFFIX = ".j2"
_FILE_NAMES = tuple(name + part for name in NAMES for part in (SUBJECT, TEXT, HTML))

#: Characters of one part; more is a template that runs away.
_MOST_CHARACTERS = 256 * 1024
_TOO_LONG = f"writes more than {_MOST_CHARACTERS} characters"
_LONGEST_SUBJECT = 200

#: Jinja's own filters that stay: those whose work and size are bounded by their input.
_FILTERS = ("capitalize", "default", "first", "join", "last", "length", "lower", "title", "trim", "upper")

#: Everything that can go wrong inside a template, Jinja's own errors and those of the operations it allows.
_TEMPLATE_ERRORS = (
    *(jinja2.TemplateError, TypeError, ValueError, AttributeError, ArithmeticError, LookupError),
    *(RecursionError, OSError),
)


def _bare(subject: str) -> str:
    """The filter `bare`: a subject without reply prefixes and case tags, cut where it is very long."""
    bare = bare_subject(subject)
    return bare if len(bare) <= _LONGEST_SUBJECT else bare[: _LONGEST_SUBJECT - 1].rstrip() + "…"


def _quoted(text: str) -> str:
    """The filter `quoted` of text: every line marked as somebody else's."""
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def _lines(text: str) -> Markup:
    """The filter `lines` of HTML: escaped, with its line ends kept."""
    return Markup("<br>\n").join(escape(line) for line in text.splitlines())


#: Filters of our own, for text and for HTML.
_OWN_FILTERS: Mapping[str, Callable[[str], str]] = {"bare": _bare, "greeting": greeting_name}
_TEXT_FILTERS: Mapping[str, Callable[[str], str]] = {**_OWN_FILTERS, "quoted": _quoted}
_HTML_FILTERS: Mapping[str, Callable[[str], str]] = {**_OWN_FILTERS, "lines": _lines}
#: Every filter that a template may use, in text or HTML.
FILTER_NAMES: Final = frozenset({*_FILTERS, *_TEXT_FILTERS, *_HTML_FILTERS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """The words of one mail. `subject` is one line; `text` ends without a line end; no HTML: a mail of text alone."""

    subject: str
    text: str
    html: str | None


class TemplateFailure(AppError):
    """A template cannot be rendered; an operator must change the file. `line` is None where no line is to blame."""

    def __init__(self, *, file: str, line: int | None, message: str) -> None:
        super().__init__(f"{file}:{line}: {message}" if line else f"{file}: {message}")
        self.file = file
        self.line = line
        self.message = message


def shipped_folder() -> Path:
    """The templates that come with mailcase: package data, in a checkout a link to the folder at its top."""
    return Path(str(files("mailcase") / "templates"))


class Templates:
    """The templates of one place to send from. Files are read once, when first needed.

    `folders` are searched in order; each holds one folder per language. `language` is the configured one.
    """

    def __init__(self, folders: Sequence[Path], *, language: str) -> None:
        self.folders = tuple(folders)
        self.language = language
        self._shelves: dict[str, _Shelf] = {}

    def render(self, kind: OutgoingKind, language: str, view: NoticeView) -> Rendered:
        """Writes a mail of that kind.

        Raises:
            TemplateFailure: a file is missing, cannot be read as a template, or fails for this view.

        """
        return self._shelf(language).render(kind.value, view)

    def check(self, languages: Sequence[str]) -> tuple[Problem, ...]:
        """Tries every file of every folder in these languages with sample views, also those that another folder hides.

        Files of mails that do not exist are problems, as are folders that do not exist and mails without a template.
        """
        problems = list(self._missing_folders())
        for language in languages:
            for rank in range(len(self.folders)):
                problems += self._problems_in(rank, language)
            problems += self._missing_templates(language)
        # A fault in a layout shows in every template that is built on it.
        return tuple(dict.fromkeys(problems))

    def _shelf(self, language: str) -> _Shelf:
        shelf = self._shelves.get(language)
        if shelf is None:
            shelf = self._shelves[language] = self._shelf_from(0, language)
        return shelf

    def _shelf_from(self, rank: int, language: str) -> _Shelf:
        """The templates as they are found for a language, without the folders before that rank."""
        languages = dict.fromkeys((language, self.language, LAST_LANGUAGE))
        return _Shelf([folder / each for each in languages for folder in self.folders[rank:]])

    def _missing_folders(self) -> Iterator[Problem]:
        for folder in self.folders:
            if not folder.is_dir():
                hint = "Make the folder, with a folder per language in it, or take it out of the configuration."
                yield _problem(str(folder), None, "this folder of templates does not exist", hint)

    def _problems_in(self, rank: int, language: str) -> Iterator[Problem]:
        shelf = self._shelf_from(rank, language)
        place = self.folders[rank] / language
        files = sorted(place.glob("*" + _SUFFIX))
        parts = [path for path in files if path.name.startswith("_")]
        # A shared part is tried in every mail that may include it, wherever that mail's own template is.
        for name in _FILE_NAMES if parts else [path.name for path in files if path.name in _FILE_NAMES]:
            yield from shelf.problems(name)
        for path in files:
            if path not in parts and path.name not in _FILE_NAMES:
                hint = _suggestion(path.name, _FILE_NAMES) or "Names of files that others include begin with _."
                yield _problem(str(path), None, "there is no mail of this name", hint)

    def _missing_templates(self, language: str) -> Iterator[Problem]:
        shelf = self._shelf(language)
        for name in NAMES:
            for part in (SUBJECT, TEXT):
                if shelf.text.place(name + part) is None:
                    yield _problem(shelf.text.file(name + part), None, "this template is missing", "")


class _Shelf:
    """Every template of one language: the folders in which it is looked for, in order."""

    def __init__(self, places: Sequence[Path]) -> None:
        # Two environments, so that what escapes is not a matter of a file's name: text that HTML includes is escaped.
        self.text = _Environment(places, autoescape=False)
        self.html = _Environment(places, autoescape=True)

    def render(self, name: str, view: NoticeView) -> Rendered:
        values = _values(view)
        subject = clean_text(self.text.fill(name + SUBJECT, values))
        text = self.text.fill(name + TEXT, values).strip()
        html = self.html.fill(name + HTML, values).strip() if self._has_matching_html(name) else None
        return Rendered(subject=subject, text=text, html=html)

    def problems(self, file_name: str) -> Iterator[Problem]:
        """What is wrong with the template of that name, tried with every sample view."""
        environment = self.html if file_name.endswith(HTML) else self.text
        if environment.place(file_name) is None:
            return
        try:
            unknown = environment.unknown_names(file_name)
            for line, kind, name in unknown:
                known = environment.filters if kind == "filter" else FIELD_NAMES
                hint = _suggestion(name, known) or f"There are: {', '.join(sorted(known))}."
                yield _problem(environment.file(file_name), line, f"the {kind} {name} does not exist", hint)
            if not unknown:
                for _, view in sample_views():
                    environment.fill(file_name, _values(view))
        except TemplateFailure as failure:
            yield _problem(failure.file, failure.line, failure.message, "")

    def _has_matching_html(self, name: str) -> bool:
        place = self.html.place(name + HTML)
        return place is not None and place == self.text.place(name + TEXT)


class _Environment(jinja2.sandbox.ImmutableSandboxedEnvironment):
    """Jinja, with everything taken away that a mail does not need."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self, places: Sequence[Path], *, autoescape: bool) -> None:
        super().__init__(
            loader=jinja2.FileSystemLoader(places),
            autoescape=autoescape,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            cache_size=-1,
            # A file that is half saved must not break a daemon that runs.
            auto_reload=False,
        )
        self._places = tuple(places)
        # `range`, `lipsum` and their like: loops run over the view's own tuples only.
        self.globals.clear()
        own_filters = _HTML_FILTERS if autoescape else _TEXT_FILTERS
        self.filters = {**{name: self.filters[name] for name in _FILTERS}, **own_filters}
        self._place_of: dict[str, Path | None] = {}

    def is_safe_callable(self, obj: object) -> bool:
        return isinstance(obj, Macro | BlockReference)

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:
        raise jinja2.exceptions.SecurityError(f"the operator {operator} is not offered")

    def fill(self, name: str, values: Mapping[str, object]) -> str:
        """The template's output for these values. Raises TemplateFailure."""
        pieces: list[str] = []
        room = _MOST_CHARACTERS
        try:
            for piece in self.get_template(name).generate(values):
                pieces.append(piece)
                room -= len(piece)
                if room < 0:
                    raise TemplateFailure(file=self.file(name), line=None, message=_TOO_LONG)
        except _TEMPLATE_ERRORS as error:
            raise self.failure(name, error) from error
        return "".join(pieces)

    def place(self, name: str) -> Path | None:
        """The folder in which the template is found, None when there is none. Remembered, like the template."""
        if name not in self._place_of:
            self._place_of[name] = next((place for place in self._places if (place / name).is_file()), None)
        return self._place_of[name]

    def file(self, name: str) -> str:
        """Path of the template; where it would be looked for first if there is none."""
        return str((self.place(name) or self._places[0]) / name)

    def failure(self, name: str, error: Exception) -> TemplateFailure:
        """The error as the operator needs it: the line of the template that was at work, if any was."""
        if isinstance(error, jinja2.TemplateSyntaxError):
            file = error.filename or self.file(name)
            return TemplateFailure(file=file, line=error.lineno, message=error.message or "is no template")
        message = str(error)
        if isinstance(error, jinja2.TemplateNotFound):
            message = f"there is no template {error.name}"
        # Jinja puts the template's own file and line into the traceback.
        for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
            file = frame.f_code.co_filename
            if file.endswith(_SUFFIX):
                return TemplateFailure(file=file, line=line, message=message)
        return TemplateFailure(file=self.file(name), line=None, message=message)

    def unknown_names(self, name: str) -> list[tuple[int, str, str]]:
        """What the template uses and nobody gives, also where no sample comes by: (line, "filter" or "name", which).

        Raises TemplateFailure when the file cannot be read or parsed.
        """
        try:
            tree = self.parse(Path(self.file(name)).read_text(encoding="utf-8"), name, self.file(name))
            filters = [node for node in tree.find_all(nodes.Filter) if node.name not in self.filters]
            if filters:
                return [(node.lineno, "filter", node.name) for node in filters]
            unknown = meta.find_undeclared_variables(tree) - set(FIELD_NAMES)
        except _TEMPLATE_ERRORS as error:
            raise self.failure(name, error) from error
        first_lines: dict[str, int] = {}
        for node in tree.find_all(nodes.Name):
            first_lines[node.name] = min(node.lineno, first_lines.get(node.name, node.lineno))
        return sorted((first_lines.get(each, 1), "name", each) for each in unknown)


def _values(view: NoticeView) -> dict[str, object]:
    return {field: getattr(view, field) for field in FIELD_NAMES}


def _problem(file: str, line: int | None, message: str, hint: str) -> Problem:
    return Problem(file=file, line=line, column=None, where="", message=message, hint=hint)


def _suggestion(name: str, known: Iterable[str]) -> str:
    """The known name that was probably meant, as a question; "" when nothing is close."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {close[0]}?" if close else ""
