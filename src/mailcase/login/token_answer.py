"""Reading what a token server answers (RFC 6749 s. 5); pure. What is not certain is not there."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import timedelta

from mailcase.config.settings import OAuthClient
from mailcase.login.errors import LoginImpossible, TokenUnavailable

#: RFC 6750 s. 2.1 and, more widely, RFC 6749 s. A.12: printable ASCII without space, so that it cannot end a command.
_TOKEN = re.compile(r"[!-~]{1,16384}")
_REFRESH_TOKEN = re.compile(r"[ -~]{1,16384}")
#: Servers put tokens and ids of sessions into their words; nothing that long is meant for people.
_OPAQUE = re.compile(r"[^\s'\"]{40,}")
_WORDS_LIMIT = 300
#: More than any token's life; keeps every date that follows inside the calendar.
_LONGEST_SECONDS = 10 * 366 * 86400
#: Longest pause that a server may ask for.
_LONGEST_PAUSE = timedelta(hours=1)
_TEMPORARY_CODES = frozenset({"temporarily_unavailable", "server_error", "slow_down", "authorization_pending"})
_TEMPORARY_STATUSES = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """An answer of a token server; `body` is None when it was larger than any such answer."""

    status: int
    body: bytes | None
    retry_after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAnswer:
    """What was given. Lifetimes count from the request; None where the server does not tell."""

    access_token: str = field(repr=False)
    lifetime: timedelta | None
    #: One that takes the place of the refresh token that was used.
    refresh_token: str | None = field(default=None, repr=False)
    refresh_lifetime: timedelta | None = None


def read_answer(answer: HttpAnswer, client: OAuthClient) -> TokenAnswer:
    """The tokens. Raises LoginImpossible where an operator must act, TokenUnavailable where a later attempt may do."""
    said = _mapping(answer.body)
    error = said.get("error")
    if answer.status == 200 and error is None:
        return _granted(said, answer, client)
    if isinstance(error, str):
        raise _refusal(error, said, answer, client)
    raise _failure(answer, client)


def read_grant(said: dict[str, object], where: str) -> TokenAnswer:
    """The tokens in the JSON object of a server or program, which is called `where`. Raises as `read_answer`."""
    token, kind = said.get("access_token"), said.get("token_type", "Bearer")
    if not isinstance(token, str) or _TOKEN.fullmatch(token) is None:
        raise TokenUnavailable(f"{where} gives no access token that could be used")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise LoginImpossible(f"{where} gives tokens of the type {words(str(kind))}; mail servers take Bearer alone")
    refresh = said.get("refresh_token")
    is_usable = isinstance(refresh, str) and _REFRESH_TOKEN.fullmatch(refresh) is not None
    return TokenAnswer(
        access_token=token,
        lifetime=_lifetime(said.get("expires_in")),
        refresh_token=str(refresh) if is_usable else None,
        # Not in the RFC; the second is Keycloak's, where 0 means without end.
        refresh_lifetime=_lifetime(said.get("refresh_token_expires_in") or said.get("refresh_expires_in")),
    )


def words(text: str) -> str:
    """What a server or program said, in one short line, without anything as long as a token."""
    return _OPAQUE.sub("***", " ".join(text.split()))[:_WORDS_LIMIT]


def _mapping(body: bytes | None) -> dict[str, object]:
    try:
        said = json.loads(body or b"")
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _granted(said: dict[str, object], answer: HttpAnswer, client: OAuthClient) -> TokenAnswer:
    where = f"the token server {client.token_url}"
    if not said:
        what = "more than any token server has to say" if answer.body is None else "no JSON object"
        raise TokenUnavailable(f"{where} answers {what}; is `token_url` right, and no proxy in between?")
    return read_grant(said, where)


def _lifetime(value: object) -> timedelta | None:
    """Seconds, which some servers write as text; None for anything else."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 12:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LONGEST_SECONDS:
        return None
    return timedelta(seconds=value)


def _refusal(error: str, said: dict[str, object], answer: HttpAnswer, client: OAuthClient) -> Exception:
    """RFC 6749 s. 5.2, with what to do."""
    description = said.get("error_description")
    told = words(f"{error}: {description}" if isinstance(description, str) else error)
    if error in _TEMPORARY_CODES or _is_temporary(answer.status):
        message = f"the token server {client.token_url} cannot give a token now: {told}"
        return TokenUnavailable(message, retry_after=_pause(answer))
    return LoginImpossible(f"the token server {client.token_url} refuses: {told}; {_advice(error, client)}")


def _advice(error: str, client: OAuthClient) -> str:
    secret = client.client_secret.path if client.client_secret else None
    match error:
        case "invalid_grant" | "interaction_required" | "consent_required" if client.refresh_token is not None:
            return (
                "the refresh token has ended or was withdrawn: let the owner of the mailbox consent again, and put the "
                f"new refresh token into {client.refresh_token.path}; it is taken up by itself"
            )
        case "invalid_client":
            file = f" and the first line of {secret} (the secret's value, not its id; has it ended?)" if secret else ""
            return f"check `client_id`{file}"
        case "unauthorized_client" | "access_denied":
            return "the application must be allowed to do this: check `client_id`, its permissions and the consent"
        case "invalid_scope":
            return f"check `scope`, which is {client.scope or 'not written'}"
        case "unsupported_grant_type":
            kind = "refresh tokens" if client.refresh_token else "client credentials; `refresh_token_file` may do"
            return f"it takes no {kind}"
        case _:
            return "check `token_url`, `client_id`, `scope` and the secret files"


def _failure(answer: HttpAnswer, client: OAuthClient) -> Exception:
    """An answer without a reason."""
    where = f"the token server {client.token_url}"
    if _is_temporary(answer.status):
        return TokenUnavailable(f"{where} answers {answer.status}", retry_after=_pause(answer))
    if 300 <= answer.status < 400:
        return LoginImpossible(
            f"{where} answers {answer.status}, another address, to which no secret is sent; check `token_url`"
        )
    return LoginImpossible(f"{where} answers {answer.status} without a reason; check `token_url`")


def _is_temporary(status: int) -> bool:
    return status >= 500 or status in _TEMPORARY_STATUSES


def _pause(answer: HttpAnswer) -> timedelta | None:
    """Retry-After in seconds; its other form, a date, is passed over."""
    asked = answer.retry_after or ""
    if not asked.isdecimal() or len(asked) > 9:
        return None
    return min(timedelta(seconds=int(asked)), _LONGEST_PAUSE)
