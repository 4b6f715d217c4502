"""`mailcase store` on a real store, without a daemon."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import Result
from tests.cli.scripted import ScriptedDaemon

from mailcase.store.lock import StoreLock

Mailcase = Callable[..., Result]


@pytest.fixture
def store(folder: Path, mailcase: Mailcase) -> Path:
    """A store with a case and a backup of it, `backup.db`."""
    assert mailcase("case", "new", "--process", "enquiry", "--subject", "Printer smokes").exit_code == 0
    assert mailcase("store", "backup", "backup.db").exit_code == 0
    return folder / "var" / "mailcase.db"


def test_a_backup_says_what_it_holds(store: Path, mailcase: Mailcase) -> None:
    made = mailcase("store", "backup", "second.db", "--json")

    told = json.loads(made.stdout)
    assert made.exit_code == 0
    assert (told["file"], told["mails"], told["cases"], told["secrets"]) == ("second.db", 0, 1, ["keys.json"])
    assert told["size_bytes"] == Path("second.db").stat().st_size > 0


def test_a_person_is_told_what_a_backup_holds_and_what_a_restore_leaves_to_do(store: Path, mailcase: Mailcase) -> None:
    made = mailcase("store", "backup", "second.db").stdout
    done = mailcase("store", "restore", "second.db", "--yes", "--ran-until", "2026-03-02 10:00").stdout

    assert "1 case, 0 mails, 0 deliveries" in made
    assert "1 case, 0 mails\n" in done
    assert "new mail about what was before 2026-03-02 10:00: mailcase outbox list --state queued" in done
    assert "May have gone out" not in done


def test_no_secret_is_shown(store: Path, mailcase: Mailcase) -> None:
    """S16."""
    secret = json.loads((store.parent / "keys.json").read_text())["keys"][0]["secret"]

    results = [mailcase("store", "backup", "second.db"), mailcase("store", "restore", "second.db", "--yes")]

    assert [result.exit_code for result in results] == [0, 0]
    assert not any(secret in result.stdout + result.stderr for result in results)


def test_a_backup_over_a_file_is_refused(store: Path, mailcase: Mailcase) -> None:
    refused = mailcase("store", "backup", "backup.db")

    assert refused.exit_code == 1
    assert "there already" in refused.stderr


def test_a_restore_over_a_store_wants_a_yes(store: Path, mailcase: Mailcase) -> None:
    refused = mailcase("store", "restore", "backup.db")
    done = mailcase("store", "restore", "backup.db", "--yes", "--ran-until", "2026-03-02 10:00", "--json")

    assert (refused.exit_code, done.exit_code) == (1, 0)
    assert "--yes" in refused.stderr
    told = json.loads(done.stdout)
    assert told["held_until"] == "2026-03-02T09:00:00+00:00"
    assert Path(told["moved_aside_to"]).name.startswith("mailcase.db.before-restore-")
    assert json.loads(mailcase("case", "list", "--json").stdout)[0]["ref"] == "1001-C"
    new = mailcase("case", "new", "--process", "enquiry", "--subject", "Another", "--json")
    assert json.loads(new.stdout)["ref"] == f"{told['next_case_after'] + 1}-C"


def test_a_restore_waits_for_no_daemon(store: Path, mailcase: Mailcase) -> None:
    with StoreLock.acquire(store):
        refused = mailcase("store", "restore", "backup.db", "--yes")

    assert refused.exit_code == 75
    assert "has the store" in refused.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_store_is_restored_by_its_own_user(store: Path, mailcase: Mailcase) -> None:
    """Else the daemon could not open what root has restored."""
    os.chown(store.parent, 12345, -1)
    before = store.read_bytes()

    refused = mailcase("store", "restore", "backup.db", "--yes")

    assert refused.exit_code == 1
    assert "sudo -u" in refused.stderr
    assert store.read_bytes() == before


def test_a_backup_is_made_beside_a_daemon_without_asking_it(
    store: Path, daemon: ScriptedDaemon, mailcase: Mailcase
) -> None:
    with StoreLock.acquire(store):
        result = mailcase("store", "backup", "second.db")

    assert result.exit_code == 0
    assert daemon.asked == []


def test_a_check_says_that_all_adds_up(store: Path, mailcase: Mailcase) -> None:
    result, as_json = mailcase("store", "check"), mailcase("store", "check", "--json")

    assert (result.exit_code, result.stdout) == (0, "The store adds up.\n")
    assert (as_json.exit_code, json.loads(as_json.stdout)) == (0, [])


def test_a_check_shows_the_first_of_each_kind_and_json_all(store: Path, mailcase: Mailcase) -> None:
    with closing(sqlite3.connect(store, isolation_level=None)) as database:
        database.executemany("INSERT INTO raw_mail VALUES (?, x'')", [(f"{number:02}",) for number in range(12)])

    result, as_json = mailcase("store", "check"), mailcase("store", "check", "--json")

    assert (result.exit_code, as_json.exit_code) == (1, 1)
    assert "24 things do not add up" in result.stderr
    assert result.stdout.splitlines()[-1] == "and 4 more of these kinds; --json has all"
    found = json.loads(as_json.stdout)
    assert len(found) == 24
    assert set(found[0]) == {"check", "where", "problem", "hint"}
