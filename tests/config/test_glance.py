"""The four keys that a shell beside a daemon reads are those that the whole reader reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailcase.config.glance import glance
from mailcase.config.reader import load

WHOLE = """\
store: state/mailcase.db
language: fr
time_zone: Europe/Paris
people:
  ann: {name: Ann Lee, address: ann@example.org, login: ann}
  bob: {address: bob@example.org, retired: true, language: en}
processes: {enquiry: {}}
mailboxes:
  desk:
    receive: {kind: smtp, listen: "127.0.0.1:2525"}
    addresses: [support@example.org]
    fallback: enquiry
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("text", [WHOLE, WHOLE.partition("store:")[2].partition("\n")[2], WHOLE + "socket: s.sock\n"])
@pytest.mark.parametrize("environment", [{}, {"RUNTIME_DIRECTORY": "/run/mailcase"}])
def test_it_sees_what_the_reader_sees(tmp_path: Path, text: str, environment: dict[str, str]) -> None:
    path = written(tmp_path, text)

    seen, read = glance(path, environment), load(path, environment=environment)

    assert seen is not None
    assert (seen.socket, seen.zone, seen.language) == (read.socket, read.zone, read.language)
    assert list(seen.people) == list(read.people)
    for mine, whole in zip(seen.people.values(), read.people.values(), strict=True):
        assert (mine.id, mine.name, mine.login) == (whole.id, whole.name, whole.login)
        assert (mine.is_retired, mine.language) == (whole.is_retired, whole.language)


def test_a_mistake_elsewhere_does_not_keep_a_shell_from_its_daemon(tmp_path: Path) -> None:
    assert glance(written(tmp_path, WHOLE.replace("fallback: enquiry", "fallback: enqiury"))) is not None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("language: fr", "language: latin"),
        ("time_zone: Europe/Paris", "time_zone: Europe/Pairs"),
        ("store: state/mailcase.db", "store: {}"),
        ("store: state/mailcase.db", "store: ~/mailcase.db"),
        ("address: ann@example.org, login: ann", "login: ann"),
        ("  ann: {", "  ann: 5 #{"),
        ("processes: {enquiry: {}}", "processes: {enquiry: {}"),
    ],
)
def test_where_a_key_of_its_own_is_in_doubt_it_leaves_the_word_to_the_reader(
    tmp_path: Path, old: str, new: str
) -> None:
    assert old in WHOLE

    assert glance(written(tmp_path, WHOLE.replace(old, new)), {}) is None


def test_a_file_that_is_not_there_is_left_to_the_reader(tmp_path: Path) -> None:
    assert glance(tmp_path / "nowhere.yaml", {}) is None
