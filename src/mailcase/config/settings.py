"""The configuration as the daemon uses it: frozen, complete, every default filled in. `reader.py` makes it.

Durations are timedeltas, paths are absolute (relative ones count from the folder of the file), addresses are lower
case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo

from mailcase.core.case import MailboxName, PersonId, ProcessName, QueueName
from mailcase.core.process import Process
from mailcase.core.routing import Route


class Language(StrEnum):
    """Languages with templates and labels of their own."""

    ENGLISH = "en"
    FRENCH = "fr"


class LogLevel(StrEnum):
    """The least that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class ReplyAddress(StrEnum):
    """Where answers to our mail are sent."""

    #: Reply-To is the plain address; threading rests on headers and tag.
    PLAIN = "plain"
    #: `support+c1042.k1mac@`.
    PLUS = "plus"
    #: Any local part of the domain arrives here: `support+...` too, and it is known to work.
    CATCH_ALL = "catch-all"


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonSettings:
    """An agent."""

    id: PersonId
    name: str
    address: str
    #: User name on the machine; `--as` defaults to the person whose login it is.
    login: str | None
    queues: tuple[QueueName, ...]
    is_leader: bool
    is_retired: bool
    language: Language


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFile:
    """A secret that is read from a file when it is needed and never kept or shown."""

    path: Path

    def read(self) -> str:
        """The first line of the file without its end. Raises OSError when it cannot be read."""
        return self.path.read_text(encoding="utf-8").split("\n", 1)[0].rstrip("\r")


class SecretPlace(StrEnum):
    """Where the client secret stands in a request for a token (RFC 6749 s. 2.3.1)."""

    BODY = "body"
    #: HTTP Basic authentication.
    HEADER = "header"


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthClient:
    """How access tokens are had from a token server (RFC 6749): with a refresh token, else with client credentials.

    Equal ones share their tokens: one mailbox and the relay, or several mailboxes of one application.
    """

    #: https, or http on this machine.
    token_url: str
    client_id: str
    #: None only beside a refresh token: a public client.
    client_secret: SecretFile | None
    #: The one that the operator was given; the server may have replaced it since (`login/kept.py`).
    refresh_token: SecretFile | None
    scope: str | None
    secret_place: SecretPlace = SecretPlace.BODY
    #: Extra certificate authority of the token server, PEM.
    ca_file: Path | None = None
    #: The day on which the client secret or the refresh token ends, as the operator was told.
    secret_expires: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCommand:
    """A program that prints an access token; run without a shell."""

    #: The program by its absolute path, and its arguments.
    command: tuple[str, ...]


#: How we prove who we are: a password, or access tokens.
Login = SecretFile | OAuthClient | TokenCommand


class AfterTaking(StrEnum):
    """What is done on the server with a mail that is ours."""

    MOVE = "move"
    FLAG = "flag"
    LEAVE = "leave"


class Tls(StrEnum):
    """How a connection is protected. Certificates are always verified; NONE is for loopback only."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImapSource:
    """A mailbox on an IMAP server."""

    host: str
    port: int
    tls: Tls
    #: Extra certificate authority, PEM; None uses the system's.
    ca_file: Path | None
    #: May differ from the addresses: a shared mailbox, or the account that may read it.
    user: str
    login: Login
    folder: str
    after: AfterTaking
    #: Folder for AfterTaking.MOVE; made when missing.
    move_to: str
    #: True takes the mail that is there at first contact too (`start: all`).
    takes_existing: bool
    #: Longest time between two complete looks, whatever IDLE says.
    poll_every: timedelta = timedelta(minutes=2)
    #: Wall-clock limit of one command.
    command_timeout: timedelta = timedelta(seconds=60)


class ListenerKind(StrEnum):
    """Protocol of a listener."""

    SMTP = "smtp"
    LMTP = "lmtp"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerSource:
    """A port on which mail is delivered to us."""

    kind: ListenerKind
    host: str
    #: 0 picks a free port; `Listener.port` tells which.
    port: int
    #: How long senders keep trying: windows stay open that long after a gap (docs/decisions/0002).
    sender_retry: timedelta = timedelta(minutes=70)
    #: Names of the mail servers that deliver here, lower case: after a gap, mail is judged by when they took it.
    relays: tuple[str, ...] = ()


Source = ImapSource | ListenerSource


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAddress:
    """One of our addresses, and how mail from it looks."""

    address: str
    #: Display name.
    name: str
    signature: str
    language: Language
    reply_address: ReplyAddress
    #: Templates found here win over those of `Settings.templates`.
    templates: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxSettings:
    """A monitored mailbox."""

    name: MailboxName
    source: Source
    is_enabled: bool
    #: The first is the primary address, the only one that the fallback serves (EM-34).
    addresses: tuple[OwnAddress, ...]
    #: In the operator's order; wildcard routes come after the others.
    routes: tuple[Route, ...]
    fallback: ProcessName
    #: How the server that takes in the mail calls itself in Authentication-Results, in lower case; None believes none.
    authserv_id: str | None = None

    def address(self, key: str) -> OwnAddress | None:
        """The own address of that lower-case form."""
        return next((own for own in self.addresses if own.address == key), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """The SMTP server that takes our mail."""

    host: str
    port: int
    tls: Tls
    ca_file: Path | None
    #: Both or none.
    user: str | None
    login: Login | None
    #: Name given in EHLO; never looked up.
    helo: str
    connections: int = 2
    timeout: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaildirRelay:
    """A local Maildir in place of a relay: what goes out can be read and reaches nobody."""

    path: Path


class OutgoingMode(StrEnum):
    """What happens to mail of ours."""

    SEND = "send"
    HOLD = "hold"
    REDIRECT = "redirect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """`outgoing: send | hold | {redirect: ADDRESS}`."""

    mode: OutgoingMode
    #: Set exactly for redirect.
    redirect_to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Every interval, lease and limit that is not part of something else; all are settings."""

    message_bytes: int = 25 * 1024 * 1024
    #: A mail whose handling did not finish this often is parked.
    attempts: int = 3
    inbox_batch: int = 20
    inbox_batch_bytes: int = 8 * 1024 * 1024
    #: While listeners are offered mail, the handling of what was taken rests up to this long after each batch.
    inbox_rest: timedelta = timedelta(seconds=1)
    #: Cases that time has come for, handled in one transaction.
    due_batch: int = 50
    #: Mails that one connection to the relay claims at a time.
    outbox_batch: int = 10
    lease: timedelta = timedelta(minutes=5)
    #: Deadline of reading one mail in a process of its own, and that process's memory.
    read_timeout: timedelta = timedelta(seconds=10)
    read_memory_bytes: int = 512 * 1024 * 1024
    #: Attachments passed on in a notice to agents, in all.
    notice_attachment_bytes: int = 5 * 1024 * 1024
    #: Growing gaps between attempts: the nth comes n * n * this later, until `retry_for` has passed.
    retry_step: timedelta = timedelta(minutes=1)
    retry_for: timedelta = timedelta(days=5)
    #: An interrupted DATA is sent again (True) or left for the operator (False, the default).
    resend_unknown: bool = False
    #: Safety net of every loop, beside being woken.
    loop_poll: timedelta = timedelta(seconds=15)
    #: How long a loop waits that cannot reach what it needs: the first time, and at most; it doubles in between.
    pause_first: timedelta = timedelta(seconds=1)
    pause_longest: timedelta = timedelta(seconds=15)
    #: Time a clean stop may take.
    stop_within: timedelta = timedelta(seconds=10)
    sessions: int = 50
    sessions_per_address: int = 20
    #: Memory for all mails that listeners are receiving; over it a client is asked to come again.
    sessions_bytes: int = 100 * 1024 * 1024
    #: Kept free on the disk of the store: with less, no mail is taken. None: 5 % of it, at most 500 MB; 0: nothing.
    reserve_bytes: int | None = None
    recipients: int = 100
    session_for: timedelta = timedelta(minutes=10)
    session_idle: timedelta = timedelta(seconds=60)
    #: Time for getting an access token: the token server's whole answer, or the end of the `token_command`.
    token_timeout: timedelta = timedelta(seconds=30)
    #: Clock differences to a mail server: subtracted from what was read through.
    clock_tolerance: timedelta = timedelta(seconds=60)
    #: Lifetime of a signing key, and how long before its end the next one is made.
    key_lifetime: timedelta = timedelta(days=400)
    key_renewal: timedelta = timedelta(days=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything the operator decided."""

    #: The configuration file itself.
    file: Path
    #: The SQLite file; its folder also holds keys, lock and, without RUNTIME_DIRECTORY, the socket.
    store: Path
    #: `RuntimeDirectory/mailcase.sock`.
    socket: Path
    language: Language
    zone: ZoneInfo
    people: Mapping[PersonId, PersonSettings]
    queues: tuple[QueueName, ...]
    processes: Mapping[ProcessName, Process]
    mailboxes: Mapping[MailboxName, MailboxSettings]
    relay: Relay | MaildirRelay
    outgoing: Outgoing
    #: The operator's own templates; each found here wins over ours.
    templates: Path | None
    log_level: LogLevel = LogLevel.INFO
    limits: Limits = field(default_factory=Limits)

    @property
    def state_folder(self) -> Path:
        """Where the database, the keys and the lock live."""
        return self.store.parent
