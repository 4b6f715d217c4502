"""The shape of the file: its keys, the kind of each value, and the defaults. Every value is looked at by itself here;
how they fit together is for `relations.py` and its neighbours.
"""

from __future__ import annotations

from dataclasses import fields as dataclass_fields
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, Literal, get_type_hints
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

from mailcase.config.fields import (
    DEFAULT_MOVE_TO,
    Address,
    AddressPatterns,
    After,
    Command,
    Count,
    DueSpan,
    Duration,
    Endings,
    Folder,
    Host,
    Hosts,
    Importances,
    Listen,
    Name,
    OutgoingChoice,
    PersonKey,
    Port,
    Reserve,
    RouteTarget,
    Size,
    StorePath,
    Text,
    Texts,
    TokenUrl,
    WindowSpan,
    Zone,
)
from mailcase.config.mistakes import Mistake
from mailcase.config.paths import DEFAULT_STORE
from mailcase.config.providers import ProviderName
from mailcase.config.settings import (
    AfterTaking,
    Language,
    Limits,
    LogLevel,
    Outgoing,
    OutgoingMode,
    ReplyAddress,
    SecretPlace,
    Tls,
)
from mailcase.config.working_time import Week, check_country, check_subdivision, read_date, read_days, read_week
from mailcase.core.process import Notice

# Names of enumerations stand in the file as text, which strict validation would refuse.
LanguageName = Annotated[Language, Field(strict=False)]
LogLevelName = Annotated[LogLevel, Field(strict=False)]
TlsName = Annotated[Tls, Field(strict=False)]
ReplyAddressName = Annotated[ReplyAddress, Field(strict=False)]
NoticeName = Annotated[Notice, Field(strict=False)]
Provider = Annotated[ProviderName, Field(strict=False)]
SecretPlaceName = Annotated[SecretPlace, Field(strict=False)]
Day = Annotated[date, PlainValidator(read_date)]


def _empty_if_none(value: object) -> object:
    return {} if value is None else value


def _none_if_no_days(value: object) -> object:
    """ST-20: no days are no window."""
    words = str(value).split() if isinstance(value, str | int) else []
    return None if words in (["0"], ["0", "days"], ["0", "working", "days"]) else value


def _addresses_by_key(value: object) -> object:
    if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        return dict.fromkeys(value)
    return value


class Entry(BaseModel):
    """A mapping of the file. `key:` with nothing after it is an empty one."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @classmethod
    def long_form(cls, value: object) -> object:
        """The mapping for which a shorter way of writing stands."""
        return {} if value is None else value

    @model_validator(mode="before")
    @classmethod
    def _in_long_form(cls, value: object) -> object:
        return cls.long_form(value)


class PersonEntry(Entry):
    """An agent."""

    name: Text | None = None
    address: Address = Field(description="Notices to this person go there.")
    login: Text | None = None
    queues: list[Text] | None = None
    role: Literal["leader", "member"] = "member"
    retired: bool = False
    language: LanguageName | None = None


class QueueEntry(Entry):
    """A queue has a name only."""


class HolidaysEntry(Entry):
    """Days off; `FR` stands for `{country: FR}`, a list for `{extra: [...]}`."""

    country: Text | None = None
    subdivision: Text | None = None
    extra: list[Day] = []

    @classmethod
    def long_form(cls, value: object) -> object:
        if isinstance(value, str):
            return {"country": value}
        return {"extra": value} if isinstance(value, list) else super().long_form(value)

    @field_validator("country")
    @classmethod
    def _is_known(cls, country: str | None) -> str | None:
        if country is not None:
            check_country(country)
        return country

    @field_validator("subdivision")
    @classmethod
    def _belongs_to_the_country(cls, subdivision: str | None, info: ValidationInfo) -> str | None:
        # A wrong country is absent from the data, a missing one is None.
        country = info.data.get("country", "")
        if subdivision is not None and country is None:
            raise Mistake("needs the country it is a part of", "Add `country`.")
        if subdivision is not None and country:
            check_subdivision(country, subdivision)
        return subdivision


class CalendarEntry(Entry):
    """When people work."""

    days: Annotated[frozenset[int] | None, PlainValidator(read_days)] = None
    hours: Annotated[Week, Field(validate_default=True)] = "09:00-17:00"  # type: ignore[assignment]  # read below
    holidays: HolidaysEntry = HolidaysEntry()
    time_zone: Zone | None = None

    @field_validator("hours", mode="plain")
    @classmethod
    def _week(cls, hours: object, info: ValidationInfo) -> Week:
        days = info.data.get("days")
        if days is not None and isinstance(hours, dict):
            raise Mistake("names the days, and so does `days`", "Keep one of the two.")
        week = read_week(frozenset(range(5)) if days is None else days, hours)
        if not any(week):
            raise Mistake("there is no working time in this calendar", "Write hours as in `09:00-17:00`.")
        return week


class DueEntry(Entry):
    """When a case must be done; `2 days` stands for `{add: 2 days}`."""

    add: DueSpan = Field(description="Say how long after its start the case is due, as in `add: 2 days`.")
    calendar: Text | None = None
    add_wait_time: bool = False
    next_morning: bool = False
    end_of_day: bool = False
    may_override: bool = True
    promise: bool = False
    expected_effort: Duration | None = None

    @classmethod
    def long_form(cls, value: object) -> object:
        return {"add": value} if isinstance(value, str | int) else super().long_form(value)


class WindowEntry(Entry):
    """How long a resolved case can be reopened; `5 days` stands for `{length: 5 days}`."""

    length: WindowSpan = Field(description="Say how many days, as in `length: 5 days`.")
    calendar: Text | None = None

    @classmethod
    def long_form(cls, value: object) -> object:
        return {"length": value} if isinstance(value, str | int) else super().long_form(value)


class WaitReasonEntry(Entry):
    """What a case can wait for; `internal` stands for `{name: internal}`."""

    name: Text = Field(description="Agents choose the reason by it.")
    ask: Literal["requester"] | None = None

    @classmethod
    def long_form(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else super().long_form(value)


class ProcessEntry(Entry):
    """One kind of case."""

    queue: Text | None = None
    time_zone: Zone | None = None
    due: DueEntry | None = None
    feedback_window: Annotated[WindowEntry | None, BeforeValidator(_none_if_no_days)] = None
    wait_reasons: list[WaitReasonEntry] | None = None
    notices: Annotated[dict[NoticeName, bool], BeforeValidator(_empty_if_none)] = {}
    allocation: list[Text] = []
    answer_takes: bool = True
    retired: bool = False


class OAuthEntry(Entry):
    """Access tokens from a token server, by client credentials or with a refresh token."""

    provider: Provider | None = None
    tenant: Text | None = None
    token_url: TokenUrl | None = None
    client_id: Text = Field(description="Write the id under which the provider knows the application.")
    client_secret_file: Text | None = None
    client_secret_in: SecretPlaceName = SecretPlace.BODY
    refresh_token_file: Text | None = None
    scope: Text | None = None
    secret_expires: Day | None = None
    ca_file: Text | None = None


class LoginEntry(Entry):
    """A login by access tokens in place of a password."""

    oauth: OAuthEntry | None = None
    token_command: Command | None = None


class ImapEntry(Entry):
    """Mail is fetched from an IMAP server."""

    kind: Literal["imap"]
    host: Host = Field(description="Write the name of the IMAP server.")
    port: Port | None = None
    tls: TlsName = Tls.TLS
    ca_file: Text | None = None
    user: Text | None = None
    password_file: Text | None = None
    login: LoginEntry | None = None
    folder: Folder = "INBOX"
    after: After = (AfterTaking.MOVE, DEFAULT_MOVE_TO)
    start: Literal["now", "all"] = "now"
    poll_every: Duration = timedelta(minutes=2)
    command_timeout: Duration = timedelta(seconds=60)


class ListenerEntry(Entry):
    """Mail is delivered to us."""

    kind: Literal["smtp", "lmtp"]
    listen: Listen = Field(description="Write host and port, as in `127.0.0.1:2525`.")
    sender_retry: Duration = timedelta(minutes=70)
    relays: Hosts = []


class AddressEntry(Entry):
    """One of our addresses."""

    name: str = ""
    signature: str = ""
    language: LanguageName | None = None
    reply_address: ReplyAddressName | None = None
    templates: Text | None = None


class RouteEntry(Entry):
    """Conditions that lead to a process."""

    to: RouteTarget | None = None
    senders: AddressPatterns | None = Field(default=None, alias="from")
    recipients: AddressPatterns | None = None
    subject: Texts | None = None
    importance: Importances | None = None
    attachments: Endings | None = None
    process: Text = Field(description="Name the process that the route starts.")
    acknowledge: bool = True


class MailboxEntry(Entry):
    """A monitored mailbox."""

    receive: Annotated[
        ImapEntry | ListenerEntry,
        Field(discriminator="kind", description="Say how mail comes in: `kind` is imap, smtp or lmtp."),
    ]
    enabled: bool = True
    authserv_id: Host | None = None
    addresses: Annotated[
        dict[Address, AddressEntry],
        BeforeValidator(_addresses_by_key),
        Field(min_length=1, description="Write the addresses whose mail comes in here; the first is the primary one."),
    ]
    routes: list[RouteEntry] = []
    fallback: Text = Field(description="Every mailbox names the process that takes what no route takes (EM-3).")


class RelayEntry(Entry):
    """Where our mail goes: a server, or a Maildir."""

    host: Host | None = None
    port: Port | None = None
    tls: TlsName = Tls.STARTTLS
    ca_file: Text | None = None
    user: Text | None = None
    password_file: Text | None = None
    login: LoginEntry | None = None
    helo: Host | None = None
    connections: Annotated[int, Field(ge=1, le=20)] = 2
    timeout: Duration = timedelta(seconds=60)
    maildir: Text | None = None


if TYPE_CHECKING:
    LimitsEntry = Entry
else:
    _LIMIT_KINDS = {int: Count, bool: bool, timedelta: Duration, int | None: Reserve}
    _LIMIT_TYPES = get_type_hints(Limits)

    def _is_size(name: str) -> bool:
        return name.endswith("_bytes") and _LIMIT_TYPES[name] is int

    #: Every field of `Limits` under its own name, those in bytes as sizes.
    LimitsEntry = create_model(
        "LimitsEntry",
        __base__=Entry,
        __doc__="Intervals, leases and limits.",
        **{
            limit.name: (
                Size if _is_size(limit.name) else _LIMIT_KINDS[_LIMIT_TYPES[limit.name]],
                limit.default,
            )
            for limit in dataclass_fields(Limits)
        },
    )


def to_limits(entry: Entry) -> Limits:
    """The limits of a `LimitsEntry`."""
    return Limits(**dict(entry))


class FileEntry(Entry):
    """The whole file."""

    store: StorePath = DEFAULT_STORE
    socket: Text | None = None
    language: LanguageName = Language.ENGLISH
    time_zone: Zone = ZoneInfo("UTC")
    people: Annotated[dict[PersonKey, PersonEntry], BeforeValidator(_empty_if_none)] = {}
    queues: Annotated[dict[Name, QueueEntry], BeforeValidator(_empty_if_none)] = {}
    calendars: Annotated[dict[Name, CalendarEntry], BeforeValidator(_empty_if_none)] = {}
    processes: Annotated[
        dict[Name, ProcessEntry],
        BeforeValidator(_empty_if_none),
        Field(min_length=1, description="Write at least one kind of case, as in `processes: {enquiry: {}}`."),
    ]
    mailboxes: Annotated[
        dict[Name, MailboxEntry],
        BeforeValidator(_empty_if_none),
        Field(min_length=1, description="Write at least one mailbox that cases come from."),
    ]
    relay: RelayEntry | None = None
    outgoing: OutgoingChoice = Outgoing(mode=OutgoingMode.SEND)
    templates: Text | None = None
    log_level: LogLevelName = LogLevel.INFO
    limits: LimitsEntry = LimitsEntry()
