"""The unit that is shipped: hardened as far as the service can bear, and in step with the program."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from datetime import timedelta
from pathlib import Path

import click
import pytest

from mailcase.cli import main
from mailcase.config.settings import Limits
from mailcase.inbound.protocol import Exit

UNIT = Path(__file__).parents[2] / "systemd" / "mailcase.service"
MOST_EXPOSED = 2.0


def settings() -> dict[str, list[str]]:
    """Every assignment of the unit; a name may stand in it several times."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


@pytest.fixture(scope="module")
def systemd_analyze() -> str:
    path = shutil.which("systemd-analyze")
    if path is None:
        reason = "systemd-analyze is not there: left out; Debian has it in the package systemd"
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def test_the_service_is_exposed_to_little(systemd_analyze: str) -> None:
    told = subprocess.run(
        [systemd_analyze, "security", "--offline=true", "--no-pager", str(UNIT)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    ).stdout
    level = re.search(r"Overall exposure level for mailcase\.service: ([\d.]+)", told)

    assert level is not None, told
    assert float(level[1]) <= MOST_EXPOSED


def test_systemd_understands_every_line(systemd_analyze: str, tmp_path: Path) -> None:
    """With a program that is there, `verify` has nothing to say."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text(encoding="utf-8").replace("/opt/mailcase/bin/mailcase", "/bin/true"))
    told = subprocess.run(
        [systemd_analyze, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False, timeout=60
    )

    assert [line for line in told.stderr.splitlines() if "mailcase.service" in line] == []


@pytest.mark.parametrize("name", ["ExecStart", "ExecReload"])
def test_its_commands_are_ours(name: str) -> None:
    (line,) = settings()[name]
    program, *words = line.split()

    assert program == "/opt/mailcase/bin/mailcase"
    assert words[0] == "--config"
    assert main.get_command(click.Context(main), words[-1]) is not None


def test_what_it_points_to_is_in_the_wheel() -> None:
    root = UNIT.parents[1]
    data_files = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["data-files"]
    installed = {
        f"/opt/mailcase/{folder}/{path.name}"
        for folder, patterns in data_files.items()
        for pattern in patterns
        for path in root.glob(pattern)
    }

    (documentation,) = settings()["Documentation"]
    assert {documentation.removeprefix("file:"), "/opt/mailcase/lib/systemd/system/mailcase.service"} <= installed


def test_a_stop_has_more_time_than_the_daemon_takes() -> None:
    (seconds,) = settings()["TimeoutStopSec"]

    assert timedelta(seconds=int(seconds.removesuffix("s"))) > 2 * Limits().stop_within


def test_what_no_restart_mends_is_not_restarted() -> None:
    (statuses,) = settings()["RestartPreventExitStatus"]

    assert statuses.split() == [str(int(Exit.USAGE)), str(int(Exit.CONFIGURATION))]


def test_who_asks_at_the_socket_can_be_seen() -> None:
    """S23: in a user namespace of its own the daemon would take everybody for nobody."""
    assert "PrivateUsers" not in settings()
