"""Paths: where they count from, and secrets that must be there and private."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mailcase.config import reader
from mailcase.config.paths import Surroundings
from mailcase.config.settings import ImapSource, MaildirRelay, Relay, SecretFile, Settings

Write = Callable[[str], Path]
Load = Callable[..., Settings]
Check = Callable[..., list[str]]

IMAP = """\
processes: {enquiry: {}}
mailboxes:
  desk:
    receive: {kind: imap, host: imap.example.org, password_file: SECRET}
    addresses: [support@example.org]
    fallback: enquiry
"""


def _secret(path: Path, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("hunter2\n")
    path.chmod(mode)
    return path


def _problems(write: Write, text: str, environment: Mapping[str, str]) -> list[str]:
    return [problem.message for problem in reader.check(write(text), environment=environment)]


def test_relative_paths_count_from_the_folder_of_the_file(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _secret(tmp_path / "keys" / "desk")
    (tmp_path / "letters").mkdir()
    write("templates: letters\nstore: state/m.db\n" + IMAP.replace("SECRET", "keys/desk"))
    monkeypatch.chdir(tmp_path.parent)

    settings = reader.load(Path(tmp_path.name) / "mailcase.yaml", environment={})

    source = settings.mailboxes[next(iter(settings.mailboxes))].source
    assert isinstance(source, ImapSource)
    assert source.login == SecretFile(path=tmp_path / "keys" / "desk")
    assert source.login.read() == "hunter2"
    assert settings.file == tmp_path / "mailcase.yaml"
    assert settings.store == tmp_path / "state" / "m.db"
    assert settings.templates == tmp_path / "letters"
    assert settings.relay == MaildirRelay(path=tmp_path / "state" / "outgoing")
    assert settings.socket == tmp_path / "state" / "mailcase.sock"


def test_absolute_paths_stay(load: Load) -> None:
    settings = load("store: /srv/mailcase/m.db\nrelay: {maildir: /srv/out}\nsocket: /run/m.sock\n")

    assert settings.store == Path("/srv/mailcase/m.db")
    assert settings.relay == MaildirRelay(path=Path("/srv/out"))
    assert settings.socket == Path("/run/m.sock")


def test_the_socket_lies_in_the_first_runtime_folder_of_the_service(write: Write) -> None:
    path = write(IMAP)

    settings = reader.load(path, environment={"RUNTIME_DIRECTORY": "/run/mailcase:/run/b"}, needs_secrets=False)

    assert settings.socket == Path("/run/mailcase/mailcase.sock")


def socket_of(tmp_path: Path, state_folder: Path, environment: dict[str, str] | None = None) -> Path:
    """Where the socket is, on a machine whose /var/lib and /run lie below `tmp_path`."""
    around = Surroundings(
        folder=tmp_path,
        environment=environment or {},
        needs_secrets=False,
        state_root=tmp_path / "lib",
        runtime_root=tmp_path / "run",
    )
    return around.socket(None, state_folder)


def test_a_shell_finds_the_socket_of_a_service_by_the_name_of_its_state_folder(tmp_path: Path) -> None:
    """Only the service is told RUNTIME_DIRECTORY."""
    runtime = tmp_path / "run" / "mailcase-b"
    runtime.mkdir(parents=True)
    state = tmp_path / "lib" / "mailcase-b"

    assert socket_of(tmp_path, state) == runtime / "mailcase.sock"
    assert socket_of(tmp_path, state, {"RUNTIME_DIRECTORY": str(runtime)}) == runtime / "mailcase.sock"


def test_a_store_elsewhere_never_leads_to_the_socket_of_a_service(tmp_path: Path) -> None:
    """Another installation, of another configuration, may run as a service on the same machine."""
    (tmp_path / "run" / "var").mkdir(parents=True)

    assert socket_of(tmp_path, tmp_path / "var") == tmp_path / "var" / "mailcase.sock"
    assert socket_of(tmp_path, tmp_path / "lib" / "mailcase") == tmp_path / "lib" / "mailcase" / "mailcase.sock"


def test_a_credential_of_the_service_may_be_readable(write: Write, tmp_path: Path) -> None:
    _secret(tmp_path / "credentials" / "desk", 0o444)
    text = IMAP.replace("SECRET", '"${CREDENTIALS_DIRECTORY}/desk"')

    settings = reader.load(write(text), environment={"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")})

    source = settings.mailboxes[next(iter(settings.mailboxes))].source
    assert isinstance(source, ImapSource)
    assert source.login == SecretFile(path=tmp_path / "credentials" / "desk")


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602])
def test_a_secret_that_everybody_can_read_or_change_is_refused(check: Check, tmp_path: Path, mode: int) -> None:
    secret = _secret(tmp_path / "desk.secret", mode)

    found = check("", base=IMAP.replace("SECRET", "desk.secret"), needs_secrets=True)

    assert len(found) == 1
    assert found[0].startswith(
        "4:66 mailboxes.desk.receive.password_file: everybody on this machine can read or change"
    )
    assert found[0].endswith(f"| chmod 600 {secret}")


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o400])
def test_a_secret_for_the_service_or_its_group_is_fine(check: Check, tmp_path: Path, mode: int) -> None:
    _secret(tmp_path / "desk.secret", mode)

    assert check("", base=IMAP.replace("SECRET", "desk.secret"), needs_secrets=True) == []


def test_a_secret_must_be_a_file_with_something_in_it(write: Write, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").touch(mode=0o600)
    (tmp_path / "loop").symlink_to("loop")
    text = IMAP.replace("SECRET", "NAME")

    assert _problems(write, text.replace("NAME", "none"), {}) == [f"there is no file `{tmp_path / 'none'}`"]
    assert _problems(write, text.replace("NAME", "folder"), {}) == [f"`{tmp_path / 'folder'}` is no file"]
    assert _problems(write, text.replace("NAME", "empty"), {}) == [f"`{tmp_path / 'empty'}` is empty"]
    assert "symbolic links" in _problems(write, text.replace("NAME", "loop"), {})[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable to root")
def test_a_secret_must_be_readable(write: Write, tmp_path: Path) -> None:
    _secret(tmp_path / "desk.secret", 0o000)

    found = _problems(write, IMAP.replace("SECRET", "desk.secret"), {})

    assert found == [f"`{tmp_path / 'desk.secret'}` cannot be used: Permission denied"]


def test_the_secret_of_the_relay_is_looked_at_too(check: Check, tmp_path: Path) -> None:
    found = check("relay: {host: h, user: u, password_file: none}\n", needs_secrets=True)

    assert found == [
        f"1:42 relay.password_file: there is no file `{tmp_path / 'none'}`"
        f" | Write the secret alone into it, and chmod 600 {tmp_path / 'none'}"
    ]


def test_a_command_that_needs_no_secret_looks_at_none(write: Write) -> None:
    path = write(IMAP.replace("SECRET", '"${CREDENTIALS_DIRECTORY}/desk"'))

    settings = reader.load(path, environment={}, needs_secrets=False)

    assert "imap.example.org" in repr(settings)
    assert [problem.message for problem in reader.check(path, environment={})] == ["CREDENTIALS_DIRECTORY has no value"]


def test_a_mailbox_that_is_switched_off_needs_no_secret(check: Check) -> None:
    assert check("", base=f"{IMAP}    enabled: false\n", needs_secrets=True) == []


def test_other_variables_and_home_folders_are_refused(check: Check) -> None:
    found = check('store: "${HOME}/m.db"\ntemplates: ~/letters\n')

    assert found == [
        "1:8 store: the variable `HOME` is not known here | Only ${CREDENTIALS_DIRECTORY} may stand in paths.",
        "2:12 templates: begins with ~, which differs from user to user | Write the whole path.",
    ]


def test_certificates_and_folders_of_templates_must_exist(check: Check, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    found = check(
        """\
        templates: file
        relay: {host: h, ca_file: ca.pem}
        processes: {enquiry: {}}
        mailboxes:
          desk:
            receive: {kind: smtp, listen: "127.0.0.1:25"}
            addresses: {support@example.org: {templates: letters}}
            fallback: enquiry
        """,
        base="",
        needs_secrets=True,
    )

    assert found == [
        f"1:12 templates: `{tmp_path / 'file'}` is no folder | Write the folder that holds the templates.",
        f"2:27 relay.ca_file: `{tmp_path / 'ca.pem'}` cannot be used: No such file or directory"
        " | Check path and permissions.",
        f"7:50 mailboxes.desk.addresses.support@example.org.templates: `{tmp_path / 'letters'}` cannot be used:"
        " No such file or directory | Check path and permissions.",
    ]


def test_the_store_is_the_path_of_a_file(check: Check, tmp_path: Path) -> None:
    assert check("store: postgresql://localhost/mailcase\n") == [
        "1:8 store: must be the path of an SQLite file | Write it as in `var/mailcase.db`."
    ]
    assert check("store: .\n") == [f"1:8 store: `{tmp_path}` is a folder | Write the path of a file in it."]


@pytest.mark.parametrize("key", ["store", "socket", "templates"])
@pytest.mark.parametrize("text", [r"a\0b", r"a\uD800b"])
def test_what_no_path_can_hold_is_a_problem(check: Check, key: str, text: str) -> None:
    found = check(f'{key}: "{text}"\n')

    assert [one.partition(":")[0] for one in found] == ["1"]
    assert "has a control character" in found[0] or "cannot be used" in found[0]


def test_a_store_that_is_there_already_is_fine(check: Check, tmp_path: Path) -> None:
    (tmp_path / "m.db").touch()

    assert check("store: m.db\n") == []


def test_the_store_must_have_a_path_that_can_be(check: Check, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    found = [*check(f"store: {'x' * 300}\n"), *check("store: file/m.db\n")]

    assert [one.rpartition(" cannot be used: ")[2] for one in found] == [
        "File name too long | Check path and permissions.",
        "Not a directory | Check path and permissions.",
    ]


def test_a_zero_byte_ends_no_path(check: Check) -> None:
    found = check('store: "a\\0b"\ntemplates: "a\\0b"\nrelay: {host: h, ca_file: "a\\0b"}\n', needs_secrets=True)

    assert [one.partition(" ")[0] for one in found] == ["1:8", "2:12", "3:27"]


def test_the_password_of_a_relay_is_a_file(load: Load, tmp_path: Path) -> None:
    relay = load("relay: {host: smtp.example.org, user: u, password_file: p, ca_file: mailcase.yaml}\n").relay

    assert isinstance(relay, Relay)
    assert relay.login == SecretFile(path=tmp_path / "p")
    assert relay.ca_file == tmp_path / "mailcase.yaml"
