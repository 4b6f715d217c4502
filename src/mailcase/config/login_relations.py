"""How the parts of a login fit together: a password or tokens, a provider or an address, and the secrets for it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailcase.config.document import ANY, Document, KeyPath, Value
from mailcase.config.providers import ProviderName
from mailcase.config.relations import repetition
from mailcase.errors import Problem

_ONE_OF_TWO = "Keep one of the two."
#: A domain of the organisation, its id, or one of Microsoft's common words.
_TENANT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")


def login_problems(document: Document) -> Iterator[Problem]:
    """Every problem of this kind, in no particular order."""
    for path, receive in document.find("mailboxes", ANY, "receive"):
        if isinstance(receive, dict) and receive.get("kind") == "imap":
            yield from _imap_problems(document, path, receive)
    relay = document.mapping("relay")
    if relay and "maildir" not in relay:
        yield from _relay_problems(document, relay)
    for place in (("mailboxes", ANY, "receive", "login"), ("relay", "login")):
        for path, login in document.find(*place):
            yield from _login_problems(document, path, login)
    yield from _shared_refresh_tokens(document)


def _imap_problems(document: Document, path: KeyPath, receive: dict[str, Value]) -> Iterator[Problem]:
    if "password_file" in receive and "login" in receive:
        yield document.problem((*path, "login"), "has no use beside `password_file`", _ONE_OF_TWO, at_key=True)
    if "password_file" not in receive and "login" not in receive:
        hint = "Write the path of a file that holds the password alone, or `login` for access tokens."
        yield document.problem((*path, "password_file"), "is missing", hint)


def _relay_problems(document: Document, relay: dict[str, Value]) -> Iterator[Problem]:
    secrets = [key for key in ("password_file", "login") if key in relay]
    if len(secrets) == 2:
        yield document.problem(("relay", "login"), "has no use beside `password_file`", _ONE_OF_TWO, at_key=True)
    elif secrets and "user" not in relay:
        yield document.problem(("relay", "user"), f"is missing beside `{secrets[0]}`", "Write both or none.")
    elif "user" in relay and not secrets:
        hint = "Write both or none; `login` in its place is for access tokens."
        yield document.problem(("relay", "password_file"), "is missing beside `user`", hint)


def _login_problems(document: Document, path: KeyPath, login: Value) -> Iterator[Problem]:
    if login is None or login == {}:
        yield document.problem(path, "is empty", "Write `oauth` or `token_command` in it.", at_key=True)
    if not isinstance(login, dict):
        return
    if "oauth" in login and "token_command" in login:
        yield document.problem((*path, "token_command"), "has no use beside `oauth`", _ONE_OF_TWO, at_key=True)
    oauth = login.get("oauth")
    if isinstance(oauth, dict):
        yield from _server_problems(document, (*path, "oauth"), oauth)
        yield from _secret_problems(document, (*path, "oauth"), oauth)


def _server_problems(document: Document, path: KeyPath, oauth: dict[str, Value]) -> Iterator[Problem]:
    provider, tenant = oauth.get("provider"), oauth.get("tenant")
    if provider is None and "token_url" not in oauth:
        hint = "Write the address of the token server, or `provider: google` or `provider: microsoft`."
        yield document.problem((*path, "token_url"), "is missing", hint)
    if provider is not None and "token_url" in oauth:
        message = "has no use beside `provider`, which has its own"
        yield document.problem((*path, "token_url"), message, _ONE_OF_TWO, at_key=True)
    if provider == ProviderName.MICROSOFT and tenant is None:
        hint = "Write the Directory (tenant) ID of the app registration."
        yield document.problem((*path, "tenant"), "is missing beside `provider: microsoft`", hint)
    if tenant is not None and provider != ProviderName.MICROSOFT:
        message = "belongs to `provider: microsoft` alone"
        yield document.problem((*path, "tenant"), message, "Leave the line out.", at_key=True)
    if isinstance(tenant, str) and _TENANT.fullmatch(tenant) is None:
        hint = "Write the Directory (tenant) ID, or a domain of the organisation."
        yield document.problem((*path, "tenant"), "is no tenant", hint)


def _secret_problems(document: Document, path: KeyPath, oauth: dict[str, Value]) -> Iterator[Problem]:
    if "refresh_token_file" in oauth:
        if "client_secret_in" in oauth and "client_secret_file" not in oauth:
            message = "has no use without `client_secret_file`"
            yield document.problem((*path, "client_secret_in"), message, "Leave the line out.", at_key=True)
    elif oauth.get("provider") == ProviderName.GOOGLE:
        hint = "Google gives no tokens for mail to client credentials: write the file with the refresh token."
        yield document.problem((*path, "refresh_token_file"), "is missing beside `provider: google`", hint)
    elif "client_secret_file" not in oauth:
        hint = "Client credentials need the file with the client secret; the other way is `refresh_token_file`."
        yield document.problem((*path, "client_secret_file"), "is missing", hint)


def _shared_refresh_tokens(document: Document) -> Iterator[Problem]:
    """A server may replace a refresh token with every use: two that use it apart from one another would fall out."""
    first: dict[str, KeyPath] = {}
    for place in (("mailboxes", ANY, "receive", "login", "oauth"), ("relay", "login", "oauth")):
        for path, oauth in document.find(*place):
            file = oauth.get("refresh_token_file") if isinstance(oauth, dict) else None
            if not isinstance(file, str):
                continue
            if file in first and document.value(*first[file]) != oauth:
                hint = "Those who share a refresh token write the same `oauth`, key by key."
                what = "this refresh token with other settings"
                yield repetition(document, (*path, "refresh_token_file"), first[file], what, hint)
            first.setdefault(file, path)
