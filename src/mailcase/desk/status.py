"""How everything stands, on one screen: what `mailcase status` answers, and what of it wants an operator.

What is old news is shown and is no alarm: a mail or delivery that was set aside a week ago has been seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Protocol
from zoneinfo import ZoneInfo

from mailcase import __version__
from mailcase.config.settings import ImapSource, MailboxSettings, Settings
from mailcase.core.case import MailboxName, Status
from mailcase.desk.problems import Problem, problem_json
from mailcase.desk.views import time_json
from mailcase.inbound.free_space import megabytes
from mailcase.inbound.protocol import Exit, Json, Response
from mailcase.store.rows.mailboxes import MailboxState
from mailcase.store.rows.outbox import DeliveryState
from mailcase.store.rows.standing import Some, Standing, StandingOf
from mailcase.vitals import Vitals

if TYPE_CHECKING:
    from mailcase.login.logins import LoginStatus

#: What happened within this time may still be news.
RECENT = timedelta(days=7)
#: Mail is handled within seconds; what waits longer waits for something.
BACKLOG_AFTER = timedelta(minutes=15)
#: The first attempts of the outbox are minutes apart.
OUTBOX_AFTER = timedelta(hours=1)
#: Longer than senders take to try again after a gap.
WINDOW_AFTER = timedelta(hours=2)
#: A mailbox is silent when it has missed so many looks, and a look at the whole folder.
_LOOKS_MISSED = 3
_WHOLE_LOOK = timedelta(minutes=10)

#: The end of a login's secret is told that long before.
LOGIN_ENDS_WITHIN = timedelta(days=14)


class LoginsNow(Protocol):
    """How the logins stand; known to a daemon alone."""

    def of_mailbox(self, name: MailboxName) -> LoginStatus | None: ...
    def of_relay(self) -> LoginStatus | None: ...


class Numbers(Protocol):
    """What a status is made from."""

    async def mailbox_states(self) -> Mapping[MailboxName, MailboxState]: ...
    async def standing(self, of: StandingOf) -> Standing: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    settings: Settings
    vitals: Vitals
    states: Mapping[MailboxName, MailboxState]
    standing: Standing
    logins: LoginsNow | None
    now: datetime


async def status(
    store: Numbers, settings: Settings, vitals: Vitals, *, now: datetime, language: str, logins: LoginsNow | None
) -> Response:
    """The screen as an object; exit 1 when its `problems` are not empty. `language` is that of their texts."""
    of = StandingOf(now=now, tomorrow_at=_tomorrow(now, settings.zone), recent_since=now - RECENT)
    view = _View(
        settings=settings,
        vitals=vitals,
        states=await store.mailbox_states(),
        standing=await store.standing(of),
        logins=logins,
        now=now,
    )
    problems: list[Json] = [problem_json(problem, language) for problem in _problems(view)]
    data: dict[str, Json] = {
        "version": __version__,
        "at": time_json(now),
        "daemon": _daemon(view),
        "mailboxes": [_mailbox(view, name, mailbox) for name, mailbox in settings.mailboxes.items()],
        "cases": {each.value: view.standing.cases.get(each, 0) for each in Status},
        "due": {
            "red": view.standing.past_due_count,
            "amber": view.standing.due_today_count,
            "green": view.standing.due_later_count,
        },
        "outbox": _outbox(view),
        "mail": _mail(view.standing),
        "held_windows": _some(view.standing.held_windows, now),
        "problems": problems,
    }
    return Response(exit=Exit.REFUSED if problems else Exit.DONE, data=data, error=_summary(len(problems), language))


def _summary(count: int, language: str) -> str | None:
    if not count:
        return None
    if language == "fr":
        return f"{count} point{'s demandent' if count > 1 else ' demande'} un opérateur"
    return f"{count} thing{'s want' if count > 1 else ' wants'} an operator"


def _tomorrow(now: datetime, zone: ZoneInfo) -> datetime:
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    # In local time: a day may have 23 or 25 hours.
    return today + timedelta(days=1)


# ---- the parts of the screen -----------------------------------------------------------------------------------------


def _daemon(view: _View) -> Json:
    vitals = view.vitals
    if vitals.started_at is None:
        return None
    return {
        "started_at": time_json(vitals.started_at),
        "uptime_s": max(0, int((view.now - vitals.started_at).total_seconds())),
        "configured_at": time_json(vitals.configured_at),
        "reload_problems": [*vitals.reload_problems],
    }


def _mailbox(view: _View, name: MailboxName, mailbox: MailboxSettings) -> Json:
    source, state = mailbox.source, view.states.get(name)
    backlog = view.standing.backlog.get(name, Some(count=0, oldest_at=None))
    is_imap = isinstance(source, ImapSource)
    return {
        "name": name,
        "kind": "imap" if isinstance(source, ImapSource) else source.kind.value,
        "enabled": mailbox.is_enabled,
        "listening": None if is_imap else name in view.vitals.listening,
        "last_read_at": time_json(state.checked_at) if state and is_imap else None,
        "backlog": backlog.count,
        "backlog_oldest_at": time_json(backlog.oldest_at),
        "last_error": state.last_error if state else None,
        "login": _login(view.logins.of_mailbox(name) if view.logins else None),
    }


def _outbox(view: _View) -> Json:
    standing = view.standing
    counts: dict[str, Json] = {
        state.value: standing.deliveries.get(state, 0)
        for state in DeliveryState
        if state not in (DeliveryState.SENT, DeliveryState.CANCELLED)
    }
    return {
        **counts,
        "waiting": _some(standing.waiting_deliveries, view.now),
        "held": _some(standing.held_deliveries, view.now),
        "login": _login(view.logins.of_relay() if view.logins else None),
    }


def _login(login: LoginStatus | None) -> Json:
    if login is None:
        return None
    ends_at = login.secret_expires_at
    return {
        "kind": login.kind.value,
        "user": login.user,
        "token_expires_at": time_json(login.token_expires_at),
        "secret_ends_on": _day(ends_at).isoformat() if ends_at else None,
        "failure": login.failure,
        "failed_at": time_json(login.failed_at),
    }


def _day(at: datetime | date) -> date:
    return at.date() if isinstance(at, datetime) else at


def _mail(standing: Standing) -> Json:
    return {
        "pending": sum(some.count for some in standing.backlog.values()),
        "unhandled": standing.unhandled_count,
        "unhandled_recent": standing.unhandled_recent_count,
        "parked": standing.parked_count,
        "parked_recent": standing.parked_recent_count,
    }


def _some(some: Some, now: datetime) -> Json:
    age = None if some.oldest_at is None else max(0, int((now - some.oldest_at).total_seconds()))
    return {"count": some.count, "oldest_at": time_json(some.oldest_at), "oldest_age_s": age}


# ---- what wants an operator ------------------------------------------------------------------------------------------


def _problems(view: _View) -> Iterator[Problem]:
    """In the order of their weight."""
    is_running = view.vitals.started_at is not None
    yield from _problems_of_daemon(view, is_running=is_running)
    for name, mailbox in view.settings.mailboxes.items():
        if mailbox.is_enabled:
            yield from _problems_of(view, name, mailbox, is_running=is_running)
    relay = view.logins.of_relay() if view.logins else None
    if relay is not None and relay.failure and relay.needs_operator:
        yield Problem(what="relay-login", detail=relay.failure)
    yield from _login_ending(view, "relay", relay)
    standing = view.standing
    waiting = standing.waiting_deliveries
    if waiting.oldest_at is not None and view.now - waiting.oldest_at > OUTBOX_AFTER and is_running:
        yield Problem(what="outbox-waits", count=waiting.count, since=waiting.oldest_at)
    for what, count in (
        ("unhandled", standing.unhandled_recent_count),
        ("parked", standing.parked_recent_count),
        ("failed", standing.failed_recent_count),
        ("unknown", standing.unknown_recent_count),
    ):
        if count:
            yield Problem(what=what, count=count)
    windows = standing.held_windows
    if windows.oldest_at is not None and view.now - windows.oldest_at > WINDOW_AFTER and is_running:
        yield Problem(what="windows-held", count=windows.count, since=windows.oldest_at)


def _problems_of_daemon(view: _View, *, is_running: bool) -> Iterator[Problem]:
    if not is_running:
        yield Problem(what="no-daemon")
    for reason in view.vitals.reload_problems[:1]:
        # Its hint is on the lines below, and `mailcase check` shows it beside the others.
        yield Problem(what="reload-refused", detail=reason.partition("\n")[0])
    if is_running and (shortage := view.vitals.shortage()) is not None:
        free, reserve = megabytes(shortage.free_bytes), megabytes(shortage.reserve_bytes)
        yield Problem(what="no-room", about=str(shortage.folder), detail=f"{free} MB < {reserve} MB")


def _problems_of(view: _View, name: MailboxName, mailbox: MailboxSettings, *, is_running: bool) -> Iterator[Problem]:
    state, source = view.states.get(name), mailbox.source
    if state is not None and state.last_error:
        yield Problem(what="mailbox-failing", about=name, detail=state.last_error, since=state.checked_at)
    elif isinstance(source, ImapSource) and is_running:
        silent_after = source.poll_every * _LOOKS_MISSED + _WHOLE_LOOK
        read_at = state.checked_at if state else None
        heard_at = max(at for at in (view.vitals.started_at, read_at) if at is not None)
        if view.now - heard_at > silent_after:
            yield Problem(what="mailbox-silent", about=name, since=heard_at)
    if not isinstance(source, ImapSource) and is_running and name not in view.vitals.listening:
        yield Problem(what="not-listening", about=name)
    backlog = view.standing.backlog.get(name)
    if backlog and backlog.oldest_at and view.now - backlog.oldest_at > BACKLOG_AFTER and is_running:
        yield Problem(what="backlog", about=name, count=backlog.count, since=backlog.oldest_at)
    yield from _login_ending(view, name, view.logins.of_mailbox(name) if view.logins else None)


def _login_ending(view: _View, whose: str, login: LoginStatus | None) -> Iterator[Problem]:
    """Days ahead: whoever made the secret has to make another one (L9)."""
    if login is None or login.secret_expires_at is None:
        return
    ends_on = _day(login.secret_expires_at)
    if ends_on <= (view.now + LOGIN_ENDS_WITHIN).date():
        yield Problem(what="login-ending", about=whose, detail=ends_on.isoformat())
