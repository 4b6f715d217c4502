"""How the values of the file fit together: names that must exist, things that may stand once only.

Works on the document itself and passes over whatever is wrong in itself, so that every problem is found in one go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailcase.config.document import ANY, Document, KeyPath, Value, quoted
from mailcase.config.mistakes import did_you_mean
from mailcase.errors import Problem

#: Where a name stands, the section that must have it, and what it is called in a message.
_REFERENCES = (
    (("people", ANY, "queues", ANY), "queues", "queue"),
    (("processes", ANY, "queue"), "queues", "queue"),
    (("processes", ANY, "allocation", ANY), "people", "person"),
    (("processes", ANY, "due", "calendar"), "calendars", "calendar"),
    (("processes", ANY, "feedback_window", "calendar"), "calendars", "calendar"),
    (("mailboxes", ANY, "routes", ANY, "process"), "processes", "process"),
    (("mailboxes", ANY, "fallback"), "processes", "process"),
)
#: The queue of a file that names none.
DEFAULT_QUEUE = "main"
#: Control and line-separating characters, and halves of pairs, which no encoding carries.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_UNSAFE_IN_LINES = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def relation_problems(document: Document) -> Iterator[Problem]:
    """Every problem of this kind, in no particular order."""
    yield from _unknown_names(document)
    yield from _missing_queues(document)
    yield from _retired_processes(document)
    yield from _people_who_share(document)
    yield from _wait_reasons_written_twice(document)
    yield from _unsafe_characters(document)


def _unknown_names(document: Document) -> Iterator[Problem]:
    for pattern, section, noun in _REFERENCES:
        known = _names(document, section)
        for path, name in document.texts(*pattern):
            if name not in known:
                hint = did_you_mean(name, known) or f"Write it under `{section}`."
                yield document.problem(path, f"the {noun} {quoted(name)} is not known", hint)


def _names(document: Document, section: str) -> set[str]:
    names = set(document.mapping(section))
    return names or ({DEFAULT_QUEUE} if section == "queues" else names)


def _missing_queues(document: Document) -> Iterator[Problem]:
    queues = _names(document, "queues")
    for path, process in document.find("processes", ANY):
        if len(queues) > 1 and (process is None or (isinstance(process, dict) and process.get("queue") is None)):
            hint = f"Name one of {', '.join(sorted(queues))}."
            yield document.problem((*path, "queue"), "is missing, and there is more than one queue", hint)


def _retired_processes(document: Document) -> Iterator[Problem]:
    for pattern in (("mailboxes", ANY, "routes", ANY, "process"), ("mailboxes", ANY, "fallback")):
        for path, name in document.texts(*pattern):
            if document.mapping("processes", name).get("retired") is True:
                message = f"the process {quoted(name)} is retired and starts no new cases"
                yield document.problem(path, message, "Name another process.")


def _people_who_share(document: Document) -> Iterator[Problem]:
    yield from _repeated(document, list(document.texts("people", ANY, "login")), "login")
    addresses = [(path, address.lower()) for path, address in document.texts("people", ANY, "address")]
    yield from _repeated(document, addresses, "address")
    own = {address for _path, address in own_addresses(document)}
    for path, address in addresses:
        if address in own:
            hint = "Notices to it would come back as new mail: write the person's own address."
            yield document.problem(path, f"{quoted(address)} is an address of a mailbox here", hint)


def _wait_reasons_written_twice(document: Document) -> Iterator[Problem]:
    for path, _process in document.find("processes", ANY):
        named = [
            *document.texts(*path, "wait_reasons", ANY),
            *document.texts(*path, "wait_reasons", ANY, "name"),
        ]
        yield from _repeated(document, sorted(named, key=lambda entry: str(entry[0])), "reason")


def _repeated(document: Document, values: list[tuple[KeyPath, str]], noun: str) -> Iterator[Problem]:
    first: dict[str, KeyPath] = {}
    for path, value in values:
        if value in first:
            yield repetition(document, path, first[value], f"the {noun} {quoted(value)}")
        first.setdefault(value, path)


def repetition(document: Document, path: KeyPath, first: KeyPath, what: str, hint: str = "") -> Problem:
    """The problem of something that stands in two places, told at the second."""
    line = document.problem(first, "").line
    return document.problem(path, f"{what} already stands in line {line}", hint or "Each may stand once only.")


def _unsafe_characters(document: Document) -> Iterator[Problem]:
    hint = "Leave it out: it could end a command to a mail server or a header."
    for path, value in document.walk():
        if path and isinstance(path[-1], str) and _UNSAFE.search(path[-1]):
            yield document.problem(path, "the key has a control character", hint, at_key=True)
        may_have_lines = path[-1:] == ("signature",)
        unsafe = _UNSAFE_IN_LINES if may_have_lines else _UNSAFE
        if isinstance(value, str) and unsafe.search(value):
            yield document.problem(path, "has a control character", hint)


def own_addresses(document: Document, mailbox: str | int = ANY) -> Iterator[tuple[KeyPath, str]]:
    """The addresses of a mailbox, or of all, in lower case; written as a list or as a mapping."""
    for path, addresses in document.find("mailboxes", mailbox, "addresses"):
        if isinstance(addresses, dict):
            yield from (((*path, address), address.lower()) for address in addresses)
        elif isinstance(addresses, list):
            yield from ((entry, text.lower()) for entry, text in document.texts(*path, ANY))


def listed(value: Value) -> list[Value]:
    """A list as it is, a single value as a list of one, nothing as an empty list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
