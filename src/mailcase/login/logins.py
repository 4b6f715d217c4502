"""The logins of all mailboxes and of the relay: what each shows to its server, and how each stands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol, assert_never

from mailcase.clock import Clock
from mailcase.config.settings import (
    ImapSource,
    Login,
    MaildirRelay,
    OAuthClient,
    SecretFile,
    Settings,
    TokenCommand,
)
from mailcase.core.case import MailboxName
from mailcase.entropy import Entropy
from mailcase.login.credentials import Bearer, Credential, Password
from mailcase.login.errors import LoginImpossible, LoginRefused, TokenUnavailable
from mailcase.login.token_command import TokenProgram
from mailcase.login.token_server import TokenServer, read_secret
from mailcase.login.tokens import TokenPace, Tokens
from mailcase.offload import Offload

BEARER_ADVICE = "check that `user` is the mailbox, and that the application, or whoever consented, may use it"


class LoginKind(StrEnum):
    """How somebody logs in."""

    PASSWORD = "password"  # noqa: S105 - a kind, no password
    CLIENT_CREDENTIALS = "client-credentials"
    REFRESH_TOKEN = "refresh-token"  # noqa: S105 - a kind, no token
    TOKEN_COMMAND = "token-command"  # noqa: S105 - a kind, no token


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginStatus:
    """How a login stands; all of it may be shown."""

    kind: LoginKind
    user: str
    #: Of the access token at hand; None without one, and `expires_at` also where nobody told.
    token_obtained_at: datetime | None = None
    token_expires_at: datetime | None = None
    #: End of the refresh token as the server told it, else of the secret as the operator wrote it (`secret_expires`).
    secret_expires_at: datetime | date | None = None
    #: Why the last login did not succeed, with what to do; None when it did, or none was tried.
    failure: str | None = None
    failed_at: datetime | None = None
    #: An operator must act; otherwise it may pass by itself.
    needs_operator: bool = False


class Credentials(Protocol):
    """What one mailbox, or the relay, shows to its server. Every text is free of secrets."""

    async def get(self, *, at_once: bool = False) -> Credential:
        """For one login, now. `at_once`: a person waits, so that pauses after failures do not hold.

        Raises LoginImpossible, TokenUnavailable.
        """
        ...

    def accepted(self) -> None:
        """The server let us in."""
        ...

    def refused(self, credential: Credential, reason: str) -> bool:
        """The server did not; says whether `get` may have another one that is worth a try."""
        ...

    @property
    def status(self) -> LoginStatus:
        """How it stands."""
        ...


async def log_in(
    credentials: Credentials, attempt: Callable[[Credential], Awaitable[None]], *, at_once: bool = False
) -> None:
    """Tries it, and once more where a token of before was refused and a new one can be had.

    Raises LoginRefused, LoginImpossible, TokenUnavailable, and what else `attempt` raises.
    """
    credential = await credentials.get(at_once=at_once)
    try:
        await attempt(credential)
    except LoginRefused as error:
        if not credentials.refused(credential, str(error)):
            raise
        credential = await credentials.get(at_once=at_once)
        try:
            await attempt(credential)
        except LoginRefused as second:
            credentials.refused(credential, str(second))
            raise
    credentials.accepted()


class _Record:
    """What became of the last login."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.failure: str | None = None
        self.failed_at: datetime | None = None
        self.needs_operator = False

    def failed(self, reason: str, *, needs_operator: bool = True) -> None:
        self.failure, self.failed_at, self.needs_operator = reason, self._clock.now(), needs_operator

    def succeeded(self) -> None:
        self.failure, self.failed_at, self.needs_operator = None, None, False


class PasswordCredentials:
    """A password, read from its file for each login."""

    def __init__(self, user: str, file: SecretFile, *, clock: Clock) -> None:
        self._user = user
        self._file = file
        self._record = _Record(clock)

    async def get(self, *, at_once: bool = False) -> Credential:
        """See `Credentials`."""
        try:
            secret = read_secret(self._file)
        except LoginImpossible as error:
            self._record.failed(str(error))
            raise
        advice = f"check `user` and the first line of {self._file.path} (many providers want an app password)"
        return Password(user=self._user, secret=secret, advice=advice)

    def accepted(self) -> None:
        """See `Credentials`."""
        self._record.succeeded()

    def refused(self, credential: Credential, reason: str) -> bool:
        """See `Credentials`. Tried again, a wrong password only locks the account."""
        self._record.failed(reason)
        return False

    @property
    def status(self) -> LoginStatus:
        """See `Credentials`."""
        record = self._record
        return LoginStatus(
            kind=LoginKind.PASSWORD,
            user=self._user,
            failure=record.failure,
            failed_at=record.failed_at,
            needs_operator=record.needs_operator,
        )


class TokenCredentials:
    """An access token of a client that others may share."""

    def __init__(self, user: str, login: OAuthClient | TokenCommand, tokens: Tokens, *, clock: Clock) -> None:
        self._user = user
        self._login = login
        self._tokens = tokens
        self._record = _Record(clock)

    async def get(self, *, at_once: bool = False) -> Credential:
        """See `Credentials`."""
        try:
            token = await self._tokens.get(at_once=at_once)
        except (LoginImpossible, TokenUnavailable) as error:
            self._record.failed(str(error), needs_operator=isinstance(error, LoginImpossible))
            raise
        return Bearer(user=self._user, token=token, advice=BEARER_ADVICE)

    def accepted(self) -> None:
        """See `Credentials`."""
        self._record.succeeded()

    def refused(self, credential: Credential, reason: str) -> bool:
        """See `Credentials`."""
        self._record.failed(reason)
        return isinstance(credential, Bearer) and self._tokens.refused(credential.token)

    @property
    def status(self) -> LoginStatus:
        """See `Credentials`. A failure to renew shows even while the token at hand still does (L9)."""
        token, renewal, record = self._tokens.token, self._tokens.failure, self._record
        return LoginStatus(
            kind=_kind(self._login),
            user=self._user,
            token_obtained_at=token.obtained_at if token else None,
            token_expires_at=token.expires_at if token else None,
            secret_expires_at=self._tokens.refresh_expires_at or _written_end(self._login),
            failure=renewal.reason if renewal else record.failure,
            failed_at=renewal.at if renewal else record.failed_at,
            needs_operator=renewal.needs_operator if renewal else record.needs_operator,
        )


def _kind(login: OAuthClient | TokenCommand) -> LoginKind:
    if isinstance(login, TokenCommand):
        return LoginKind.TOKEN_COMMAND
    return LoginKind.REFRESH_TOKEN if login.refresh_token else LoginKind.CLIENT_CREDENTIALS


def _written_end(login: OAuthClient | TokenCommand) -> date | None:
    return login.secret_expires if isinstance(login, OAuthClient) else None


class Logins:
    """The credentials of everybody, made once; those with the same client share its tokens."""

    def __init__(
        self, settings: Settings, *, clock: Clock, entropy: Entropy, offload: Offload, pace: TokenPace | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._entropy = entropy
        self._offload = offload
        self._pace = pace or TokenPace()
        self._tokens: dict[OAuthClient | TokenCommand, Tokens] = {}
        #: Of every mailbox that is read by IMAP.
        self.mailboxes: Mapping[MailboxName, Credentials] = {
            name: self._credentials(mailbox.source.user, mailbox.source.login)
            for name, mailbox in settings.mailboxes.items()
            if isinstance(mailbox.source, ImapSource)
        }
        #: None without a relay, or with one that wants no login.
        self.relay = self._of_relay()

    def of_mailbox(self, name: MailboxName) -> LoginStatus | None:
        """How the login of a mailbox stands; None for one that has none."""
        credentials = self.mailboxes.get(name)
        return credentials.status if credentials else None

    def of_relay(self) -> LoginStatus | None:
        """How the login of the relay stands; None without one."""
        return self.relay.status if self.relay else None

    def by_token(self) -> dict[str, TokenCredentials]:
        """The logins by access token, by `mailbox NAME` and `relay`."""
        named: dict[str, Credentials | None] = {f"mailbox {name}": login for name, login in self.mailboxes.items()}
        named["relay"] = self.relay
        return {name: login for name, login in named.items() if isinstance(login, TokenCredentials)}

    def _of_relay(self) -> Credentials | None:
        relay = self._settings.relay
        if isinstance(relay, MaildirRelay) or relay.user is None or relay.login is None:
            return None
        return self._credentials(relay.user, relay.login)

    def _credentials(self, user: str, login: Login) -> Credentials:
        match login:
            case SecretFile():
                return PasswordCredentials(user, login, clock=self._clock)
            case OAuthClient() | TokenCommand():
                if login not in self._tokens:
                    self._tokens[login] = self._new_tokens(login)
                return TokenCredentials(user, login, self._tokens[login], clock=self._clock)
            case _:
                assert_never(login)

    def _new_tokens(self, login: OAuthClient | TokenCommand) -> Tokens:
        timeout = self._settings.limits.token_timeout
        issuer: TokenServer | TokenProgram
        secret_files: tuple[Path, ...] = ()
        if isinstance(login, TokenCommand):
            issuer, name = TokenProgram(login, clock=self._clock), f"the token_command {login.command[0]}"
        else:
            issuer = TokenServer(
                login,
                state_folder=self._settings.state_folder,
                clock=self._clock,
                offload=self._offload,
                timeout=timeout,
            )
            name, secret_files = f"the token server {login.token_url}", issuer.secret_files()
        return Tokens(
            issuer,
            name=name,
            secret_files=secret_files,
            clock=self._clock,
            entropy=self._entropy,
            timeout=timeout,
            pace=self._pace,
        )
