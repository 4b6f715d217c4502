"""A TCP proxy on the loopback that breaks what passes through it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import repeat
from types import TracebackType


class FaultProxy:
    """Forwards to a port of the loopback; used in `with`."""

    def __init__(
        self, target: int, *, hidden: Sequence[bytes] = (), allowances: Iterable[int | None] = repeat(None)
    ) -> None:
        """Each of `hidden` is written over with `X` where the server says it in one piece; it begins with a space.
        `allowances` says for each connection, in their order, after how many bytes of the server it ends; None: never.
        """
        self._target = target
        self._hidden = hidden
        self._allowances = iter(allowances)
        self._talking = threading.Event()
        self._talking.set()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        #: Connections made so far.
        self.connections_count = 0

    def fall_silent(self) -> None:
        """From now on nothing passes from the server, and the connections stay open."""
        self._talking.clear()

    def speak_again(self) -> None:
        """Undoes `fall_silent`."""
        self._talking.set()

    def __enter__(self) -> FaultProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._talking.set()
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._open += [client, server]
                self.connections_count += 1
                allowance = next(self._allowances)
                threading.Thread(target=self._serve, args=(client, server, allowance), daemon=True).start()

    def _serve(self, client: socket.socket, server: socket.socket, allowance: int | None) -> None:
        """Both directions of one connection, until either end or the allowance does."""
        upwards = threading.Thread(target=_pump, args=(client, server), daemon=True)
        upwards.start()
        with client, server:
            with suppress(OSError):
                while (allowance is None or allowance > 0) and (data := server.recv(65536)):
                    self._talking.wait()
                    for word in self._hidden:
                        data = data.replace(word, b" " + b"X" * (len(word) - 1))
                    client.sendall(data[:allowance])
                    allowance = None if allowance is None else allowance - len(data)
            for end in (client, server):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            upwards.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
