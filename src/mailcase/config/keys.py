"""Every key that the file may have, taken from the schema: for hints about unknown ones, and to check the docs."""

from __future__ import annotations

import types
from collections.abc import Iterator
from inspect import isclass
from typing import Annotated, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from mailcase.config.document import KeyPath
from mailcase.config.schema import Entry, FileEntry

#: Stands in a pattern for any name or position.
ANY = "*"


def known_keys() -> dict[KeyPath, FieldInfo]:
    """Every key by its pattern, as pydantic names places: kinds of `receive` are a part of the path of their keys."""
    return dict(_keys(FileEntry, ()))


def field_at(place: KeyPath) -> FieldInfo | None:
    """The field that stands at a place."""
    return next((field for pattern, field in known_keys().items() if _fits(pattern, place)), None)


def keys_beside(place: KeyPath) -> list[str]:
    """The keys that may stand where this one does."""
    return [
        str(pattern[-1]) for pattern in known_keys() if len(pattern) == len(place) and _fits(pattern[:-1], place[:-1])
    ]


def _fits(pattern: KeyPath, place: KeyPath) -> bool:
    return len(pattern) == len(place) and all(part in (ANY, here) for part, here in zip(pattern, place, strict=True))


def _keys(annotation: object, prefix: KeyPath) -> Iterator[tuple[KeyPath, FieldInfo]]:
    if isclass(annotation) and issubclass(annotation, Entry):
        for name, field in annotation.model_fields.items():
            place = (*prefix, field.alias or name)
            yield place, field
            yield from _keys(field.annotation, place)
        return
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (dict, list):
        yield from _keys(arguments[-1], (*prefix, ANY))
    elif origin is Annotated:
        yield from _keys(arguments[0], prefix)
    elif origin in (Union, types.UnionType):
        for member in arguments:
            for kind in _kinds(member):
                yield from _keys(member, (*prefix, *kind))


def _kinds(member: object) -> list[KeyPath]:
    """The parts that pydantic adds to the path inside one member of a union told apart by `kind`."""
    if isclass(member) and issubclass(member, Entry) and "kind" in member.model_fields:
        return [(kind,) for kind in get_args(member.model_fields["kind"].annotation)]
    return [()]
