"""What a service manager is told of the daemon: sd_notify(3), written for non-blocking use on the loop.

A notification is one datagram of `NAME=value` lines to the socket that NOTIFY_SOCKET names, a path or, after an `@`, an
abstract name. A manager that cannot be reached never disturbs the daemon.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

from mailcase.clock import Clock
from mailcase.log import get_logger
from mailcase.safe_text import safe_text

log = get_logger()

#: A status line is for one line of a terminal.
_STATUS_LIMIT = 200


class ServiceManager(Protocol):
    """Whoever started the daemon and watches over it."""

    @property
    def watchdog(self) -> timedelta | None:
        """Without a sign of life for so long the daemon is killed and started again; None: nobody watches."""
        ...

    def ready(self) -> None:
        """Everything runs: after the start, and again after a reload, whatever came of it."""
        ...

    def reloading(self) -> None:
        """The configuration is being read again; `ready` follows."""
        ...

    def stopping(self) -> None: ...

    def status(self, line: str) -> None:
        """How things stand, in one line."""
        ...

    def alive(self) -> None:
        """A sign of life."""
        ...


class Nobody:
    """No service manager: a terminal, a test."""

    watchdog: timedelta | None = None

    def ready(self) -> None: ...

    def reloading(self) -> None: ...

    def stopping(self) -> None: ...

    def status(self, line: str) -> None: ...

    def alive(self) -> None: ...


class Systemd:
    """systemd, or anything that speaks its protocol."""

    def __init__(self, address: str, *, watchdog: timedelta | None, clock: Clock) -> None:
        """`address` as NOTIFY_SOCKET has it."""
        self.watchdog = watchdog
        self._address = address
        self._clock = clock
        self._is_out_of_reach = False

    def ready(self) -> None:
        self._send("READY=1")

    def reloading(self) -> None:
        # systemd wants to know when the reload began by the clock that both see (sd_notify(3)).
        self._send("RELOADING=1", f"MONOTONIC_USEC={int(self._clock.monotonic() * 1_000_000)}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def status(self, line: str) -> None:
        self._send(f"STATUS={safe_text(line, _STATUS_LIMIT)}")

    def alive(self) -> None:
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        message = "\n".join(lines).encode()
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as way:
                way.sendto(message, _sun_path(self._address))
        except OSError as error:
            # Said once: the watchdog would say it every few seconds.
            if not self._is_out_of_reach:
                log.warning("service_manager_unreachable", error=error.strerror or str(error))
            self._is_out_of_reach = True
        else:
            self._is_out_of_reach = False


def service_manager(environment: Mapping[str, str], *, clock: Clock, pid: int | None = None) -> ServiceManager:
    """Who watches over this process, as its environment says. Only addresses of Unix sockets are known."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")) or len(address) < 2:
        return Nobody()
    return Systemd(address, watchdog=_watchdog(environment, pid or os.getpid()), clock=clock)


def _watchdog(environment: Mapping[str, str], pid: int) -> timedelta | None:
    """WATCHDOG_USEC, where it is meant for this process (sd_watchdog_enabled(3))."""
    usec = environment.get("WATCHDOG_USEC", "")
    if not (usec.isascii() and usec.isdigit()) or int(usec) == 0:
        return None
    if environment.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return timedelta(microseconds=int(usec))


def _sun_path(address: str) -> str:
    """The address as the kernel takes it: an abstract name begins with a zero byte (unix(7))."""
    return "\0" + address[1:] if address.startswith("@") else address
