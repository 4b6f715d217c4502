"""Cases and events as JSON text, and back, exactly.

The shape follows the fields of the frozen dataclasses; times and spans are integers of microseconds. A field that a
stored case or event lacks takes its default, so adding a field with a default needs no migration. Any other change of
an event raises its number in `EVENT_VERSIONS` and adds an upcaster: the stored is never rewritten
(docs/decisions/0005).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, Generic, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

from mailcase.core.case import Case
from mailcase.core.events import Event
from mailcase.store.columns import from_micros, to_micros

T = TypeVar("T")
_Convert = Callable[[Any], Any]
#: What is exchanged with the database: a JSON object.
JsonObject = dict[str, Any]
#: Rewrites the fields of an event of one version as those of the next.
Upcaster = Callable[[JsonObject], JsonObject]

_MICROSECOND = timedelta(microseconds=1)
_COMPACT = (",", ":")


class RecordCodec(Generic[T]):
    """One frozen dataclass as a JSON object."""

    def __init__(self, record: type[T]) -> None:
        hints = get_type_hints(record)
        self._record = record
        self._encoders: list[tuple[str, _Convert | None]] = []
        self._decoders: list[tuple[str, _Convert | None]] = []
        self._optional: set[str] = set()
        for field in fields(record):  # type: ignore[arg-type]  # a type variable cannot be bound to "dataclass"
            encode, decode = _converters(hints[field.name])
            self._encoders.append((field.name, encode))
            self._decoders.append((field.name, decode))
            if _has_default(field):
                self._optional.add(field.name)

    def encode(self, value: T) -> JsonObject:
        """The fields of a record, ready for `json.dumps`."""
        return {
            name: getattr(value, name) if convert is None else convert(getattr(value, name))
            for name, convert in self._encoders
        }

    def decode(self, stored: JsonObject) -> T:
        """The record of stored fields; unknown ones are passed over. Raises KeyError for a missing field."""
        known: JsonObject = {}
        for name, convert in self._decoders:
            if name in stored:
                known[name] = stored[name] if convert is None else convert(stored[name])
            elif name not in self._optional:
                raise KeyError(f"{self._record.__name__}.{name}")
        return self._record(**known)


def _has_default(field: Field[Any]) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


@cache
def _record(record: type[Any]) -> RecordCodec[Any]:
    return RecordCodec(record)


def _converters(hint: object) -> tuple[_Convert | None, _Convert | None]:
    """How a value of this type is written and read; None: as it is."""
    if isinstance(hint, NewType):
        return _converters(hint.__supertype__)
    if get_origin(hint) in (Union, UnionType):
        encode, decode = _converters(next(part for part in get_args(hint) if part is not type(None)))
        return _unless_none(encode), _unless_none(decode)
    if get_origin(hint) is tuple:
        encode, decode = _converters(get_args(hint)[0])
        return _each(encode, list), _each(decode, tuple)
    if isinstance(hint, type):
        return _plain_converters(hint)
    raise TypeError(f"no JSON form for {hint!r}")


def _plain_converters(hint: type[Any]) -> tuple[_Convert | None, _Convert | None]:
    if hint in (str, int, bool):
        return None, None
    if hint is datetime:
        return to_micros, from_micros
    if hint is timedelta:
        return _span_to_micros, _span_from_micros
    if issubclass(hint, StrEnum):
        return str, hint
    if is_dataclass(hint):
        return _record(hint).encode, _record(hint).decode
    raise TypeError(f"no JSON form for {hint!r}")


def _span_to_micros(span: timedelta) -> int:
    return span // _MICROSECOND


def _span_from_micros(micros: int) -> timedelta:
    return timedelta(microseconds=micros)


def _unless_none(convert: _Convert | None) -> _Convert | None:
    if convert is None:
        return None

    def converted(value: object) -> object:
        return None if value is None else convert(value)

    return converted


def _each(convert: _Convert | None, collect: Callable[[Iterable[Any]], Any]) -> _Convert:
    if convert is None:
        return collect

    def converted(values: Iterable[object]) -> object:
        return collect(map(convert, values))

    return converted


# ---- cases ---------------------------------------------------------------------------------------------------------

_CASE = _record(Case)


def case_to_json(case: Case) -> str:
    """The whole state of a case."""
    return json.dumps(_CASE.encode(case), separators=_COMPACT)


def case_from_json(text: str) -> Case:
    """The case of `case_to_json`."""
    case: Case = _CASE.decode(json.loads(text))
    return case


# ---- events --------------------------------------------------------------------------------------------------------

EVENT_RECORDS: Mapping[str, RecordCodec[Any]] = {event.__name__: _record(event) for event in get_args(Event)}
#: Version in which each event is written now; those that never changed are not listed and stand at 1.
EVENT_VERSIONS: Mapping[str, int] = {}
#: By name and stored version: how to read an event of that version as the next one.
EVENT_UPCASTERS: Mapping[tuple[str, int], Upcaster] = {}


class EventCodec:
    """Events as JSON objects with `type` and `version` beside their fields."""

    def __init__(self, versions: Mapping[str, int], upcasters: Mapping[tuple[str, int], Upcaster]) -> None:
        self._versions = versions
        self._upcasters = upcasters

    def to_json(self, event: Event) -> str:
        """One event in the newest version."""
        name = type(event).__name__
        stored = {"type": name, "version": self._versions.get(name, 1), **EVENT_RECORDS[name].encode(event)}
        return json.dumps(stored, separators=_COMPACT)

    def from_json(self, text: str) -> Event:
        """The event of `to_json`, from any version ever written. Raises KeyError for a type nobody knows."""
        stored = json.loads(text)
        name, version = stored["type"], stored["version"]
        while version < self._versions.get(name, 1):
            stored = self._upcasters[name, version](stored)
            version += 1
        event: Event = EVENT_RECORDS[name].decode(stored)
        return event


EVENTS = EventCodec(EVENT_VERSIONS, EVENT_UPCASTERS)
