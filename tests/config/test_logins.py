"""Logins by access token as they are written: what they come to, and every wrong way of writing them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from mailcase.config.effective import effective
from mailcase.config.settings import (
    ImapSource,
    Login,
    OAuthClient,
    Relay,
    SecretFile,
    SecretPlace,
    Settings,
    TokenCommand,
)

Check = Callable[..., list[str]]
Load = Callable[..., Settings]


def with_login(login: str) -> str:
    """A file whose mailbox has that login; it begins at 4:12."""
    return f"""\
mailboxes:
  desk:
    receive: {{kind: imap, host: h, user: shared@example.org,
      login: {login}}}
    addresses: [support@example.org]
    fallback: enquiry
processes: {{enquiry: {{}}}}
"""


def login_of(settings: Settings) -> Login:
    (mailbox,) = settings.mailboxes.values()
    assert isinstance(mailbox.source, ImapSource)
    return mailbox.source.login


def test_client_credentials_of_microsoft_are_filled_in(load: Load, tmp_path: Path) -> None:
    end = "secret_expires: 2027-03-01"
    text = f"{{oauth: {{provider: microsoft, tenant: 1f2e, client_id: app, client_secret_file: s, {end}}}}}"

    settings = load(with_login(text), base="")

    assert login_of(settings) == OAuthClient(
        token_url="https://login.microsoftonline.com/1f2e/oauth2/v2.0/token",
        client_id="app",
        client_secret=SecretFile(path=tmp_path / "s"),
        refresh_token=None,
        scope="https://outlook.office365.com/.default",
        secret_expires=date(2027, 3, 1),
    )


def test_a_refresh_token_of_microsoft_asks_for_reading_and_sending(load: Load) -> None:
    login = login_of(
        load(with_login("{oauth: {provider: microsoft, tenant: t, client_id: app, refresh_token_file: r}}"), base="")
    )

    assert isinstance(login, OAuthClient)
    assert login.client_secret is None
    assert login.scope is not None
    assert login.scope.split() == [
        "https://outlook.office.com/IMAP.AccessAsUser.All",
        "https://outlook.office.com/SMTP.Send",
        "offline_access",
    ]


def test_a_refresh_token_of_google_is_filled_in(load: Load, tmp_path: Path) -> None:
    text = "{oauth: {provider: google, client_id: app, client_secret_file: s, refresh_token_file: r}}"

    login = login_of(load(with_login(text), base=""))

    assert login == OAuthClient(
        token_url="https://oauth2.googleapis.com/token",
        client_id="app",
        client_secret=SecretFile(path=tmp_path / "s"),
        refresh_token=SecretFile(path=tmp_path / "r"),
        scope="https://mail.google.com/",
    )


def test_any_other_token_server_is_written_out(load: Load, tmp_path: Path) -> None:
    text = (
        "{oauth: {token_url: 'https://id.example.org/token', client_id: app, client_secret_file: s,"
        " client_secret_in: header, scope: mail, ca_file: ca.pem}}"
    )

    login = login_of(load(with_login(text), base=""))

    assert login == OAuthClient(
        token_url="https://id.example.org/token",
        client_id="app",
        client_secret=SecretFile(path=tmp_path / "s"),
        refresh_token=None,
        scope="mail",
        secret_place=SecretPlace.HEADER,
        ca_file=tmp_path / "ca.pem",
    )


def test_a_token_command_counts_from_the_folder_of_the_file(load: Load, tmp_path: Path) -> None:
    login = login_of(load(with_login("{token_command: [bin/token, desk]}"), base=""))

    assert login == TokenCommand(command=(str(tmp_path / "bin/token"), "desk"))


def test_the_relay_has_the_same_logins(load: Load, tmp_path: Path) -> None:
    relay = load("relay: {host: h, user: u, login: {token_command: [/bin/token]}}\n").relay

    assert isinstance(relay, Relay)
    assert (relay.user, relay.login) == ("u", TokenCommand(command=("/bin/token",)))


@pytest.mark.parametrize(
    "login",
    [
        "{token_command: [/bin/token, desk]}",
        "{oauth: {provider: google, client_id: app, client_secret_file: s, refresh_token_file: r}}",
        "{oauth: {provider: microsoft, tenant: t, client_id: a, client_secret_file: s, secret_expires: 2027-03-01}}",
        "{oauth: {token_url: 'https://h', client_id: a, client_secret_file: s, client_secret_in: header, ca_file: c}}",
    ],
)
def test_what_is_shown_reads_back_as_it_was_and_shows_no_secret(load: Load, tmp_path: Path, login: str) -> None:
    for name in ("s", "r"):
        (tmp_path / name).write_text("hunter2")
    settings = load(with_login(login), base="")

    shown = effective(settings)

    mailbox = shown["mailboxes"]
    assert "hunter2" not in str(shown)
    assert login_of(load(str({"mailboxes": mailbox, "processes": {"enquiry": {}}}), base="")) == login_of(settings)


#: What stands for SECRET below.
SECRET = "client_id: a, client_secret_file: s"


@pytest.mark.parametrize(
    ("login", "problem"),
    [
        ("{}", "4:7 mailboxes.desk.receive.login: is empty | Write `oauth` or `token_command` in it."),
        ("{password: hunter2}", "login.password: secrets do not stand in this file | No secret belongs here."),
        (
            "{oauth: {provider: google, client_id: a, refresh_token_file: r}, token_command: [/bin/t]}",
            "login.token_command: has no use beside `oauth` | Keep one of the two.",
        ),
        (
            "{oauth: {SECRET}}",
            "oauth.token_url: is missing | Write the address of the token server, or `provider: google` or"
            " `provider: microsoft`.",
        ),
        (
            "{oauth: {token_url: 'https://h/', client_secret_file: s}}",
            "oauth.client_id: is missing | Write the id under which the provider knows the application.",
        ),
        (
            "{oauth: {token_url: 'http://id.example.org/token', SECRET}}",
            "oauth.token_url: must begin with https://, or secrets would go there for everybody to read",
        ),
        ("{oauth: {token_url: id.example.org, SECRET}}", "oauth.token_url: `id.example.org` is no address of a token"),
        (
            "{oauth: {token_url: 'https://id example/', SECRET}}",
            "oauth.token_url: `https://id example/` is no address of a token server",
        ),
        ("{oauth: {token_url: 'https://h:99999/', SECRET}}", "is no address of a token server"),
        (
            "{oauth: {token_url: 'https://me:hunter2@h/', SECRET}}",
            "oauth.token_url: secrets do not stand in this file | Write `client_id` and `client_secret_file`.",
        ),
        (
            "{oauth: {provider: yahoo, SECRET}}",
            "oauth.provider: `yahoo` is not known here | Known here: google, microsoft.",
        ),
        (
            "{oauth: {provider: microsoft, SECRET}}",
            "oauth.tenant: is missing beside `provider: microsoft` | Write the Directory (tenant) ID",
        ),
        (
            "{oauth: {provider: microsoft, tenant: a/b, SECRET}}",
            "oauth.tenant: is no tenant | Write the Directory (tenant) ID, or a domain of the organisation.",
        ),
        (
            "{oauth: {token_url: 'https://h/', tenant: t, SECRET}}",
            "oauth.tenant: belongs to `provider: microsoft` alone | Leave the line out.",
        ),
        (
            "{oauth: {provider: microsoft, tenant: t, token_url: 'https://h/', SECRET}}",
            "oauth.token_url: has no use beside `provider`, which has its own | Keep one of the two.",
        ),
        (
            "{oauth: {provider: google, SECRET}}",
            "oauth.refresh_token_file: is missing beside `provider: google` | Google gives no tokens for mail",
        ),
        (
            "{oauth: {token_url: 'https://h/', client_id: a}}",
            "oauth.client_secret_file: is missing | Client credentials need the file with the client secret",
        ),
        (
            "{oauth: {token_url: 'https://h/', client_id: a, refresh_token_file: r, client_secret_in: header}}",
            "oauth.client_secret_in: has no use without `client_secret_file` | Leave the line out.",
        ),
        (
            "{oauth: {token_url: 'https://h/', client_id: a, client_secret: hunter2}}",
            "oauth.client_secret: secrets do not stand in this file"
            " | Put it alone into a file, `chmod 600` that, and write `client_secret_file: PATH`.",
        ),
        (
            "{oauth: {token_url: 'https://h/', client_id: a, refresh_token: hunter2}}",
            "and write `refresh_token_file: PATH`.",
        ),
        ("{oauth: {token_url: 'https://h/', SECRET, secret_expires: soon}}", "secret_expires: `soon` is no date"),
        ("{token_command: /bin/token desk}", "login.token_command: must be a list | No shell reads it"),
        ("{token_command: []}", "login.token_command: must be a list | No shell reads it"),
        (
            "{token_command: [token, desk]}",
            "login.token_command: `token` is no path of a program | Write its whole path.",
        ),
        ("{token_command: [/bin/token, 5]}", "login.token_command: must be text | Put it in quotes."),
    ],
)
def test_a_problem_of_a_login(check: Check, login: str, problem: str) -> None:
    found = check(with_login(login.replace("SECRET", SECRET)), base="")

    assert any(problem in one for one in found), found
    assert not any("hunter2" in one for one in found)
    assert all(one.startswith("4:") for one in found), found


@pytest.mark.parametrize(
    ("relay", "problem"),
    [
        ("{host: h, login: {token_command: [/t]}}", "1:1 relay.user: is missing beside `login` | Write both or none."),
        (
            "{host: h, user: u, password_file: p, login: {token_command: [/t]}}",
            "1:45 relay.login: has no use beside `password_file` | Keep one of the two.",
        ),
        ("{host: h, user: u, login: {}}", "1:27 relay.login: is empty | Write `oauth` or `token_command` in it."),
    ],
)
def test_a_problem_of_the_login_at_the_relay(check: Check, relay: str, problem: str) -> None:
    found = check(f"relay: {relay}\n")

    assert [one for one in found if problem in one], found


def test_password_and_login_exclude_one_another(check: Check) -> None:
    text = with_login("{token_command: [/t]}, password_file: p")

    assert "4:7 mailboxes.desk.receive.login: has no use beside `password_file` | Keep one of the two." in check(
        text, base=""
    )


def test_those_who_share_a_refresh_token_write_the_same(check: Check) -> None:
    """L9: a server that replaces it at each use would shut one of them out."""
    relay = "relay: {host: h, user: u, login: {oauth: {provider: google, client_id: %s, refresh_token_file: r}}}\n"
    mailbox = with_login("{oauth: {provider: google, client_id: a, refresh_token_file: r}}")

    assert check(mailbox + relay % "a", base="") == []
    assert "this refresh token with other settings already stands in line 4" in check(mailbox + relay % "b", base="")[0]


def test_secret_files_and_programs_are_looked_at(check: Check, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("#!/bin/sh\n")
    (tmp_path / "open").write_text("hunter2")
    (tmp_path / "open").chmod(0o644)
    oauth = "{oauth: {provider: google, client_id: a, client_secret_file: none, refresh_token_file: open}}"

    about_files = check(with_login(oauth), base="", needs_secrets=True)
    about_program = check(with_login("{token_command: [./plain]}"), base="", needs_secrets=True)

    assert "there is no file" in about_files[0]
    assert "everybody on this machine can read or change" in about_files[1]
    assert f"`{tmp_path / 'plain'}` is no program that can be run | chmod +x" in about_program[0]
