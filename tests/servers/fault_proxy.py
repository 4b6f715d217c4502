"""A TCP proxy on the loopback that breaks what passes through it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType


class FaultProxy:
    """Forwards to a port of the loopback. May be told to cut or to fall silent while it runs; used in `with`."""

    def __init__(self, target: int, *, hidden: Sequence[bytes] = ()) -> None:
        """Each of `hidden` is written over with `X` where the server says it in one piece; it begins with a space."""
        self._target = target
        self._hidden = hidden
        self._lock = threading.Lock()
        self._budget: int | None = None
        self._talking = threading.Event()
        self._talking.set()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        #: Connections made so far.
        self.connections_count = 0

    def cut_after(self, size_bytes: int | None) -> None:
        """The connections end, all at once, when the server has sent so many more bytes; None: they no longer do."""
        with self._lock:
            self._budget = size_bytes

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
        self._cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                with self._lock:
                    self._open += [client, server]
                    self.connections_count += 1
                threading.Thread(target=self._pump, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self._pump, args=(server, client, True), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, is_server: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(self._spoilt(data) if is_server else data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _spoilt(self, data: bytes) -> bytes:
        self._talking.wait()
        for word in self._hidden:
            data = data.replace(word, b" " + b"X" * (len(word) - 1))
        with self._lock:
            if self._budget is None:
                return data
            data, self._budget = data[: self._budget], max(0, self._budget - len(data))
            is_spent = self._budget == 0
        if is_spent:
            self._deliver_and_cut(data)
        return data

    def _deliver_and_cut(self, data: bytes) -> None:
        """The other end sees these bytes and then the end of the connection."""
        with self._lock:
            clients = self._open[::2]
        for client in clients:
            with suppress(OSError):
                client.sendall(data)
        self._cut()

    def _cut(self) -> None:
        with self._lock:
            ends, self._open = self._open, []
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
