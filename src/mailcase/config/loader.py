"""Reads the text of a configuration file: a small, strict YAML.

Booleans are `true` and `false` alone, nothing becomes a date, a float or a base-60 number, keys are text, and what
reads differently from how it looks (a key written twice, anchors, aliases, tags) is a problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import cast

import yaml

from mailcase.config.document import Document, KeyPath, Mark, Value, dotted, escaped, quoted
from mailcase.errors import Problem

#: Far more than any configuration nests; the composer is recursive.
_DEPTH_LIMIT = 30

_BOOL = "tag:yaml.org,2002:bool"
_INT = "tag:yaml.org,2002:int"
_NULL = "tag:yaml.org,2002:null"
#: Stands for a value that could not be read and has a problem of its own.
_BROKEN = "broken"

#: Longer runs of digits are text: no setting is that large, and int() refuses thousands of digits.
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}\Z", re.ASCII)

_QUOTE_HINT = 'Write the value out in each place; text that begins with * or & stands in quotes: "*@example.org".'


def parse(text: str, file: str) -> tuple[Document, tuple[Problem, ...]]:
    """The document and what is wrong with it as YAML. After a syntax error the document is empty."""
    try:
        loader = _Loader(text, file)
    except yaml.reader.ReaderError as error:
        return _empty(file), (_character_problem(error, text, file),)
    try:
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        return _empty(file), (*loader.problems, _syntax_problem(error, file))
    except (ValueError, OverflowError):
        # PyYAML lets these out for an escape beyond Unicode and for a version number of thousands of digits.
        return _empty(file), (*loader.problems, _problem(file, _mark(loader.get_mark()), "cannot be read as YAML"))
    if node is None:
        return _empty(file), (_problem(file, None, "the file is empty"),)
    converter = _Converter(file)
    data = converter.value(node, ())
    document = Document(
        file=file,
        data=data,
        value_marks=converter.value_marks,
        key_marks=converter.key_marks,
        broken=frozenset(converter.broken),
    )
    return document, (*loader.problems, *loader.unused_anchors(), *converter.problems)


def _empty(file: str) -> Document:
    return Document(file=file, data=None, value_marks={}, key_marks={}, broken=frozenset({()}))


def _mark(mark: yaml.Mark) -> Mark:
    return Mark(mark.line + 1, mark.column + 1)


#: The events that begin a node.
_Node = yaml.AliasEvent | yaml.ScalarEvent | yaml.CollectionStartEvent


class _Loader(yaml.SafeLoader):
    """Composes nodes; never constructs objects."""

    # Replaces the resolvers of YAML 1.1, which make booleans of `no`, numbers of `1:30` and dates.
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own attribute

    def __init__(self, text: str, file: str) -> None:
        super().__init__(text)
        self.problems: list[Problem] = []
        self._file = file
        self._depth = 0
        self._anchors: dict[str, Mark] = {}
        self._used: set[str] = set()

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = cast("_Node", self.peek_event())  # type: ignore[no-untyped-call]  # the stubs leave it open
        start = cast("yaml.Mark", event.start_mark)
        mark = _mark(start)
        if isinstance(event, yaml.AliasEvent):
            self.get_event()  # type: ignore[no-untyped-call]  # the stubs leave it open
            self._refuse_alias(str(event.anchor), mark)
            return yaml.ScalarNode(_BROKEN, "", start, start)
        if event.anchor is not None:
            self._anchors.setdefault(event.anchor, mark)
        if event.tag is not None:
            self._complain(mark, f"the tag {quoted(event.tag)} is not used here", "Leave it out.")
        self._depth += 1
        if self._depth > _DEPTH_LIMIT:
            raise yaml.composer.ComposerError(None, None, "it is nested too deeply", start)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def unused_anchors(self) -> Iterator[Problem]:
        """Anchors that no alias names; the others are told with their alias."""
        for name, mark in self._anchors.items():
            if name not in self._used:
                yield _problem(self._file, mark, f"the anchor {quoted('&' + name)} is not used here", _QUOTE_HINT)

    def _refuse_alias(self, name: str, mark: Mark) -> None:
        self._used.add(name)
        anchor = self._anchors.get(name)
        origin = f" (its anchor stands in line {anchor.line})" if anchor else ""
        self._complain(mark, f"the alias {quoted('*' + name)}{origin} is not used here", _QUOTE_HINT)

    def _complain(self, mark: Mark, message: str, hint: str) -> None:
        self.problems.append(_problem(self._file, mark, message, hint))


_Loader.add_implicit_resolver(_BOOL, re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), list("tTfF"))
_Loader.add_implicit_resolver(_INT, _INTEGER, list("-+0123456789"))
_Loader.add_implicit_resolver(_NULL, re.compile(r"(?:~|null|Null|NULL|)\Z"), ["~", "n", "N", ""])


class _Converter:
    """Turns nodes into values and notes where they stood."""

    def __init__(self, file: str) -> None:
        self.value_marks: dict[KeyPath, Mark] = {}
        self.key_marks: dict[KeyPath, Mark] = {}
        self.broken: set[KeyPath] = set()
        self.problems: list[Problem] = []
        self._file = file

    def value(self, node: yaml.Node, path: KeyPath) -> Value:
        self.value_marks[path] = _mark(node.start_mark)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*path, index)) for index, child in enumerate(node.value)]
        if node.tag == _BROKEN:
            self.broken.add(path)
        return _scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Value]:
        values: dict[str, Value] = {}
        for key_node, value_node in node.value:
            mark = _mark(key_node.start_mark)
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag in (_NULL, _BROKEN):
                self._complain(path, mark, "a key must be a word", "Write `key: value`.")
                continue
            key = str(key_node.value)
            if key in values:
                first = self.key_marks[(*path, key)]
                message = f"the key {quoted(key)} already stands in line {first.line}"
                self._complain((*path, key), mark, message, "Keep one of the two.")
                continue
            self.key_marks[(*path, key)] = mark
            values[key] = self.value(value_node, (*path, key))
        return values

    def _complain(self, path: KeyPath, mark: Mark, message: str, hint: str) -> None:
        self.problems.append(_problem(self._file, mark, message, hint, where=dotted(path)))


def _scalar(node: yaml.Node) -> Value:
    text = str(node.value)
    if node.tag == _BOOL:
        return text.lower() == "true"
    if node.tag == _INT and _INTEGER.match(text):
        return int(text)
    return None if node.tag in (_NULL, _BROKEN) else text


def _problem(file: str, mark: Mark | None, message: str, hint: str = "", *, where: str = "") -> Problem:
    line, column = (mark.line, mark.column) if mark else (None, None)
    return Problem(file=file, line=line, column=column, where=where, message=message, hint=hint)


def _character_problem(error: yaml.reader.ReaderError, text: str, file: str) -> Problem:
    before = text[: error.position]
    mark = Mark(before.count("\n") + 1, error.position - before.rfind("\n"))
    return _problem(file, mark, f"the character U+{error.character:04X} may not stand in YAML")


def _syntax_problem(error: yaml.MarkedYAMLError, file: str) -> Problem:
    mark = _mark(error.problem_mark) if error.problem_mark else None
    message = _sentence(error)
    return _problem(file, mark, message, _syntax_hint(message))


def _sentence(error: yaml.MarkedYAMLError) -> str:
    origin = f" that began in line {error.context_mark.line + 1}" if error.context_mark else ""
    context = f"{error.context}{origin}: " if error.context else ""
    return escaped(f"cannot be read as YAML: {context}{error.problem}")


def _syntax_hint(message: str) -> str:
    if "scanning an alias" in message or "scanning an anchor" in message or "cannot start any token" in message:
        if r"\t" in message:
            return "Indent with spaces, not with tabs."
        return 'Text that begins with a sign stands in quotes: "*@example.org".'
    if "mapping values are not allowed" in message:
        return 'Check the indentation; text with a colon and a space in it stands in quotes: "a: b".'
    if "expected a single document" in message:
        return "One file holds one document: leave the line `---` out."
    return ""
