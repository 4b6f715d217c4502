"""Which configuration is used, what `check` and `config` say of it, and exit 78 when it is wrong."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from tests.cli.scripted import ScriptedDaemon, login, write_config

from mailcase.cli.session import settings_file
from mailcase.errors import ConfigError
from mailcase.inbound.protocol import Response

Mailcase = Callable[..., Result]


# ---- which file ----------------------------------------------------------------------------------------------------


def test_the_file_named_wins_over_the_variable_and_the_variable_over_the_folder(folder: Path) -> None:
    for name in ("named.yaml", "variable.yaml", "config.example.yaml"):
        (folder / name).touch()
    environment = {"MAILCASE_CONFIG": "variable.yaml"}

    assert settings_file(Path("named.yaml"), environment) == Path("named.yaml")
    assert settings_file(None, environment) == Path("variable.yaml")
    assert settings_file(None, {}) == Path("config.yaml")
    (folder / "config.yaml").unlink()
    assert settings_file(None, {}) == Path("config.example.yaml")


def test_without_any_file_all_that_was_tried_is_told(folder: Path) -> None:
    with pytest.raises(ConfigError) as wrong:
        settings_file(None, {}, places=(folder / "a.yaml", folder / "b.yaml"))

    assert f"tried {folder}/a.yaml, {folder}/b.yaml" in str(wrong.value)
    assert "mailcase config example" in str(wrong.value)


@pytest.fixture
def barred() -> Iterator[Path]:
    """A folder that this process may not look into, beside `open.yaml`, which it may read. Root is somebody else then:
    nothing is barred to root.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "open.yaml").touch()
        (folder / "barred").mkdir(mode=0)
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(65534)
        try:
            yield folder / "barred"
        finally:
            if is_root:
                os.seteuid(0)
            (folder / "barred").chmod(0o700)


def test_a_folder_that_may_not_be_looked_into_does_not_hide_the_next_place(barred: Path) -> None:
    """The daemon's user is often started in the home of root."""
    after = barred.parent / "open.yaml"

    assert settings_file(None, {}, places=(barred / "config.yaml", after)) == after


def test_a_file_that_this_user_may_not_look_for_is_told_so(barred: Path) -> None:
    with pytest.raises(ConfigError) as wrong:
        settings_file(None, {}, places=(Path("a.yaml"), barred / "config.yaml"))

    assert str(wrong.value).startswith(f"{barred}/config.yaml: this user may not look for it there")


def test_a_named_file_that_is_missing_is_not_replaced_by_another(mailcase: Mailcase) -> None:
    result = mailcase("case", "list", "--config", "nowhere.yaml")

    assert result.exit_code == 78
    assert "nowhere.yaml: there is no such file" in result.stderr


def test_the_option_stands_before_or_after(folder: Path, mailcase: Mailcase) -> None:
    (folder / "config.yaml").rename(folder / "other.yaml")

    for words in (["--config", "other.yaml", "config", "show"], ["config", "show", "--config", "other.yaml"]):
        assert mailcase(*words).exit_code == 0


# ---- check ---------------------------------------------------------------------------------------------------------


def test_a_good_configuration_is_summed_up(folder: Path, mailcase: Mailcase) -> None:
    result = mailcase("check")

    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [
        f"ok: {folder}/config.yaml",
        f"  store      {folder}/var/mailcase.db",
        "  mailbox    desk: smtp on 127.0.0.1:2525; support@example.org; 0 routes",
        "  process    enquiry: queue support, feedback window of 5 days",
        "  people     ann, bob",
        f"  outgoing   to the folder {folder}/var/outgoing",
    ]


def test_every_problem_is_printed_with_its_line_and_the_exit_code_is_78(folder: Path, mailcase: Mailcase) -> None:
    write_config(folder, more="relay: {prot: 587}\noutgoing: perhaps\n")

    result = mailcase("check")

    assert result.exit_code == 78
    assert result.stdout == ""
    assert result.stderr.startswith("mailcase: 3 problems in the configuration\n")
    assert result.stderr.count("config.yaml:16:") == 2
    assert result.stderr.count("config.yaml:17:") == 1


def test_problems_are_safe_to_print(folder: Path, mailcase: Mailcase) -> None:
    """S7."""
    write_config(folder, more='"\\e[2J\\u202e": 1\n')

    result = mailcase("check")

    assert result.exit_code == 78
    assert "\x1b" not in result.stderr
    assert "\u202e" not in result.stderr


def test_a_broken_template_is_a_problem_of_the_check(folder: Path, mailcase: Mailcase) -> None:
    (folder / "own" / "en").mkdir(parents=True)
    (folder / "own" / "en" / "resolved.txt.j2").write_text("Done, {{ nobody_knows }}\n")
    write_config(folder, more="templates: own\n")

    result = mailcase("check")

    assert result.exit_code == 78
    assert "own/en/resolved.txt.j2:1" in result.stderr
    assert "nobody_knows" in result.stderr


def test_a_missing_secret_is_a_problem_of_the_check_but_not_of_looking(folder: Path, mailcase: Mailcase) -> None:
    write_config(folder, more="relay: {host: smtp.example.org, user: me, password_file: missing.secret}\n")

    assert mailcase("check").exit_code == 78
    assert mailcase("config", "show").exit_code == 0


def test_a_good_check_can_be_json(folder: Path, mailcase: Mailcase) -> None:
    assert json.loads(mailcase("check", "--json").stdout) == {"file": f"{folder}/config.yaml", "problems": []}


def test_a_bad_check_is_json_too(folder: Path, mailcase: Mailcase) -> None:
    write_config(folder, more="relay: {prot: 587}\n")

    result = mailcase("check", "--json")

    told = json.loads(result.stdout)
    assert result.exit_code == 78
    assert told["file"] == "config.yaml"
    assert {(problem["line"], problem["where"]) for problem in told["problems"]} == {
        (16, "relay.prot"),
        (16, "relay.host"),
    }
    assert set(told["problems"][0]) == {"file", "line", "column", "where", "message", "hint"}


def test_a_mistake_in_the_file_does_not_keep_a_shell_from_a_running_daemon(
    daemon: ScriptedDaemon, folder: Path, mailcase: Mailcase
) -> None:
    """The daemon works with the configuration that it has; the status is asked for just then."""
    write_config(folder, login=login(), more="relay: {prot: 587}\n")
    daemon.response = Response(data=[])

    assert mailcase("case", "list").exit_code == 0
    assert mailcase("case", "list", "--as", "zoe").exit_code == 2


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("outgoing: hold\n", "held; would go to the folder"),
        ("outgoing: {redirect: me@example.org}\n", "all of it to me@example.org, through the folder"),
        ("relay: {host: smtp.example.org, port: 587, tls: starttls}\n", "to smtp.example.org:587, by STARTTLS"),
        ("relay: {host: 127.0.0.1, port: 25, tls: none}\n", "to 127.0.0.1:25, without TLS"),
    ],
)
def test_the_check_says_where_mail_will_go(folder: Path, mailcase: Mailcase, more: str, said: str) -> None:
    write_config(folder, more=more)

    assert said in mailcase("check").stdout


# ---- config --------------------------------------------------------------------------------------------------------


def test_the_effective_configuration_can_be_read_back(folder: Path, mailcase: Mailcase) -> None:
    shown = mailcase("config", "show").stdout
    (folder / "again.yaml").write_text(shown)

    again = mailcase("config", "show", "--config", "again.yaml")

    assert again.stdout == shown
    assert yaml.safe_load(shown)["mailboxes"]["desk"]["receive"]["listen"] == "127.0.0.1:2525"


def test_secrets_are_never_shown(folder: Path, mailcase: Mailcase) -> None:
    """Rule 10, S16."""
    (folder / "relay.secret").write_text("SECRET_CANARY\n")
    (folder / "relay.secret").chmod(0o600)
    write_config(folder, more="relay: {host: smtp.example.org, user: me, password_file: relay.secret}\n")

    for words in (["config", "show"], ["config", "show", "--json"], ["check"]):
        result = mailcase(*words)
        assert result.exit_code == 0, result.stderr
        assert "SECRET_CANARY" not in result.output


def test_the_effective_configuration_as_json_is_ascii(folder: Path, mailcase: Mailcase) -> None:
    write_config(folder, more="")
    path = folder / "config.yaml"
    path.write_text(path.read_text().replace("Ann Lee", "Anne-Élodie"))

    shown = mailcase("config", "show", "--json").stdout

    assert shown.isascii()
    assert json.loads(shown)["people"]["ann"]["name"] == "Anne-Élodie"


def test_the_example_is_a_configuration_that_passes_the_check(folder: Path, mailcase: Mailcase) -> None:
    (folder / "example.yaml").write_text(mailcase("config", "example").stdout)

    assert mailcase("check", "--config", "example.yaml").exit_code == 0
