"""The file with the signing keys."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailcase.clock import SteppedClock
from mailcase.entropy import SeededEntropy
from mailcase.errors import ConfigError
from mailcase.keyring import FILE_NAME, load_or_create
from mailcase.mail.signing import KeyRing

START = datetime(2026, 1, 1, tzinfo=UTC)
LIFETIME = timedelta(days=400)
RENEWAL = timedelta(days=200)


class Ring:
    """A folder, a clock and an entropy for one ring."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SteppedClock(START)
        self.entropy = SeededEntropy(7)

    def load(self) -> KeyRing:
        return load_or_create(self.folder, clock=self.clock, entropy=self.entropy, lifetime=LIFETIME, renewal=RENEWAL)


@pytest.fixture
def ring(tmp_path: Path) -> Ring:
    return Ring(tmp_path / "state")


def test_the_first_start_makes_a_key_that_only_we_can_read(ring: Ring) -> None:
    made = ring.load()

    assert len(made.keys) == 1
    assert len(made.keys[0].secret) == 32
    assert made.keys[0].created_at == START
    assert (ring.folder / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_the_next_start_reads_the_same_keys(ring: Ring) -> None:
    made = ring.load()
    before = (ring.folder / FILE_NAME).stat().st_ino

    assert ring.load() == made
    assert (ring.folder / FILE_NAME).stat().st_ino == before


def test_a_new_key_is_made_before_the_old_one_ends(ring: Ring) -> None:
    old = ring.load().keys[0]
    ring.clock.step(RENEWAL)
    assert ring.load().keys == (old,)

    ring.clock.step(timedelta(seconds=1))
    keys = ring.load().keys

    assert keys[1:] == (old,)
    assert keys[0].created_at == ring.clock.now()
    assert keys[0].id != old.id
    assert ring.load().keys == keys


def test_a_key_is_dropped_after_twice_its_lifetime(ring: Ring) -> None:
    """Until then a late answer is known as signed by a retired key."""
    old = ring.load().keys[0]
    ring.clock.step(2 * LIFETIME)
    assert old in ring.load().keys

    ring.clock.step(timedelta(seconds=1))

    assert old not in ring.load().keys


def test_two_keys_never_share_an_id(ring: Ring) -> None:
    ids: set[str] = set()
    for _ in range(4):
        ids.update(key.id for key in ring.load().keys)
        ring.entropy = SeededEntropy(7)
        # The same entropy again: the first draws are ids that are taken.
        ring.clock.step(RENEWAL + timedelta(days=1))

    assert len(ids) == 4


def test_a_temporary_file_of_a_crash_is_in_nobodys_way(ring: Ring) -> None:
    ring.folder.mkdir()
    (ring.folder / f"{FILE_NAME}.part").write_text("half")

    ring.load()

    assert os.listdir(ring.folder) == [FILE_NAME]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        "null",
        '{"version": 1, "keys": null}',
        '{"version": 1, "keys": ["x"]}',
        '{"version": 1, "keys": [{"id": "aa", "secret": "zz", "created_at": "2026-01-01T00:00:00+00:00"}]}',
        '{"version": 1, "keys": [{"id": "aa", "secret": "00", "created_at": "2026-01-01T00:00:00+00:00"}]}',
        '{"version": 1, "keys": [{"id": "a", "secret": "'
        + "00" * 32
        + '", "created_at": "2026-01-01T00:00:00+00:00"}]}',
        '{"version": 1, "keys": [{"id": "aa", "secret": "' + "00" * 32 + '", "created_at": "2026-01-01T00:00:00"}]}',
        '{"version": 2, "keys": []}',
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    ],
)
def test_a_damaged_file_is_told_and_left_alone(ring: Ring, content: str) -> None:
    ring.folder.mkdir()
    path = ring.folder / FILE_NAME
    path.write_bytes(content.encode("latin-1"))

    with pytest.raises(ConfigError) as told:
        ring.load()

    assert told.value.problems[0].hint
    assert told.value.problems[0].file == str(path)
    assert path.read_bytes() == content.encode("latin-1")


def test_a_damaged_file_does_not_show_its_secret(ring: Ring) -> None:
    """S16."""
    ring.load()
    path = ring.folder / FILE_NAME
    document = json.loads(path.read_text())
    secret = document["keys"][0]["secret"]
    document["keys"][0]["created_at"] = secret
    path.write_text(json.dumps(document))

    with pytest.raises(ConfigError) as told:
        ring.load()

    assert secret not in str(told.value)
    assert told.value.__suppress_context__


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    with pytest.raises(ConfigError, match="cannot be used"):
        Ring(tmp_path / "file" / "state").load()


def test_a_ring_without_keys_gets_one(ring: Ring) -> None:
    ring.folder.mkdir()
    (ring.folder / FILE_NAME).write_text('{"version": 1, "keys": []}')

    assert len(ring.load().keys) == 1
