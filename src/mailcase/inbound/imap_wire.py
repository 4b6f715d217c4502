"""The connection under an IMAP session: what it may cost, and a way to cut it from outside.

The library's own limits do not hold: its time limit counts per packet, so that a server sending a byte now and then
holds a command for ever (I10), and it makes room for whatever size of literal a server announces.
"""

from __future__ import annotations

import imaplib
import select
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import BufferedReader
from typing import cast

from mailcase.config.settings import ImapSource, Tls
from mailcase.inbound.imap_errors import ServerNotTrusted

#: Bytes that the answer to one command may have, beside the mails asked for: the numbers of a million mails.
ANSWER_LIMIT_BYTES = 8 * 1024 * 1024
# The library's own limit for a line is reached by the answer to SEARCH in a folder of 150,000 mails.
imaplib._MAXLINE = ANSWER_LIMIT_BYTES  # type: ignore[attr-defined]
#: A dead peer is noticed by the kernel after about two minutes of silence (L8).
_KEEPALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 20), ("TCP_KEEPCNT", 3))


class Wire:
    """The socket as the owner sees it: to be cut, to be woken, and with what may still be read for this command.

    `cut` and `wake` may be called from any thread; they act on descriptors that only this object closes.
    """

    def __init__(self) -> None:
        self._allowance = ANSWER_LIMIT_BYTES
        self._handle: socket.socket | None = None
        self._is_cut = False
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)

    def adopt(self, sock: socket.socket) -> None:
        """Takes note of a connected socket before anything is read from it, TLS handshake included."""
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE:
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        # A duplicate, because wrapping in TLS takes the descriptor away from the object we were given.
        self._handle = sock.dup()
        if self._is_cut:
            self.cut()

    def cut(self) -> None:
        """Ends the connection at once, whatever it is doing; reads in other threads return."""
        self._is_cut = True
        self.wake()
        if self._handle is not None:
            with suppress(OSError):
                self._handle.shutdown(socket.SHUT_RDWR)

    def wake(self) -> None:
        """Ends a `wait` that is going on, or else the next one."""
        with suppress(OSError):
            self._wake_in.send(b"w")

    def close(self) -> None:
        """Gives the descriptors back; only when no thread uses the connection any longer."""
        for sock in (self._handle, self._wake_in, self._wake_out):
            if sock is not None:
                sock.close()

    def allow(self, size_bytes: int) -> None:
        """Sets what the answer to the next command may have, in bytes, beside ANSWER_LIMIT_BYTES."""
        self._allowance = ANSWER_LIMIT_BYTES + size_bytes

    def spend(self, size_bytes: int) -> None:
        """Called before or after that many bytes are read. Raises imaplib.IMAP4.abort past the allowance."""
        self._allowance -= size_bytes
        if self._allowance < 0:
            raise imaplib.IMAP4.abort("the server sends more than was asked for")

    def wait(self, client: Client | None, timeout_seconds: float) -> None:
        """Returns when the server has sent something, when woken, or after the time. `client` None: no server."""
        poller = select.poll()
        poller.register(self._wake_out.fileno(), select.POLLIN)
        if client is not None:
            if client.has_buffered():
                return
            poller.register(client.sock.fileno(), select.POLLIN)
        poller.poll(timeout_seconds * 1000)
        with suppress(BlockingIOError):
            self._wake_out.recv(4096)


class Client(imaplib.IMAP4):
    """The library's client on a `Wire`. With `Tls.TLS` the certificate is verified before a byte of IMAP is read."""

    def __init__(self, source: ImapSource, wire: Wire, context: ssl.SSLContext | None) -> None:
        self._source = source
        self._wire = wire
        self._context = context
        super().__init__(source.host, source.port, timeout=source.command_timeout.total_seconds())

    def _create_socket(self, timeout: float | None) -> socket.socket:
        sock = socket.create_connection((self._source.host, self._source.port), timeout)
        self._wire.adopt(sock)
        if self._source.tls is Tls.TLS and self._context is not None:
            return self._context.wrap_socket(sock, server_hostname=self._source.host)
        return sock

    def shutdown(self) -> None:
        # The library's raises when the handshake of STARTTLS or `Wire.cut` has closed the socket already.
        with suppress(OSError):
            super().shutdown()

    def read(self, size: int) -> bytes:
        self._wire.spend(size)
        return super().read(size)

    def readline(self) -> bytes:
        line = super().readline()
        self._wire.spend(len(line))
        return line

    def forget_unasked(self, *, keep: frozenset[str] = frozenset({"EXISTS"})) -> None:
        """Drops what the server sent without being asked, so that it is never taken for an answer (I6)."""
        for name in self.untagged_responses.keys() - keep - {"BYE", "READ-ONLY"}:
            del self.untagged_responses[name]

    def has_buffered(self) -> bool:
        """Whether bytes were taken from the socket that nobody has looked at yet; a poll does not see those (I8)."""
        if isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            return True
        own_buffer = vars(self).get("_readbuf")
        if own_buffer is not None:
            # Python 3.14 and later.
            return bool(own_buffer)
        return self._has_bytes_in_file()

    def _has_bytes_in_file(self) -> bool:
        timeout = self.sock.gettimeout()
        self.sock.settimeout(0)
        try:
            # On a TLS connection an empty buffer is told by an exception.
            with suppress(ssl.SSLWantReadError):
                return bool(cast(BufferedReader, self.file).peek(1))
            return False
        finally:
            self.sock.settimeout(timeout)


def open_client(source: ImapSource, wire: Wire) -> Client:
    """Connects, with TLS as configured. Raises ServerNotTrusted, OSError, imaplib.IMAP4.error."""
    context = None if source.tls is Tls.NONE else _verifying(source)
    with _trusted(source), ExitStack() as failing:
        client = Client(source, wire, context)
        failing.callback(client.shutdown)
        if source.tls is Tls.STARTTLS:
            if "STARTTLS" not in client.capabilities:
                raise ServerNotTrusted(
                    f"{source.host}:{source.port} offers no STARTTLS, or somebody on the way hides it; no password was "
                    "sent. If it speaks TLS from the start, set `tls: tls` and its port"
                )
            client.starttls(context)
        failing.pop_all()
        return client


def _verifying(source: ImapSource) -> ssl.SSLContext:
    """Certificate and host name are always verified; the library's default accepts any (I1)."""
    context = ssl.create_default_context()
    if source.ca_file is not None:
        try:
            context.load_verify_locations(source.ca_file)
        except OSError as error:
            raise ServerNotTrusted(f"the `ca_file` {source.ca_file} cannot be used: {error}") from error
    return context


@contextmanager
def _trusted(source: ImapSource) -> Iterator[None]:
    """What goes wrong with TLS while connecting is for an operator to settle."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise ServerNotTrusted(
            f"the certificate of {source.host}:{source.port} cannot be verified: {error.verify_message}; if it is the "
            "right server, set `ca_file` to the certificate of its authority"
        ) from error
    except ssl.SSLError as error:
        raise ServerNotTrusted(
            f"no TLS with {source.host}:{source.port}: {error.reason}; check that `port` and `tls` belong together"
        ) from error
