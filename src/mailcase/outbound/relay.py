"""The SMTP client: one mail, one transaction, one verdict per recipient. The only file that knows aiosmtplib.

Rules that hold here:
1. Each delivery is settled by the reply that was meant for it: 2xx sent, 4xx deferred, 5xx failed. A recipient that is
   refused does not stop the others.
2. `before_data` (the journal commit) stands between the last RCPT and DATA. From the first byte of the mail to the
   server's answer a lost connection means `unknown`, before that `deferred` (L32).
3. The certificate is always verified. A server that does not offer the STARTTLS that the settings ask for is an error
   before any credential is sent (S13).
4. Password and access token are had when they are needed and stand in no text that leaves this file (S16).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import ssl
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import aiosmtplib

from mailcase.clock import Clock
from mailcase.config.settings import Relay, Tls
from mailcase.errors import AppError, TransientError
from mailcase.log import get_logger
from mailcase.login.credentials import Bearer, Credential, Password, best_mechanism
from mailcase.login.errors import LoginRefused
from mailcase.login.logins import Credentials, log_in
from mailcase.outbound.port import Attempt, BeforeData
from mailcase.outbound.verdicts import Verdicts, verdict
from mailcase.outbound.wire import on_the_wire, one_line
from mailcase.store.rows.outbox import ClaimedOutgoing, DeliveryState

log = get_logger()

#: A big mail gets this much more time than one step: it may travel no slower than that.
SLOWEST_BYTES_PER_SECOND = 32 * 1024
_QUIT_SECONDS = 2.0


class _Unusable(TransientError):
    """The connection cannot be had or used any more, and no byte of the mail has left; the text is one line."""


@dataclass(frozen=True, slots=True)
class _Reply:
    code: int
    text: str

    def __str__(self) -> str:
        return one_line(f"{self.code} {self.text}")


class SmtpRelay:
    """The outlet to the operator's mail server. Its sessions share what is known about an outage."""

    def __init__(
        self,
        settings: Relay,
        *,
        clock: Clock,
        credentials: Credentials | None,
        probe_after: timedelta = timedelta(seconds=10),
        reconnect_after: timedelta = timedelta(seconds=10),
    ) -> None:
        """`credentials` None: the relay wants no login. A connection that was idle for `probe_after` is tried before it
        is used. After a failed connect or login nothing is tried for `reconnect_after`, so that a full outbox with a
        wrong password does not lock the account.
        """
        self._settings = settings
        self._clock = clock
        self._credentials = credentials
        self._probe_after = probe_after
        self._reconnect_after = reconnect_after
        self._outage_until = clock.monotonic()
        self._outage = ""

    def session(self) -> SmtpSession:
        """A session; not connected yet."""
        return SmtpSession(self, self._clock, self._probe_after, self._settings.timeout)

    async def connect(self) -> aiosmtplib.SMTP:
        """A connection, greeted, protected and logged in. Raises _Unusable."""
        if self._clock.monotonic() < self._outage_until:
            raise _Unusable(self._outage)
        settings = self._settings
        try:
            smtp = await self._open()
        except _Unusable as error:
            self._outage = str(error)
            self._outage_until = self._clock.monotonic() + self._reconnect_after.total_seconds()
            log.warning("relay_unavailable", host=settings.host, port=settings.port, reason=self._outage)
            raise
        log.info("relay_connected", host=settings.host, port=settings.port, tls=settings.tls.value)
        return smtp

    async def _open(self) -> aiosmtplib.SMTP:
        settings = self._settings
        where = f"{settings.host}:{settings.port}"
        smtp = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            local_hostname=settings.helo,
            timeout=settings.timeout.total_seconds(),
            use_tls=settings.tls is Tls.TLS,
            # Never None, which would mean: encrypt if the server, or whoever sits between, allows it.
            start_tls=settings.tls is Tls.STARTTLS,
            tls_context=None if settings.tls is Tls.NONE else _verified_context(settings.ca_file),
        )
        try:
            await smtp.connect()
            if smtp.is_ehlo_or_helo_needed:
                await smtp.ehlo()
            await self._log_in(smtp)
        except (aiosmtplib.SMTPException, OSError) as error:
            smtp.close()
            raise _Unusable(one_line(f"relay {where}: {_words(error)}")) from error
        except BaseException:
            smtp.close()
            raise
        return smtp

    async def _log_in(self, smtp: aiosmtplib.SMTP) -> None:
        if self._credentials is None:
            return
        try:
            await log_in(self._credentials, lambda credential: self._show(smtp, credential))
        except AppError as error:
            raise _Unusable(one_line(str(error))) from error

    async def _show(self, smtp: aiosmtplib.SMTP, credential: Credential) -> None:
        settings = self._settings
        try:
            if isinstance(credential, Password):
                await smtp.login(credential.user, credential.secret)
            else:
                await _show_token(smtp, credential, settings)
        except (aiosmtplib.SMTPResponseException, ValueError) as error:
            # What is kept is one line that ends early: advice stands before what a server may say at length.
            words = one_line(credential.cleaned(_words(error)))
            if isinstance(error, aiosmtplib.SMTPResponseException) and error.code // 100 == 4:
                # RFC 4954 s. 6: 454, not now; it says nothing about what was shown.
                raise _Unusable(f"{settings.host} cannot log {credential.user} in now: {words}") from None
            message = f"{settings.host} refused the login of {credential.user}; {credential.advice}: {words}"
            raise LoginRefused(message) from None


class SmtpSession:
    """One connection, kept from mail to mail; used by one task at a time."""

    def __init__(self, relay: SmtpRelay, clock: Clock, probe_after: timedelta, timeout: timedelta) -> None:
        self._relay = relay
        self._clock = clock
        self._probe_after_seconds = probe_after.total_seconds()
        self._timeout_seconds = timeout.total_seconds()
        self._smtp: aiosmtplib.SMTP | None = None
        self._used_at = 0.0
        #: The server has no transaction of ours open.
        self._is_clean = True

    async def send(self, mail: ClaimedOutgoing, *, before_data: BeforeData) -> tuple[Attempt, ...]:
        """Tries the mail once, in one transaction; one attempt per delivery, in the mail's order."""
        verdicts = Verdicts(mail.deliveries)
        verdicts.refuse_bad_addresses(mail.envelope_from)
        try:
            if verdicts.open:
                await self._transact(mail, verdicts, before_data)
        except _Unusable as error:
            self._drop()
            verdicts.settle_open(DeliveryState.DEFERRED, str(error))
        except BaseException:
            # Cancelled in mid-step: the reply that nobody waits for any more would be taken for the next one's.
            self._drop()
            raise
        self._used_at = self._clock.monotonic()
        return verdicts.attempts

    async def close(self) -> None:
        """Says QUIT, briefly, and closes."""
        if self._smtp is not None and self._smtp.is_connected:
            # Whatever the answer, it was goodbye.
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await self._smtp.quit(timeout=min(self._timeout_seconds, _QUIT_SECONDS))
        self._drop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    # ---- one transaction, step by step; each raises _Unusable

    async def _transact(self, mail: ClaimedOutgoing, verdicts: Verdicts, before_data: BeforeData) -> None:
        await self._begin(mail, verdicts)
        await self._offer_recipients(verdicts)
        if not verdicts.open:
            return
        try:
            await before_data([delivery.id for delivery in verdicts.open])
        except AppError as error:
            verdicts.settle_open(DeliveryState.QUEUED, one_line(f"not sent, the journal failed: {error}"))
            return
        reply = await self._command(b"DATA")
        if reply.code == 354:
            verdicts.settle_open(*await self._send_body(mail.raw))
        elif verdict(reply.code) in (DeliveryState.DEFERRED, DeliveryState.FAILED):
            verdicts.settle_open(verdict(reply.code), str(reply))
        else:
            raise _Unusable(f"unexpected answer to DATA: {reply}")

    async def _begin(self, mail: ClaimedOutgoing, verdicts: Verdicts) -> None:
        """MAIL FROM. A kept connection that turns out to be used up is replaced once."""
        if not await self._is_kept_usable():
            self._smtp = await self._relay.connect()
        else:
            try:
                return await self._mail_from(mail, verdicts)
            except _Unusable:
                self._drop()
                self._smtp = await self._relay.connect()
        return await self._mail_from(mail, verdicts)

    async def _is_kept_usable(self) -> bool:
        """The connection from the last mail still answers, where there is reason to doubt it."""
        if self._smtp is None or not self._smtp.is_connected:
            return False
        if self._is_clean and self._clock.monotonic() - self._used_at < self._probe_after_seconds:
            return True
        try:
            reply = await self._answer(b"RSET")
        except _Unusable:
            self._drop()
            return False
        if reply.code != 250:
            self._drop()
        return reply.code == 250

    async def _mail_from(self, mail: ClaimedOutgoing, verdicts: Verdicts) -> None:
        smtp = self._connected()
        if not smtp.supports_extension("smtputf8"):
            verdicts.refuse_8_bit_addresses(mail.envelope_from)
            if not verdicts.open:
                return
        options = []
        if smtp.supports_extension("size"):
            options.append(f"SIZE={len(mail.raw)}".encode())
        if not mail.raw.isascii() and smtp.supports_extension("8bitmime"):
            options.append(b"BODY=8BITMIME")
        if not verdicts.is_ascii(mail.envelope_from):
            options.append(b"SMTPUTF8")
        self._is_clean = False
        reply = await self._answer(b"MAIL", b"FROM:<" + mail.envelope_from.encode() + b">", *options)
        if verdict(reply.code) is not DeliveryState.SENT:
            verdicts.settle_open(verdict(reply.code), str(reply))

    async def _offer_recipients(self, verdicts: Verdicts) -> None:
        """RCPT TO, one by one; the accepted stay open."""
        accepted_count = 0
        for delivery in verdicts.open:
            reply = await self._answer(b"RCPT", b"TO:<" + delivery.address.encode() + b">")
            state = verdict(reply.code)
            if state is DeliveryState.SENT:
                accepted_count += 1
            elif reply.code == 552 and accepted_count:
                # RFC 5321 s. 4.5.3.1.10: too many recipients, said in the old way.
                verdicts.settle(delivery.id, DeliveryState.DEFERRED, str(reply))
            else:
                verdicts.settle(delivery.id, state, str(reply))

    async def _send_body(self, raw: bytes) -> tuple[DeliveryState, str]:
        """The bytes and the final dot; the state that the server's answer, or its silence, gives the accepted ones."""
        protocol = self._connected().protocol
        if protocol is None or not protocol.is_connected:
            raise _Unusable("connection lost before the mail was sent")
        body = on_the_wire(raw)
        try:
            # Not `SMTP.data`, which does not tell a connection lost before the 354 from one lost after the dot.
            protocol.write(body)
            answer = await protocol.read_response(self._timeout_seconds + len(body) / SLOWEST_BYTES_PER_SECOND)
        except (aiosmtplib.SMTPException, OSError) as error:
            self._drop()
            return DeliveryState.UNKNOWN, one_line(f"sent, but the server's answer is missing: {_words(error)}")
        reply = _Reply(answer.code, answer.message)
        state = verdict(reply.code)
        self._is_clean = state is DeliveryState.SENT
        if state is DeliveryState.UNKNOWN:
            self._drop()
        return state, str(reply)

    async def _answer(self, *words: bytes) -> _Reply:
        """One command and its answer, which is a verdict. Raises _Unusable also for any other code."""
        reply = await self._command(*words)
        if verdict(reply.code) is DeliveryState.UNKNOWN:
            raise _Unusable(f"unexpected answer to {words[0].decode()}: {reply}")
        return reply

    async def _command(self, *words: bytes) -> _Reply:
        """One command and its reply. Raises _Unusable also for 421, by which the server leaves."""
        try:
            answer = await self._connected().execute_command(*words)
        except (aiosmtplib.SMTPException, OSError) as error:
            raise _Unusable(one_line(f"connection lost at {words[0].decode()}: {_words(error)}")) from error
        reply = _Reply(answer.code, answer.message)
        if reply.code == 421:
            raise _Unusable(str(reply))
        return reply

    def _connected(self) -> aiosmtplib.SMTP:
        if self._smtp is None:
            raise _Unusable("not connected")
        return self._smtp

    def _drop(self) -> None:
        if self._smtp is None:
            return
        transport = self._smtp.transport
        self._smtp.close()
        if isinstance(transport, asyncio.Transport):
            # `close` would go on sending what is buffered: a mail that was given up must not arrive later.
            transport.abort()
        self._smtp = None
        self._is_clean = True


def _verified_context(ca_file: Path | None) -> ssl.SSLContext:
    """The system's authorities, and the operator's. Raises _Unusable when that file is missing or no certificate."""
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:
            raise _Unusable(one_line(f"the authority file {ca_file} cannot be used: {error}")) from error
    return context


async def _show_token(smtp: aiosmtplib.SMTP, bearer: Bearer, settings: Relay) -> None:
    """AUTH XOAUTH2 or OAUTHBEARER. Raises SMTPResponseException, whose words are free of the token, when refused."""
    mechanism = best_mechanism([name.upper() for name in smtp.server_auth_methods])
    if mechanism is None:
        raise ValueError("it takes no access tokens (neither XOAUTH2 nor OAUTHBEARER is offered)")
    shown = bearer.initial_response(mechanism, host=settings.host, port=settings.port)
    reply = await smtp.execute_command(b"AUTH", mechanism.value.encode(), base64.b64encode(shown))
    if reply.code == 334:
        # Why the token is refused; the refusal itself comes after one more answer (RFC 7628 s. 3.2.3).
        reply = await smtp.execute_command(base64.b64encode(mechanism.last_answer))
    if reply.code != 235:
        raise aiosmtplib.SMTPAuthenticationError(reply.code, bearer.cleaned(reply.message, shown))


def _words(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"{error.code} {error.message}"
    cause = error.__cause__ if isinstance(error, aiosmtplib.SMTPConnectError) else None
    # What TLS says has a number too, which is none of the system's.
    if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError):
        # The library says host and port again, and asyncio the number of the error and the address.
        words = os.strerror(cause.errno) if cause.errno and cause.errno > 0 else cause.strerror
        return f"cannot connect: {words or cause}"
    return str(error) or type(error).__name__
