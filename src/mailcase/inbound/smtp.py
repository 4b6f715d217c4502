"""SMTP and LMTP listener for those who let their mail server deliver to us. The only file that knows aiosmtpd.

Rules that hold here:
1. `250` after DATA is said only when the door has committed the mail. Whatever fails on our side is `451`, a full
   disk `452`, and its text says nothing about the inside (A1).
2. A mail's source is its envelope recipients and its bytes, so that a client that repeats a mail because it never saw
   our `250` changes nothing.
3. The bytes are kept exactly as they were sent, dot-stuffing undone, nothing added.
4. A mail has arrived when one of the configured relays took it from outside, else when we did (docs/decisions/0002).
5. An unknown recipient is refused in the dialogue; no bounce is ever written.
6. LMTP takes one recipient per transaction, `452` to the next: aiosmtpd gives one reply per mail (A2).
7. Every connection has limits: number, per address, life, silence, recipients, line length and size (A3 to A5);
   all mails on their way in share one room.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from enum import Enum
from typing import AnyStr, cast

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from mailcase.clock import Clock
from mailcase.config.settings import Limits, ListenerKind, ListenerSource
from mailcase.core.case import MailboxName
from mailcase.errors import PermanentError, StoreFull, StoreUnavailable
from mailcase.inbound import smtp_replies as reply
from mailcase.inbound.accept import Accepts
from mailcase.inbound.smtp_data import Content, Refusal, Room, has_bare_line_end, source_of
from mailcase.log import get_logger
from mailcase.mail import received
from mailcase.store.rows.inbox import Accepted, NewMail

log = get_logger()

#: Longest line in public SMTP. Behind a mail server, which may have joined lines, LMTP takes more (A5).
SMTP_LINE_BYTES = 2048
LMTP_LINE_BYTES = 65536
#: A client that sends less of a mail than this within the idle time is as good as silent (R19).
PROGRESS_BYTES = 16 * 1024
#: aiosmtpd's own time-out counts a whole DATA, our commit included, as one command (A4): ours take its place.
_NEVER_SECONDS = 365 * 86_400.0
#: The name of the last deadline of a session, after which nothing is said.
_CUT = "cut"


class Listener:
    """A port of one mailbox. `start`, then `stop`; both once."""

    def __init__(
        self,
        mailbox: MailboxName,
        source: ListenerSource,
        *,
        door: Accepts,
        clock: Clock,
        knows_recipient: Callable[[str], bool],
        limits: Limits,
        room: Room,
        instance: str,
    ) -> None:
        """`knows_recipient` gets each address as the client gave it, tags included. `room` is shared by all listeners.
        `instance` is the name in the banner.
        """
        self._mailbox = mailbox
        self._source = source
        self._limits = limits
        self._room = room
        self._instance = instance
        self._hooks = _Hooks(mailbox, source, door, clock, knows_recipient, limits)
        self._server: asyncio.Server | None = None
        self._conversations: set[_Conversation] = set()
        self._count_by_peer: Counter[str] = Counter()
        self._all_gone = asyncio.Event()

    @property
    def port(self) -> int:
        """The port that is listened on; 0 before `start` when the settings leave the choice to the system."""
        if self._server is None or not self._server.sockets:
            return self._source.port
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def is_listening(self) -> bool:
        """New connections are taken."""
        return self._server is not None and self._server.is_serving()

    async def start(self) -> None:
        """Begins to listen. Raises PermanentError when the address cannot be had."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _Gate(self), self._source.host, self._source.port)
        except OSError as error:
            where = f"{self._source.host}:{self._source.port}"
            raise PermanentError(f"mailbox {self._mailbox}: cannot listen on {where}: {error.strerror}") from error
        log.info("smtp_listener_started", mailbox=self._mailbox, kind=self._source.kind.value, port=self.port)

    async def stop(self, grace: timedelta) -> None:
        """Takes no new connection, says goodbye to the idle ones, lets mails that are being sent finish within `grace`,
        then cuts what is left.
        """
        if self._server is None:
            return
        self._server.close()
        for conversation in tuple(self._conversations):
            conversation.end(reply.STOPPING, lets_mail_finish=True)
        await self._wait_until_gone(grace)
        cut_count = len(self._conversations)
        for conversation in tuple(self._conversations):
            conversation.cut()
        await self._wait_until_gone(None)
        await self._hooks.wait_for_commits()
        await self._server.wait_closed()
        log.info("smtp_listener_stopped", mailbox=self._mailbox, cut_count=cut_count)

    async def _wait_until_gone(self, limit: timedelta | None) -> None:
        self._all_gone.clear()
        if self._conversations:
            try:
                await asyncio.wait_for(self._all_gone.wait(), None if limit is None else limit.total_seconds())
            except TimeoutError:
                return

    def admit(self, peer: str) -> _Conversation | None:
        """A conversation for a new connection from that address; None when there are too many already."""
        limits = self._limits
        count, peer_count = len(self._conversations), self._count_by_peer[peer]
        if count >= limits.sessions or peer_count >= limits.sessions_per_address:
            log.warning("smtp_session_refused", mailbox=self._mailbox, peer=peer, session_count=count)
            return None
        kind = _LmtpConversation if self._source.kind is ListenerKind.LMTP else _Conversation
        conversation = kind(self._hooks, limits, self._room, self._instance, peer, self._forget)
        self._conversations.add(conversation)
        self._count_by_peer[peer] += 1
        return conversation

    def _forget(self, conversation: _Conversation) -> None:
        self._conversations.discard(conversation)
        self._count_by_peer[conversation.peer] -= 1
        # `+` drops the zeros: every address that ever came would stay otherwise.
        self._count_by_peer = +self._count_by_peer
        if not self._conversations:
            self._all_gone.set()


class _Gate(asyncio.Protocol):
    """Admits a connection, or says `421` before aiosmtpd has begun with it."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        connection = cast(asyncio.Transport, transport)
        # None when the client has gone already.
        peer_name = connection.get_extra_info("peername")
        conversation = self._listener.admit(str(peer_name[0]) if peer_name else "")
        if conversation is None:
            connection.write(reply.TOO_MANY_SESSIONS.encode() + b"\r\n")
            connection.close()
            return
        connection.set_protocol(conversation)
        conversation.connection_made(connection)


class _Phase(Enum):
    COMMANDS = "commands"
    #: Between the DATA command and the final dot.
    DATA = "data"
    #: The mail is complete and being committed; the client waits for us.
    COMMIT = "commit"


class _Conversation(SMTP):
    """One connection: aiosmtpd speaks the protocol, we bound its life."""

    line_length_limit = SMTP_LINE_BYTES
    greeting_name = "ESMTP"

    def __init__(
        self,
        hooks: _Hooks,
        limits: Limits,
        room: Room,
        instance: str,
        peer: str,
        on_gone: Callable[[_Conversation], None],
    ) -> None:
        super().__init__(
            hooks,
            data_size_limit=limits.message_bytes,
            enable_SMTPUTF8=True,
            hostname=instance,
            ident=self.greeting_name,
            timeout=_NEVER_SECONDS,
            loop=asyncio.get_running_loop(),
        )
        self.peer = peer
        self.phase = _Phase.COMMANDS
        self.unknown_count = 0
        self._hooks = hooks
        self._limits = limits
        self._room = room
        self._on_gone = on_gone
        self._connection: asyncio.Transport | None = None
        self._farewell: str | None = None
        self._deadlines: dict[str, asyncio.TimerHandle] = {}
        self._unrewarded_bytes = 0
        self._last_reply = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connection = cast(asyncio.Transport, transport)
        super().connection_made(transport)
        self._set_deadline(reply.SESSION_OVER, self._limits.session_for)
        self._set_deadline(reply.IDLE, self._limits.session_idle)

    def connection_lost(self, error: Exception | None) -> None:
        for deadline in self._deadlines.values():
            deadline.cancel()
        super().connection_lost(error)
        self._on_gone(self)

    def data_received(self, data: bytes) -> None:
        self._unrewarded_bytes += len(data)
        is_command = self.phase is not _Phase.DATA and b"\n" in data
        if is_command or self._unrewarded_bytes >= PROGRESS_BYTES:
            self._unrewarded_bytes = 0
            self._set_deadline(reply.IDLE, self._limits.session_idle)
        super().data_received(data)

    def _set_deadline(self, farewell: str, after: timedelta) -> None:
        if farewell in self._deadlines:
            self._deadlines[farewell].cancel()
        self._deadlines[farewell] = self.loop.call_later(after.total_seconds(), self._expire, farewell)

    def _expire(self, farewell: str) -> None:
        log.warning("smtp_session_expired", mailbox=self._hooks.mailbox, peer=self.peer, reply=farewell)
        self.end(farewell, lets_mail_finish=False)
        # Who reads nothing would never be gone (R19).
        self._deadlines[_CUT] = self.loop.call_later(self._limits.session_idle.total_seconds(), self.cut)

    def end(self, farewell: str, *, lets_mail_finish: bool) -> None:
        """Says `farewell` and closes: at once or, where a mail is being committed (or may finish), after its reply."""
        self._farewell = farewell
        is_spared = self.phase is _Phase.COMMIT or (lets_mail_finish and self.phase is _Phase.DATA)
        if not is_spared:
            self._say_farewell()

    def cut(self) -> None:
        """Closes without a word."""
        if self._connection is not None:
            self._connection.abort()

    def _say_farewell(self) -> None:
        if self._farewell is not None and self._connection is not None and not self._connection.is_closing():
            self._connection.write(self._farewell.encode() + b"\r\n")
            self._connection.close()

    async def push(self, status: AnyStr) -> None:
        """Sends a reply; after `421`, or when the end was asked for meanwhile, closes."""
        self._last_reply = status.decode() if isinstance(status, bytes) else status
        await super().push(status)
        if self._last_reply.startswith("421 ") and self._connection is not None:
            self._connection.close()
        elif self.phase is _Phase.COMMANDS:
            self._say_farewell()

    async def smtp_DATA(self, arg: str) -> None:
        """Takes a mail; afterwards nothing of it is left, also when it failed."""
        try:
            await self._take_mail(arg)
        finally:
            self.phase = _Phase.COMMANDS
            self.envelope = Envelope()
        if not self._last_reply.startswith("250"):
            log.warning("smtp_mail_refused", mailbox=self._hooks.mailbox, peer=self.peer, reply=self._last_reply)
        self._say_farewell()

    async def _take_mail(self, arg: str) -> None:
        """In place of the library's way, which keeps each line for itself."""
        if await self.check_helo_needed():
            return
        if self.envelope is None or not self.envelope.rcpt_tos or arg:
            await self.push("501 5.5.4 DATA takes no argument" if arg else "503 5.5.1 no recipient yet")
            return
        self.phase = _Phase.DATA
        await self.push("354 go ahead, end with a dot on a line of its own")
        limits = self._limits
        with Content(self._room, limit_bytes=limits.message_bytes, line_bytes=self.line_length_limit) as content:
            taken = await content.read(self._reader)
            answer = taken.value if isinstance(taken, Refusal) else await self._hooks.take(self, self.envelope, taken)
            await self.push(answer)


class _LmtpConversation(_Conversation, LMTP):
    """The same over LMTP."""

    line_length_limit = LMTP_LINE_BYTES
    greeting_name = "LMTP"


class _Hooks:
    """What aiosmtpd asks us; each answer is the reply line."""

    def __init__(
        self,
        mailbox: MailboxName,
        source: ListenerSource,
        door: Accepts,
        clock: Clock,
        knows_recipient: Callable[[str], bool],
        limits: Limits,
    ) -> None:
        self.mailbox = mailbox
        self.kind = source.kind
        self._relays = source.relays
        self._door = door
        self._clock = clock
        self._knows_recipient = knows_recipient
        self._commits: set[asyncio.Task[tuple[Accepted, ...]]] = set()
        self._unknown_limit = limits.recipients
        self._recipient_limit = 1 if source.kind is ListenerKind.LMTP else limits.recipients

    async def handle_MAIL(
        self, _server: _Conversation, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """The sender; `<>` stays as it is until DATA, because aiosmtpd takes an empty one for none."""
        if not _is_readable(address):
            return reply.MALFORMED_ADDRESS
        if not self._door.has_room():
            return reply.NO_ROOM
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 ok"

    async def handle_RCPT(
        self, server: _Conversation, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """One recipient: unknown ones are refused first, so that LMTP hears of each."""
        if not _is_readable(address):
            return reply.MALFORMED_ADDRESS
        if not self._knows_recipient(address):
            log.info("smtp_recipient_refused", mailbox=self.mailbox, peer=server.peer)
            server.unknown_count += 1
            return reply.TOO_MANY_UNKNOWN if server.unknown_count > self._unknown_limit else reply.UNKNOWN_RECIPIENT
        if len(envelope.rcpt_tos) >= self._recipient_limit:
            return reply.TOO_MANY_RECIPIENTS
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def take(self, server: _Conversation, envelope: Envelope, raw: bytes) -> str:
        """A complete mail: commits it, then acknowledges."""
        if self.kind is ListenerKind.SMTP and has_bare_line_end(raw):
            return reply.BARE_LINE_END
        server.phase = _Phase.COMMIT
        now = self._clock.now()
        recipients = tuple(dict.fromkeys(envelope.rcpt_tos))
        mail = NewMail(
            mailbox=self.mailbox,
            source=source_of(recipients, raw, received_at=now),
            raw=raw,
            envelope_from="" if envelope.mail_from in (None, "<>") else envelope.mail_from,
            envelope_to=recipients,
            arrived_at=min(received.taken_at(raw, self._relays) or now, now) if self._relays else now,
            received_at=now,
        )
        commit = asyncio.create_task(self._door.accept([mail]))
        self._commits.add(commit)
        commit.add_done_callback(self._forget_commit)
        try:
            # aiosmtpd cancels us when the client goes: what is being stored then must still wake whoever handles it.
            await asyncio.shield(commit)
        except StoreFull:
            return reply.NO_ROOM
        except StoreUnavailable:
            return reply.TRY_LATER
        return "250 2.6.0 accepted"

    async def wait_for_commits(self) -> None:
        """Returns when no commit is under way any more, also of clients that have gone."""
        await asyncio.gather(*self._commits, return_exceptions=True)

    def _forget_commit(self, commit: asyncio.Task[tuple[Accepted, ...]]) -> None:
        self._commits.discard(commit)
        if not commit.cancelled():
            # Looked at, so that asyncio does not complain when nobody waits any more.
            commit.exception()

    async def handle_exception(self, error: Exception) -> str:
        """Whatever nobody expected: logged with its traceback, and the client tries again."""
        log.error("smtp_session_failed", mailbox=self.mailbox, exc_info=error)
        return reply.TRY_LATER


def _is_readable(address: str) -> bool:
    """No control characters, and no bytes that are not UTF-8, which the library hands over as surrogates."""
    return address.isprintable()
