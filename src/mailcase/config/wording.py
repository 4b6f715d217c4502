"""What pydantic found, in words for the operator and with its place in the file."""

from __future__ import annotations

import re

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mailcase.config.document import Document, KeyPath, quoted
from mailcase.config.keys import field_at, keys_beside
from mailcase.config.mistakes import Mistake, did_you_mean
from mailcase.errors import Problem

#: Keys under which people write a secret itself.
_SECRET_KEYS = frozenset(
    {
        "password",
        "passwd",
        "pass",
        "secret",
        "token",
        "passphrase",
        "client_secret",
        "refresh_token",
        "access_token",
    }
)
#: Ends the place of an error that is about a key.
_KEY = "[key]"

_WANTED = {
    "bool_type": ("must be true or false", "Write `true` or `false`."),
    "int_type": ("must be a whole number", ""),
    "string_type": ("must be text", "Put it in quotes."),
    "list_type": ("must be a list", "Write it as in `[a, b]`."),
    "dict_type": ("must be a mapping", "Write `name: value` lines below it, each indented."),
    "model_type": ("must be a mapping", "Write `key: value` lines below it, each indented."),
    "model_attributes_type": ("must be a mapping", "Write `key: value` lines below it, each indented."),
}


def schema_problems(document: Document, error: ValidationError) -> list[Problem]:
    """One problem for each thing that pydantic found, except where a value has one already."""
    found = []
    for detail in error.errors(include_url=False):
        path = _locate(document, detail)
        if not document.is_broken(path):
            message, hint, at_key = _words(detail)
            found.append(document.problem(path, message, hint, at_key=at_key))
    return found


def _locate(document: Document, detail: ErrorDetails) -> KeyPath:
    """The path in the file: without the parts that pydantic adds, or those of a long form that was written short."""
    place = tuple(part for part in detail["loc"] if part != _KEY)
    path: KeyPath = ()
    value = document.data
    for part in place:
        if isinstance(value, dict) and isinstance(part, str) and part in value:
            path, value = (*path, part), value[part]
        elif isinstance(value, list) and (isinstance(part, int) or part in value):
            # A list of addresses becomes a mapping of them; the parts are then addresses.
            index = part if isinstance(part, int) else value.index(part)
            path, value = (*path, index), value[index]
    if detail["type"] == "missing":
        return (*path, place[-1])
    return (*path, "kind") if detail["type"].startswith("union_tag") else path


def _words(detail: ErrorDetails) -> tuple[str, str, bool]:
    """Message, hint, and whether it is the key that is wrong."""
    kind, place = detail["type"], detail["loc"]
    is_key = place[-1:] == (_KEY,)
    match kind:
        case "missing":
            return "is missing", _description(place), True
        case "extra_forbidden":
            return (*_unknown_key(place), True)
        case "union_tag_not_found":
            return "is missing", "Write imap, smtp or lmtp.", True
        case "too_short":
            return "is empty", _description(place) or "Leave the line out.", False
        case _ if detail["input"] is None:
            return "needs a value", _description(place) or "Leave the line out for the default.", False
        case _:
            return (*_words_of_value(detail, is_key=is_key), is_key)


def _description(place: KeyPath) -> str:
    """What the schema says about a key that must be there."""
    field = field_at(place)
    return (field.description if field else None) or ""


def _words_of_value(detail: ErrorDetails, *, is_key: bool) -> tuple[str, str]:
    kind, context = detail["type"], detail.get("ctx", {})
    match kind:
        case "value_error":
            mistake = context["error"]
            return str(mistake), mistake.hint if isinstance(mistake, Mistake) else ""
        case "enum" | "literal_error":
            word = str(detail["loc"][-2] if is_key else detail["input"])
            return _unknown_word(word, str(context["expected"]))
        case "union_tag_invalid":
            return _unknown_word(str(context["tag"]), str(context["expected_tags"]))
        case "greater_than_equal":
            return f"must be at least {context['ge']}", ""
        case "less_than_equal":
            return f"must be at most {context['le']}", ""
        case _:
            return _WANTED.get(kind, (detail["msg"], ""))


def _unknown_key(place: KeyPath) -> tuple[str, str]:
    key = str(place[-1])
    known = keys_beside(place)
    if key.lower() in _SECRET_KEYS:
        file_key = next((key for key in (f"{key.lower()}_file", "password_file") if key in known), None)
        if file_key is not None:
            hint = f"Put it alone into a file, `chmod 600` that, and write `{file_key}: PATH`."
        else:
            hint = "No secret belongs here."
        return "secrets do not stand in this file", hint
    return f"the key {quoted(key)} is not known", did_you_mean(key, known)


def _unknown_word(word: str, expected: str) -> tuple[str, str]:
    return f"{quoted(word)} is not known here", did_you_mean(word, re.findall(r"'([^']+)'", expected))
