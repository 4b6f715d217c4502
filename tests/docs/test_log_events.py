"""docs/log-events.md lists every event of the source with its level and keys, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.docs.logged import LEVELS, LogEvent, log_calls, logged_events

DOCUMENT = (Path(__file__).parents[2] / "docs" / "log-events.md").read_text(encoding="utf-8")
LOGGED = logged_events()
#: Text of mail, and secrets.
FORBIDDEN_KEYS = frozenset({"body", "subject", "password", "text", "token", "secret", "raw"})


def documented() -> dict[str, LogEvent]:
    """Every row of the document's tables."""
    rows = re.findall(r"^\| `([^`]+)` \| ([a-z, ]+) \|(.*?)\| [^|]+ \|$", DOCUMENT, re.MULTILINE)
    names = [name for name, _levels, _keys in rows]
    assert len(names) == len(set(names)), "an event stands in the document twice"
    return {
        name: LogEvent(levels=set(levels.split(", ")), keys=set(re.findall(r"`([^`]+)`", keys)))
        for name, levels, keys in rows
    }


def test_every_event_is_documented_and_no_other() -> None:
    assert sorted(documented()) == sorted(LOGGED)


@pytest.mark.parametrize("name", sorted(LOGGED))
def test_level_and_keys_are_as_documented(name: str) -> None:
    assert documented()[name] == LOGGED[name]


@pytest.mark.parametrize("name", sorted(LOGGED))
def test_a_name_is_snake_case_and_its_keys_are_too(name: str) -> None:
    for word in (name, *LOGGED[name].keys):
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", word)


def test_no_key_is_for_text_of_mail_or_for_secrets() -> None:
    assert {key for event in LOGGED.values() for key in event.keys} & FORBIDDEN_KEYS == set()


def test_every_mail_ends_in_one_line_with_the_keys_that_are_promised() -> None:
    assert {"mail_id", "mailbox", "outcome", "reason", "cases", "duration_ms"} <= LOGGED["mail_handled"].keys


def test_levels_are_those_of_the_logger() -> None:
    assert {level for event in LOGGED.values() for level in event.levels} <= LEVELS - {"exception", "critical"}


def test_an_operator_finds_every_warning_and_error_with_what_to_do() -> None:
    alarms = {name for name, event in LOGGED.items() if event.levels & {"warning", "error"}}
    told = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ((?:`\w+`[^|`]*)+) \| [^|]+ \| [^|]+ \|$", told, re.MULTILINE)

    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} >= alarms


# ---- the reader of the source itself ---------------------------------------------------------------------------------


def only_call(body: str) -> tuple[tuple[str, ...], set[str], set[str]]:
    (call,) = log_calls(f"def f():\n    {body}", "f.py")
    return call.names, set(call.levels), set(call.keys)


def test_a_choice_of_names_and_of_levels_is_understood() -> None:
    assert only_call("log.info('a' if x else 'b', k=1)") == (("a", "b"), {"info"}, {"k"})
    assert only_call("write = log.warning if x else log.info; write('a')") == (("a",), {"warning", "info"}, set())


def test_keys_that_were_collected_before_the_call_are_found() -> None:
    assert only_call("facts = {'k': 1}; log.info('a', **facts, n=2)") == (("a",), {"info"}, {"k", "n"})


def test_a_traceback_is_a_key() -> None:
    assert only_call("log.exception('a')") == (("a",), {"error"}, {"exception"})
    assert only_call("log.error('a', exc_info=error)") == (("a",), {"error"}, {"exception"})


@pytest.mark.parametrize("body", ["log.info(f'a {x}')", "log.info(name)", "log.info('a', **given)", "log.info('a', 1)"])
def test_what_cannot_be_read_is_an_error(body: str) -> None:
    with pytest.raises(ValueError, match=r"f\.py:2"):
        only_call(body)
