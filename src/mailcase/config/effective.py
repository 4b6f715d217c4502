"""The settings in the shape of the file, every default written out: what `config show` prints.

Reading it back gives the same settings. Secrets stand in files of their own, whose paths are all that is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta

from mailcase.config.document import Value
from mailcase.config.durations import duration_words, span_words
from mailcase.config.settings import (
    AfterTaking,
    ImapSource,
    Limits,
    ListenerSource,
    Login,
    MailboxSettings,
    MaildirRelay,
    OAuthClient,
    Outgoing,
    OwnAddress,
    PersonSettings,
    Relay,
    SecretFile,
    Settings,
    TokenCommand,
)
from mailcase.config.working_time import DaysOff, week_words
from mailcase.core.process import (
    DueRule,
    FeedbackWindow,
    Notice,
    Process,
    Span,
    SpanUnit,
    WaitReason,
    WorkingCalendar,
)
from mailcase.core.routing import Route


def effective(settings: Settings) -> dict[str, Value]:
    """Mappings, lists, text, numbers and truth values alone; keys whose value is nothing are left out."""
    return _without_nothing(
        {
            "store": str(settings.store),
            "socket": str(settings.socket),
            "language": settings.language.value,
            "time_zone": settings.zone.key,
            "people": {name: _person(person) for name, person in settings.people.items()},
            "queues": {name: {} for name in settings.queues},
            "calendars": {name: _calendar(calendar) for name, calendar in _calendars(settings).items()},
            "processes": {name: _process(process) for name, process in settings.processes.items()},
            "mailboxes": {name: _mailbox(mailbox) for name, mailbox in settings.mailboxes.items()},
            "relay": _relay(settings.relay),
            "outgoing": _outgoing(settings.outgoing),
            "templates": _path(settings.templates),
            "log_level": settings.log_level.value,
            "limits": _limits(settings.limits),
        }
    )


def _without_nothing(values: Mapping[str, Value]) -> dict[str, Value]:
    return {key: value for key, value in values.items() if value is not None}


def _path(path: object) -> str | None:
    return None if path is None else str(path)


def _person(person: PersonSettings) -> Value:
    return _without_nothing(
        {
            "name": person.name,
            "address": person.address,
            "login": person.login,
            "queues": [*person.queues],
            "role": "leader" if person.is_leader else "member",
            "retired": person.is_retired,
            "language": person.language.value,
        }
    )


def _calendars(settings: Settings) -> dict[str, WorkingCalendar]:
    """The calendars that a process uses."""
    used = [
        rule.calendar
        for process in settings.processes.values()
        for rule in (process.due, process.feedback_window)
        if rule is not None and rule.calendar is not None
    ]
    return {calendar.name: calendar for calendar in used}


def _calendar(calendar: WorkingCalendar) -> Value:
    hours: dict[str, Value] = {day: [*periods] for day, periods in week_words(calendar.hours).items()}
    return _without_nothing({"hours": hours, "holidays": _days_off(calendar.holidays), "time_zone": calendar.zone.key})


def _days_off(holidays: object) -> Value:
    if not isinstance(holidays, DaysOff):
        return None
    return _without_nothing(
        {
            "country": holidays.country,
            "subdivision": holidays.subdivision,
            "extra": [day.isoformat() for day in sorted(holidays.extra)],
        }
    )


def _process(process: Process) -> Value:
    return _without_nothing(
        {
            "queue": process.queue,
            "time_zone": process.zone.key,
            "due": _due(process.due) if process.due else None,
            "feedback_window": _window(process.feedback_window) if process.feedback_window else None,
            "wait_reasons": [_wait_reason(reason) for reason in process.wait_reasons],
            "notices": {notice.value: notice in process.notices for notice in Notice},
            "allocation": [*process.allocation],
            "answer_takes": process.answer_takes,
            "retired": process.is_retired,
        }
    )


def _due(due: DueRule) -> Value:
    return _without_nothing(
        {
            "add": span_words(due.add),
            "calendar": due.calendar.name if due.calendar else None,
            "add_wait_time": due.add_wait_time,
            "next_morning": due.next_morning,
            "end_of_day": due.end_of_day,
            "may_override": due.may_override,
            "promise": due.is_promised,
            "expected_effort": duration_words(due.expected_effort) if due.expected_effort else None,
        }
    )


def _window(window: FeedbackWindow) -> Value:
    unit = SpanUnit.WORKING_DAYS if window.calendar else SpanUnit.DAYS
    return _without_nothing(
        {
            "length": span_words(Span(amount=window.days, unit=unit)),
            "calendar": window.calendar.name if window.calendar else None,
        }
    )


def _wait_reason(reason: WaitReason) -> Value:
    return _without_nothing({"name": reason.name, "ask": "requester" if reason.asks_requester else None})


def _mailbox(mailbox: MailboxSettings) -> Value:
    source = mailbox.source
    return _without_nothing(
        {
            "receive": _imap(source) if isinstance(source, ImapSource) else _listener(source),
            "enabled": mailbox.is_enabled,
            "authserv_id": mailbox.authserv_id,
            "addresses": {own.address: _own_address(own) for own in mailbox.addresses},
            "routes": [_route(route) for route in mailbox.routes],
            "fallback": mailbox.fallback,
        }
    )


def _imap(source: ImapSource) -> Value:
    is_moved = source.after is AfterTaking.MOVE
    return _without_nothing(
        {
            "kind": "imap",
            "host": source.host,
            "port": source.port,
            "tls": source.tls.value,
            "ca_file": _path(source.ca_file),
            "user": source.user,
            **_login(source.login),
            "folder": source.folder,
            "after": {"move": source.move_to} if is_moved else source.after.value,
            "start": "all" if source.takes_existing else "now",
            "poll_every": duration_words(source.poll_every),
            "command_timeout": duration_words(source.command_timeout),
        }
    )


def _login(login: Login) -> dict[str, Value]:
    """The key and what stands under it; what a provider fills in is written out."""
    match login:
        case SecretFile():
            return {"password_file": str(login.path)}
        case TokenCommand():
            return {"login": {"token_command": [*login.command]}}
        case OAuthClient():
            return {"login": {"oauth": _oauth(login)}}


def _oauth(client: OAuthClient) -> Value:
    return _without_nothing(
        {
            "token_url": client.token_url,
            "client_id": client.client_id,
            "client_secret_file": _path(client.client_secret and client.client_secret.path),
            "client_secret_in": client.secret_place.value if client.client_secret else None,
            "refresh_token_file": _path(client.refresh_token and client.refresh_token.path),
            "scope": client.scope,
            "secret_expires": client.secret_expires.isoformat() if client.secret_expires else None,
            "ca_file": _path(client.ca_file),
        }
    )


def _listener(source: ListenerSource) -> Value:
    host = f"[{source.host}]" if ":" in source.host else source.host
    return _without_nothing(
        {
            "kind": source.kind.value,
            "listen": f"{host}:{source.port}",
            "sender_retry": duration_words(source.sender_retry),
            "relays": list(source.relays) or None,
        }
    )


def _own_address(own: OwnAddress) -> Value:
    return _without_nothing(
        {
            "name": own.name,
            "signature": own.signature,
            "language": own.language.value,
            "reply_address": own.reply_address.value,
            "templates": _path(own.templates),
        }
    )


def _route(route: Route) -> Value:
    conditions: dict[str, Value] = {condition.field.value: [*condition.values] for condition in route.conditions}
    return {"to": route.to, **conditions, "process": route.process, "acknowledge": route.acknowledge}


def _relay(relay: Relay | MaildirRelay) -> Value:
    if isinstance(relay, MaildirRelay):
        return {"maildir": str(relay.path)}
    return _without_nothing(
        {
            "host": relay.host,
            "port": relay.port,
            "tls": relay.tls.value,
            "ca_file": _path(relay.ca_file),
            "user": relay.user,
            **(_login(relay.login) if relay.login else {}),
            "helo": relay.helo,
            "connections": relay.connections,
            "timeout": duration_words(relay.timeout),
        }
    )


def _outgoing(outgoing: Outgoing) -> Value:
    return {"redirect": outgoing.redirect_to} if outgoing.redirect_to else outgoing.mode.value


def _limits(limits: Limits) -> Value:
    shown: dict[str, Value] = {}
    for limit in fields(limits):
        value: timedelta | int | None = getattr(limits, limit.name)
        if value is not None:
            shown[limit.name] = duration_words(value) if isinstance(value, timedelta) else value
    return shown
