"""Cases and events survive as JSON, exactly, and those written by older programs are still read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcase.core.case import SYSTEM, Case, TextId
from mailcase.core.events import Event, NoteAdded
from mailcase.store.codec import EVENTS, EventCodec, JsonObject, RecordCodec, case_from_json, case_to_json
from mailcase.store.columns import from_micros, storable, to_micros

TIMES = st.datetimes(timezones=st.just(UTC))
SPANS = st.timedeltas(min_value=timedelta(days=-100_000), max_value=timedelta(days=100_000))
st.register_type_strategy(datetime, TIMES)
st.register_type_strategy(timedelta, SPANS)

NOTE = NoteAdded(at=datetime(2026, 3, 2, 9, 0, 0, 1, tzinfo=UTC), by=SYSTEM, rule="note", text=TextId(7))


@dataclass(frozen=True)
class Complicated:
    ratio: complex


@given(st.from_type(Case))
def test_a_case_comes_back_as_it_was(case: Case) -> None:
    assert case_from_json(case_to_json(case)) == case


@pytest.mark.parametrize("event_type", get_args(Event), ids=lambda event_type: event_type.__name__)
@given(data=st.data())
def test_an_event_comes_back_as_it_was(event_type: type[Event], data: st.DataObject) -> None:
    event = data.draw(st.from_type(event_type))

    assert EVENTS.from_json(EVENTS.to_json(event)) == event


def test_an_event_is_stored_with_its_type_and_version() -> None:
    """The stored form is for ever; whoever changes it must add an upcaster."""
    assert json.loads(EVENTS.to_json(NOTE)) == {
        "type": "NoteAdded",
        "version": 1,
        "at": 1772442000000001,
        "by": "system",
        "rule": "note",
        "text": 7,
        "is_unproved": False,
    }


def test_an_event_of_an_older_version_is_read_through_every_step() -> None:
    def renamed(stored: JsonObject) -> JsonObject:
        return {**stored, "note": stored["words"]}

    def counted(stored: JsonObject) -> JsonObject:
        return {**stored, "text": stored["note"] + 1}

    codec = EventCodec({"NoteAdded": 3}, {("NoteAdded", 1): renamed, ("NoteAdded", 2): counted})
    oldest = {"type": "NoteAdded", "version": 1, "at": 1772442000000001, "by": "system", "rule": "note", "words": 6}

    assert codec.from_json(json.dumps(oldest)) == NOTE
    assert codec.from_json(codec.to_json(NOTE)) == NOTE


def test_a_field_added_with_a_default_is_not_missed() -> None:
    case = RecordCodec(Case)
    stored = case.encode(case_from_json(json.dumps(MINIMAL_CASE)))
    assert stored["links"] == []
    assert stored["holder"] == {"assignee": None, "owner": None, "queue": None, "by_hand": False}


def test_a_field_that_nobody_knows_any_more_is_passed_over() -> None:
    assert case_from_json(json.dumps({**MINIMAL_CASE, "colour": "red"})) == case_from_json(json.dumps(MINIMAL_CASE))


def test_a_case_without_a_needed_field_is_refused() -> None:
    with pytest.raises(KeyError, match=r"Case\.subject"):
        case_from_json(json.dumps({key: value for key, value in MINIMAL_CASE.items() if key != "subject"}))


def test_an_event_of_an_unknown_type_is_refused() -> None:
    with pytest.raises(KeyError, match="NobodyKnows"):
        EVENTS.from_json('{"type": "NobodyKnows", "version": 1}')


def test_a_type_without_a_json_form_is_found_at_once() -> None:
    with pytest.raises(TypeError, match="no JSON form"):
        RecordCodec(Complicated)


@given(TIMES)
def test_a_time_comes_back_to_the_microsecond(at: datetime) -> None:
    assert from_micros(to_micros(at)) == at


@given(st.text(st.characters()))
def test_stored_text_can_always_be_written(text: str) -> None:
    stored = storable(text)

    assert "\0" not in stored
    assert len(stored.encode("utf-8")) >= len(text)
    assert len(stored) == len(text)


MINIMAL_CASE: JsonObject = {
    "id": 1001,
    "process": "enquiry",
    "origin": "email",
    "created_at": 0,
    "version": 1,
    "last_event_at": 0,
    "subject": 1,
    "requester": None,
    "original_requester": None,
    "address": None,
    "mailboxes": [],
    "started_by": "system",
    "status": "to-do",
    "status_reason": "Newly Created",
    "status_set_by": "system",
    "status_set_at": 0,
}
