"""One supervised worker per IMAP mailbox: connect, look, wait, begin anew after a failure; never ends by itself.

A mailbox that fails stops no other (L7): each has its own worker, its own thread and its own connection. IDLE is a
hint; a look follows every wait, and a look at the whole folder every connection and every ten minutes (I8, L8).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from mailcase.backoff import doubled, jittered
from mailcase.clock import Clock
from mailcase.config.settings import ImapSource, Limits, MailboxSettings
from mailcase.entropy import Entropy
from mailcase.errors import AppError, PermanentError, StoreUnavailable
from mailcase.inbound.accept import Door
from mailcase.inbound.imap import ImapSession, account_of
from mailcase.inbound.imap_errors import AccountChanged
from mailcase.inbound.imap_line import ImapLine
from mailcase.inbound.intake import Intake
from mailcase.inbound.intake_plan import Look
from mailcase.log import get_logger
from mailcase.login.logins import Credentials, log_in
from mailcase.offload import Offload
from mailcase.store.port import Mailboxes
from mailcase.store.rows.mailboxes import MailboxState
from mailcase.wakes import done_before, set_within

log = get_logger()

#: Hints of the server that may be followed by nothing before they are followed more slowly.
_HINTS_BELIEVED = 3

#: Makes a session that is not connected yet.
SessionFactory = Callable[[ImapSource], ImapSession]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often, and how soon again."""

    #: Between two looks at the whole folder.
    whole_every: timedelta = timedelta(minutes=10)
    #: The first pause after a failure; each next one is twice as long, up to `longest_pause`.
    first_pause: timedelta = timedelta(seconds=1)
    #: The first pause where an operator must act: servers lock accounts that try too often.
    refused_pause: timedelta = timedelta(minutes=1)
    longest_pause: timedelta = timedelta(minutes=5)
    #: The same where it is our store that fails, and no server is to be spared (R12).
    longest_store_pause: timedelta = timedelta(seconds=15)


class ImapWatcher:
    """Reads one mailbox for as long as `run` is left to run."""

    def __init__(
        self,
        settings: MailboxSettings,
        *,
        door: Door,
        store: Mailboxes,
        clock: Clock,
        entropy: Entropy,
        offload: Offload,
        connect: SessionFactory,
        credentials: Credentials,
        limits: Limits,
        pace: Pace = Pace(),
        on_read: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_read` is called when the mailbox has been read further: a window may have waited for that."""
        if not isinstance(settings.source, ImapSource):
            raise TypeError(f"mailbox {settings.name} is not read by IMAP")
        self._name = settings.name
        self._source: ImapSource = settings.source
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._offload = offload
        self._connect = connect
        self._credentials = credentials
        self._limits = limits
        self._pace = pace
        self._on_read = on_read
        self._intake = Intake(settings.name, settings.source, door=door, store=store, clock=clock, limits=limits)
        self._line: ImapLine | None = None
        self._wanted = asyncio.Event()
        self._ended = asyncio.Event()
        self._ended.set()
        self._stopping = asyncio.Event()
        self._failures_count = 0
        self._error: str | None = None
        #: Looks over the present or the last connection.
        self._looks_count = 0
        #: Hints in a row after which there was nothing new.
        self._empty_hints_count = 0

    async def run(self) -> None:
        """Returns only after `stop`. What goes wrong with the mailbox or the store is logged and tried again; anything
        else is a fault of ours and goes to whoever supervises.
        """
        self._ended.clear()
        try:
            while not self._stopping.is_set():
                try:
                    await self._watch()
                except (AppError, OSError) as error:
                    if not self._stopping.is_set():
                        await self._failed(error)
                        await self._pause(error)
        finally:
            self._ended.set()

    async def stop(self) -> None:
        """Ends `run` after the set of mail that is being committed; cuts the connection when that takes too long."""
        self._stopping.set()
        self.look_now()
        if not await set_within(self._ended, self._limits.stop_within) and self._line is not None:
            self._line.cut()

    def look_now(self) -> None:
        """Ends the present wait, between looks or after a failure."""
        self._wanted.set()
        if self._line is not None:
            self._line.wake()

    async def _watch(self) -> None:
        """One connection, from its beginning to its end."""
        worker = self._offload(f"imap-{self._name}")
        self._looks_count = 0
        self._line = line = ImapLine(self._connect(self._source), worker, self._source.command_timeout)
        try:
            await self._check_account()
            if not await done_before(self._stopping, log_in(self._credentials, line.open)):
                return
            await self._intake.open(line)
            log.info("mailbox_connected", mailbox=self._name, account=account_of(self._source))
            await self._look_and_wait(line)
            await line.close()
        finally:
            self._line = None
            line.cut()

    async def _look_and_wait(self, line: ImapLine) -> None:
        whole_at = self._clock.monotonic()
        while not self._stopping.is_set():
            self._wanted.clear()
            is_whole = self._clock.monotonic() >= whole_at
            if is_whole:
                whole_at = self._clock.monotonic() + self._pace.whole_every.total_seconds()
            look = await self._intake.look(line, whole=is_whole, is_stopping=self._stopping.is_set)
            if self._stopping.is_set():
                return
            await self._looked(look)
            if not self._wanted.is_set():
                await self._wait_for_mail(line, look)

    async def _wait_for_mail(self, line: ImapLine, look: Look) -> None:
        """A server that has news all the time, and never any mail, is not asked without a pause (R9)."""
        now = asyncio.get_running_loop().time
        began = now()
        wait = partial(line.session.wait_for_mail, self._source.poll_every)
        await line.call(wait, extra=self._source.poll_every)
        is_hint = now() - began < self._pace.first_pause.total_seconds() and not self._wanted.is_set()
        self._empty_hints_count = self._empty_hints_count + 1 if is_hint and not look.taken_count else 0
        excess = self._empty_hints_count - _HINTS_BELIEVED
        if excess > 0:
            await self._sleep(
                doubled(self._pace.first_pause, excess, min(self._pace.longest_pause, self._source.poll_every))
            )

    async def _check_account(self) -> None:
        """The account of the first contact is recorded; another one is refused before anything is read (L10)."""
        state = await self._state()
        account = account_of(self._source)
        if state.account is None:
            await self._store.save_mailbox(replace(state, account=account))
        elif state.account != account:
            raise AccountChanged(
                f"mailbox {self._name} was read from {state.account} until now, and the configuration says {account}; "
                "set it back, or give the mailbox another name, so that it begins anew and takes mail from then on"
            )

    async def _state(self) -> MailboxState:
        states = await self._store.mailbox_states()
        return states.get(self._name) or MailboxState(
            mailbox=self._name, account=None, read_through_at=None, checked_at=None, last_error=None
        )

    async def _looked(self, look: Look) -> None:
        """Says how far all mail is read; only of a complete look (docs/decisions/0002)."""
        state = await self._state()
        error = self._unread_error(look)
        if error is None:
            state = replace(
                state, read_through_at=look.seen_at - self._limits.clock_tolerance, checked_at=self._clock.now()
            )
            if self._error is not None:
                log.info("mailbox_recovered", mailbox=self._name)
        elif error != self._error:
            log.error("mail_unreadable", mailbox=self._name, reason=error)
        self._looks_count += 1
        if self._looks_count > 1:
            # Not before: some servers break off whenever we wait (I7).
            self._failures_count = 0
        self._error = error
        await self._store.save_mailbox(replace(state, last_error=error))
        self._on_read()

    def _unread_error(self, look: Look) -> str | None:
        if not look.unread:
            return None
        named = ", ".join(str(uid) for uid in look.unread[:5])
        return (
            f"the server lists {len(look.unread)} mails in {self._source.folder} that it does not give (UID {named}); "
            "open them in a mail program, or move them to another folder and back"
        )

    async def _failed(self, error: AppError | OSError) -> None:
        """Logs a failure once per change, and saves it for `mailbox list`."""
        self._failures_count += 1
        text = str(error)
        if self._error is not None and _without_numbers(text) == _without_numbers(self._error):
            return
        self._error = text
        note = log.error if isinstance(error, PermanentError) else log.warning
        note("mailbox_failed", mailbox=self._name, error=type(error).__name__, reason=text)
        with suppress(StoreUnavailable):
            await self._store.save_mailbox(replace(await self._state(), last_error=text))

    async def _pause(self, error: AppError | OSError) -> None:
        """Waits longer after each failure in a row, with jitter, unless woken."""
        first = self._pace.refused_pause if isinstance(error, PermanentError) else self._pace.first_pause
        # Where looking succeeds and only waiting does not, mail is found as soon as without IDLE.
        longest = min(self._pace.longest_pause, self._source.poll_every if self._looks_count else timedelta.max)
        if isinstance(error, StoreUnavailable):
            longest = self._pace.longest_store_pause
        await self._sleep(doubled(first, self._failures_count, longest))

    async def _sleep(self, pause: timedelta) -> None:
        """Half of it at least, unless woken."""
        await set_within(self._wanted, jittered(pause, self._entropy))
        self._wanted.clear()


def _without_numbers(text: str) -> str:
    """Servers put durations and counters into their answers, which do not make it another failure."""
    return re.sub(r"[\d.+\s]+", " ", text)
