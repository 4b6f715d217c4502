"""From any earlier shape of the database to this one, or back to where it was."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool
from structlog.testing import capture_logs

from mailcase.errors import PermanentError, StoreUnavailable
from mailcase.store import migrate
from mailcase.store.schema import metadata
from mailcase.store.shape import SHAPE, TABLES, shape

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as database:
        return {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)


def test_a_migrated_database_is_what_the_schema_says(database: Path) -> None:
    """R23."""
    engine = create_engine(f"sqlite:///{database}", poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})

        assert compare_metadata(context, metadata) == []


def test_the_shape_that_the_program_knows_is_that_of_the_schema(database: Path) -> None:
    with closing(sqlite3.connect(database)) as migrated:
        assert shape(migrated) == SHAPE
    assert set(TABLES) == set(metadata.tables)


@pytest.mark.parametrize(
    "change",
    [
        "DROP TABLE restores",
        "ALTER TABLE deliveries DROP COLUMN is_released",
        "ALTER TABLE deliveries ADD COLUMN colour TEXT",
        "DROP INDEX ix_deliveries_due",
    ],
)
def test_a_store_of_the_same_revision_with_other_tables_is_refused_with_what_to_do(database: Path, change: str) -> None:
    """Not with an SQL error in the middle of the work."""
    if "is_released" in change:
        execute(database, "DROP INDEX ix_deliveries_due")
    execute(database, change)

    with pytest.raises(PermanentError, match=r"other tables.*development version.*move the file aside"):
        migrate.upgrade(database, now=NOW)


def test_what_an_operator_adds_to_the_file_is_no_matter(database: Path) -> None:
    execute(database, "CREATE TABLE report (text)", "CREATE INDEX by_process ON cases (process)")

    assert migrate.upgrade(database, now=NOW) == (migrate.HEAD, migrate.HEAD)


def test_the_newest_step_is_the_one_that_the_program_knows() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))

    assert ScriptDirectory.from_config(config).get_heads() == [migrate.HEAD]


def test_a_new_database_is_made_without_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "state" / "mailcase.db"

    assert migrate.upgrade(path, now=NOW) == ("", migrate.HEAD)

    assert migrate.revision(path) == migrate.HEAD != ""
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_current_database_is_left_alone(database: Path) -> None:
    before = database.read_bytes()

    assert migrate.upgrade(database, now=NOW) == (migrate.HEAD, migrate.HEAD)

    assert database.read_bytes() == before
    assert [file.name for file in database.parent.iterdir()] == [database.name]


def test_a_current_database_is_opened_without_the_tools_of_migration(database: Path) -> None:
    script = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path;"
        "from mailcase.store import migrate, sqlite;"
        "migrate.upgrade(Path(sys.argv[1]), now=datetime(2026, 3, 2, tzinfo=UTC));"
        "assert not {'alembic', 'sqlalchemy'} & set(sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", script, str(database)], check=False).returncode == 0


def test_a_database_with_something_in_it_is_copied_first(tmp_path: Path) -> None:
    path = tmp_path / "mailcase.db"
    copy = tmp_path / f"mailcase.db.before-{migrate.HEAD}-20260302T090000Z"
    execute(path, "CREATE TABLE notes (text)", "INSERT INTO notes VALUES ('kept')")
    copy.with_name(f"{copy.name}.part").write_text("left by a migration that was killed")

    with capture_logs() as logs:
        migrate.upgrade(path, now=NOW)

    (told,) = [entry for entry in logs if entry["event"] == "store_copied"]
    assert told["copy"] == str(copy)
    assert not copy.with_name(f"{copy.name}.part").exists()
    assert tables(copy) == {"notes"}
    assert copy.stat().st_mode & 0o777 == 0o600
    assert tables(path) > {"notes", "cases"}


def test_a_damaged_database_is_not_migrated(tmp_path: Path) -> None:
    """A copy of it would be no way back."""
    path = tmp_path / "mailcase.db"
    execute(
        path,
        "CREATE TABLE folders (id INTEGER PRIMARY KEY)",
        "CREATE TABLE notes (folder REFERENCES folders (id))",
        "INSERT INTO notes VALUES (7)",
    )

    with pytest.raises(StoreUnavailable, match="damaged"):
        migrate.upgrade(path, now=NOW)

    assert tables(path) == {"folders", "notes"}
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_migration_that_fails_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    """R23: all steps are one transaction, tables included."""
    path = tmp_path / "mailcase.db"
    execute(path, "CREATE TABLE notes (text)", "CREATE INDEX ix_cases_open ON notes (text)")

    with pytest.raises(StoreUnavailable, match="ix_cases_open"):
        migrate.upgrade(path, now=NOW)

    assert tables(path) == {"notes"}
    execute(path, "DROP INDEX ix_cases_open")
    assert migrate.upgrade(path, now=NOW) == ("", migrate.HEAD)


def test_the_database_of_a_newer_program_is_refused(database: Path) -> None:
    execute(database, "UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(migrate.UnknownRevision, match=r"revision 9999.*knows up to 0001"):
        migrate.upgrade(database, now=NOW)

    assert migrate.revision(database) == "9999"
