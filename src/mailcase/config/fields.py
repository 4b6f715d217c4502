"""The kinds of value that a configuration is made of: addresses, names, hosts, sizes. Each reader raises Mistake."""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator, Field, PlainValidator

from mailcase.config.document import quoted
from mailcase.config.durations import read_duration, read_span, read_window
from mailcase.config.mistakes import Mistake, did_you_mean
from mailcase.config.settings import AfterTaking, Outgoing, OutgoingMode
from mailcase.core.case import SYSTEM
from mailcase.core.process import Span

#: RFC 5321 s. 4.5.3.1: local part and whole address.
LOCAL_PART_LIMIT = 64
_ADDRESS_LIMIT = 254
_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_DOMAIN.pattern}", re.ASCII)
_HOST = re.compile(rf"{_DOMAIN.pattern}|[0-9a-f:.]*:[0-9a-f:.]*", re.ASCII)
_LISTEN = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([^\[\]:*\s]+)):([0-9]{1,5})", re.ASCII)
_NAME = re.compile(r"\w(?:[\w .-]{0,38}[\w.-])?")
#: A person's id stands in signed reply addresses (mail/signing.py), beside the number of the case.
_PERSON = re.compile(r"[a-z0-9][a-z0-9_]{0,15}", re.ASCII)
_SIZE = re.compile(r"([0-9]{1,15})\s*(kib|mib|gib|kb|mb|gb|bytes)?", re.ASCII)
_SIZE_UNITS = {"kib": 2**10, "mib": 2**20, "gib": 2**30, "kb": 10**3, "mb": 10**6, "gb": 10**9, "bytes": 1}

DEFAULT_MOVE_TO = "Processed"


def read_text(value: object) -> str:
    """Text in one line that is not empty."""
    if value is None:
        raise Mistake("needs a value", "Leave the line out for the default.")
    if not isinstance(value, str):
        is_short = isinstance(value, bool | int)
        raise Mistake("must be text", "Put it in quotes." if is_short else "Write one word or line of text.")
    if not value.strip():
        raise Mistake("is empty", "Leave the line out for the default.")
    return value


def read_store(value: object) -> str:
    """The path of an SQLite file."""
    path = read_text(value)
    if "://" in path:
        raise Mistake("must be the path of an SQLite file", "Write it as in `var/mailcase.db`.")
    return path


def read_address(value: object) -> str:
    """An e-mail address, in lower case."""
    address = read_text(value).lower()
    if _ADDRESS.fullmatch(address) is None:
        hint = "Write it as in `support@example.org`, without name and angle brackets."
        if not address.isascii():
            hint = "Write the domain in its xn-- form; letters outside ASCII are not carried by every mail server."
        raise Mistake(f"{quoted(address)} is no e-mail address", hint)
    if len(address) > _ADDRESS_LIMIT or address.index("@") > LOCAL_PART_LIMIT:
        raise Mistake("is longer than an e-mail address may be")
    return address


def read_address_pattern(value: object) -> str:
    """An address, or `*@domain` for everybody at a domain; in lower case."""
    pattern = read_text(value).lower()
    if pattern.startswith("*@") and _DOMAIN.fullmatch(pattern[2:]):
        return pattern
    if pattern in ("*", "*@*"):
        raise Mistake("may not stand for everybody", 'Name addresses or domains, as in `["*@example.org"]`.')
    return read_address(pattern)


def read_route_target(value: object) -> str:
    """One of the mailbox's addresses, or `*`."""
    return "*" if value == "*" else read_address(value)


def read_host(value: object) -> str:
    """A host name or an IP address."""
    host = read_text(value).lower()
    if _HOST.fullmatch(host) is None:
        raise Mistake(f"{quoted(host)} is no host", "Write a name or an IP address; the port stands in `port`.")
    return host


def is_loopback(host: str) -> bool:
    """True for names and addresses of this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def read_token_url(value: object) -> str:
    """The address of a token server: https, or http on this machine."""
    hint = "Write it as in `https://login.example.org/oauth2/token`."
    text = read_text(value)
    try:
        url = urlsplit(text)
        host, has_port = url.hostname or "", url.port != 0
    except ValueError:
        host, has_port = "", False
    if not has_port or _HOST.fullmatch(host) is None or not re.fullmatch(r"[!-~]+", text) or url.fragment:
        raise Mistake(f"{quoted(text)} is no address of a token server", hint)
    if url.username is not None or url.password is not None:
        raise Mistake("secrets do not stand in this file", "Write `client_id` and `client_secret_file`.")
    if url.scheme == "https" or (url.scheme == "http" and is_loopback(host)):
        return text
    raise Mistake("must begin with https://, or secrets would go there for everybody to read", hint)


def read_program(value: object) -> str:
    """The path of a program, not a command line and not a name to be looked for."""
    program = read_text(value)
    if "/" not in program:
        raise Mistake(f"{quoted(program)} is no path of a program", "Write its whole path.")
    return program


def read_command(value: object) -> list[str]:
    """A program and its arguments."""
    if not isinstance(value, list) or not value:
        hint = "No shell reads it: write program and arguments as a list, as in `[/usr/local/bin/token, desk]`."
        raise Mistake("must be a list", hint)
    return [read_program(value[0]), *(read_text(argument) for argument in value[1:])]


def read_listen(value: object) -> tuple[str, int]:
    """Host and port on which a listener waits; port 0 takes a free one."""
    hint = "Write host and port, as in `127.0.0.1:2525`, `[::1]:24` or `0.0.0.0:25`."
    if isinstance(value, int) and not isinstance(value, bool):
        raise Mistake("needs a host before the port", hint)
    text = read_text(value)
    match = _LISTEN.fullmatch(text)
    if match is None:
        raise Mistake(f"{quoted(text)} is no host and port", hint)
    host, port = read_host(match[1] or match[2]), int(match[3])
    if port > 65535:
        raise Mistake(f"the port {port} is above 65535", hint)
    return host, port


def read_zone(value: object) -> ZoneInfo:
    """A time zone by its name."""
    name = read_text(value)
    try:
        return ZoneInfo(name)
    # Not only KeyError: ValueError for paths, OSError for folders and names too long for the file system.
    except (KeyError, ValueError, OSError):
        hint = did_you_mean(name, available_timezones())
        if not hint.startswith("Did"):
            hint = "Write it as in `Europe/Paris`."
        raise Mistake(f"the time zone {quoted(name)} is not known", hint) from None


def read_name(value: object) -> str:
    """The name of a queue, calendar, process or mailbox."""
    name = read_text(value)
    if _NAME.fullmatch(name) is None:
        raise Mistake(
            f"{quoted(name)} cannot be a name", "Use up to 40 letters, digits, `_`, `-`, `.`, and spaces inside."
        )
    return name


def read_person_id(value: object) -> str:
    """The id of a person."""
    name = read_text(value)
    if name.lower() == SYSTEM:
        raise Mistake(f"nobody may be called {quoted(name)}", "That is what the daemon is called; choose another name.")
    if _PERSON.fullmatch(name) is None:
        message = f"{quoted(name)} cannot be the id of a person"
        raise Mistake(message, "Use up to 16 small letters, digits and `_`; the full name stands in `name`.")
    return name


def read_size(value: object) -> int:
    """A number of bytes above zero: `25 MiB`, `500 kB`, or plain bytes."""
    hint = "Write bytes, or a number and kB, MB, GB, KiB, MiB or GiB, as in `25 MiB`."
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise Mistake("is no size", hint)
    match = _SIZE.fullmatch(str(value).strip().lower())
    if match is None:
        raise Mistake(f"{quoted(str(value))} is no size", hint)
    size = int(match[1]) * _SIZE_UNITS[match[2] or "bytes"]
    if size == 0:
        raise Mistake("must be more than zero", hint)
    return size


def read_reserve(value: object) -> int:
    """A number of bytes, or 0."""
    return 0 if value == 0 and not isinstance(value, bool) else read_size(value)


def read_ending(value: object) -> str:
    """The ending of a file name, lower case, without its dot."""
    ending = read_text(value).lower().removeprefix("*").removeprefix(".")
    if not ending or re.search(r"[\s/*?]", ending):
        raise Mistake("is no ending of a file name", "Write endings as in `[pdf, xlsx]`.")
    return ending


def read_folder(value: object) -> str:
    """The name of an IMAP folder."""
    folder = read_text(value)
    if folder != folder.strip() or any(sign in folder for sign in "*%"):
        hint = "Write it as the server shows it, without * and % and without spaces around it."
        raise Mistake(f"{quoted(folder)} is no name of a folder", hint)
    return folder


def read_after(value: object) -> tuple[AfterTaking, str]:
    """What is done with a mail that is ours, and the folder for moved ones."""
    hint = "Write `move`, `{move: FOLDER}`, `flag` or `leave`."
    if isinstance(value, dict) and set(value) == {AfterTaking.MOVE.value}:
        return AfterTaking.MOVE, read_folder(value[AfterTaking.MOVE.value])
    if value not in [choice.value for choice in AfterTaking]:
        raise Mistake("is not one of the ways to leave a mail behind", hint)
    return AfterTaking(str(value)), DEFAULT_MOVE_TO


def read_outgoing(value: object) -> Outgoing:
    """What happens to mail of ours."""
    hint = "Write `send`, `hold` or `{redirect: ADDRESS}`."
    redirect = OutgoingMode.REDIRECT.value
    if isinstance(value, dict) and set(value) == {redirect}:
        return Outgoing(mode=OutgoingMode.REDIRECT, redirect_to=read_address(value[redirect]))
    if value == redirect:
        raise Mistake("needs an address to redirect to", hint)
    if value not in [mode.value for mode in OutgoingMode]:
        raise Mistake("is not one of the ways mail can go", hint)
    return Outgoing(mode=OutgoingMode(str(value)))


def _one_or_more(value: object) -> object:
    return value if isinstance(value, list) else [value]


Text = Annotated[str, PlainValidator(read_text)]
StorePath = Annotated[str, PlainValidator(read_store)]
Name = Annotated[str, PlainValidator(read_name)]
PersonKey = Annotated[str, PlainValidator(read_person_id)]
Address = Annotated[str, PlainValidator(read_address)]
RouteTarget = Annotated[str, PlainValidator(read_route_target)]
Host = Annotated[str, PlainValidator(read_host)]
Listen = Annotated[tuple[str, int], PlainValidator(read_listen)]
TokenUrl = Annotated[str, PlainValidator(read_token_url)]
Command = Annotated[list[str], PlainValidator(read_command)]
Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=1, le=100_000)]
Size = Annotated[int, PlainValidator(read_size)]
Reserve = Annotated[int, PlainValidator(read_reserve)]
Zone = Annotated[ZoneInfo, PlainValidator(read_zone)]
Duration = Annotated[timedelta, PlainValidator(read_duration)]
DueSpan = Annotated[Span, PlainValidator(read_span)]
WindowSpan = Annotated[Span, PlainValidator(read_window)]
Folder = Annotated[str, PlainValidator(read_folder)]
After = Annotated[tuple[AfterTaking, str], PlainValidator(read_after)]
OutgoingChoice = Annotated[Outgoing, PlainValidator(read_outgoing)]
#: Lists in which a single value may stand without brackets.
Texts = Annotated[list[Text], BeforeValidator(_one_or_more), Field(min_length=1)]
AddressPatterns = Annotated[
    list[Annotated[str, PlainValidator(read_address_pattern)]], BeforeValidator(_one_or_more), Field(min_length=1)
]
Hosts = Annotated[list[Host], BeforeValidator(_one_or_more)]
Endings = Annotated[
    list[Annotated[str, PlainValidator(read_ending)]], BeforeValidator(_one_or_more), Field(min_length=1)
]
Importances = Annotated[list[Literal["high", "normal", "low"]], BeforeValidator(_one_or_more), Field(min_length=1)]
