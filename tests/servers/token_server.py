"""A token server for tests, over real HTTP on the loopback: expires, rotates, refuses and hangs.

    with LocalTokenServer(rotates=True) as server:
        server.script(Answer(503, b""))     # the next request; those after it are answered well again
        server.script(Act.HANG)
        ...
        assert server.requests[0].form["grant_type"] == "refresh_token"

It also says whether a token is good (`/introspect`), which is what Dovecot asks.
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from types import TracebackType
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlsplit

from mailcase.config.settings import OAuthClient, SecretFile

CLIENT_ID = "mailcase"
CLIENT_SECRET = "SECRET client/secret"
REFRESH_TOKEN = "SECRET-refresh-0"


class Act(Enum):
    """What a server may do in place of an answer."""

    #: Reads the request and never answers.
    HANG = "hang"
    #: Answers well, but not before `release`.
    LATE = "late"
    #: Sends the head and then a byte now and then, for ever.
    TRICKLE = "trickle"
    #: Closes the connection.
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as a test wants it."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def refusal(error: str, description: str = "", status: int = 400) -> Answer:
    """An error of RFC 6749 s. 5.2."""
    return Answer(status, json.dumps({"error": error, "error_description": description}).encode())


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent to the token endpoint."""

    form: dict[str, str]
    authorization: str | None


class LocalTokenServer:
    """Serves from `with` on, on threads of its own."""

    def __init__(
        self, *, lifetime_seconds: int = 3600, rotates: bool = False, tls: ssl.SSLContext | None = None
    ) -> None:
        self.lifetime_seconds = lifetime_seconds
        self.rotates = rotates
        self.requests: list[Request] = []
        #: Whose mailbox the tokens open, as Dovecot is told.
        self.user = "ann"
        self._tokens: set[str] = set()
        self._refresh_tokens = {REFRESH_TOKEN}
        self._scripts: deque[Answer | Act] = deque()
        self._numbers = count(1)
        self._is_over = threading.Event()
        self._is_released = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                server._token(self)

            def do_GET(self) -> None:
                server._introspect(self)

            def log_message(self, format: str, *args: object) -> None:
                return

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._scheme = "http"
        if tls is not None:
            self._scheme = "https"
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True)

    def __enter__(self) -> LocalTokenServer:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._is_released.set()
        self._http.shutdown()
        self._http.server_close()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._http.server_address[1]}/token"

    @property
    def introspection_url(self) -> str:
        """To be followed by a token."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/introspect?token="

    def client(self, folder: Path, *, has_refresh_token: bool = False) -> OAuthClient:
        """A client of this server whose secret files are in that folder, made with good secrets where missing."""
        files = {}
        for name, secret in (("client", CLIENT_SECRET), ("refresh", REFRESH_TOKEN)):
            files[name] = folder / f"{name}.secret"
            if not files[name].exists():
                files[name].write_text(f"{secret}\n")
        return OAuthClient(
            token_url=self.url,
            client_id=CLIENT_ID,
            client_secret=SecretFile(path=files["client"]),
            refresh_token=SecretFile(path=files["refresh"]) if has_refresh_token else None,
            scope="mail",
        )

    def script(self, *answers: Answer | Act) -> None:
        """The next answers."""
        self._scripts.extend(answers)

    def consent(self, refresh_token: str) -> None:
        """Somebody consented, which gives a new refresh token and ends all others."""
        self._refresh_tokens = {refresh_token}

    def release(self) -> None:
        """Lets late answers go."""
        self._is_released.set()

    def revoke(self) -> None:
        """No access token of until now opens anything."""
        self._tokens.clear()

    def knows(self, token: str) -> bool:
        """Whether a mail server may let in whoever shows it."""
        return token in self._tokens

    # ---- on the threads of the server

    def _token(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"])).decode()
        request = Request(dict(parse_qsl(body, strict_parsing=True)), handler.headers["Authorization"])
        self.requests.append(request)
        answer = self._scripts.popleft() if self._scripts else self._answer(request)
        if answer is Act.LATE:
            self._is_released.wait()
            answer = self._answer(request)
        with suppress(OSError):
            if isinstance(answer, Act):
                self._act(handler, answer)
            else:
                _send(handler, answer)

    def _act(self, handler: BaseHTTPRequestHandler, act: Act) -> None:
        handler.close_connection = True
        if act is Act.HANG:
            self._is_over.wait()
        if act is Act.TRICKLE:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
            while not self._is_over.wait(0.02):
                handler.wfile.write(b" ")

    def _answer(self, request: Request) -> Answer:
        form = request.form
        if _client_of(request) != (CLIENT_ID, CLIENT_SECRET):
            return refusal("invalid_client", "the client secret is wrong", 401)
        given: dict[str, object] = {"token_type": "Bearer", "expires_in": self.lifetime_seconds}
        if form["grant_type"] == "refresh_token":
            if form["refresh_token"] not in self._refresh_tokens:
                return refusal("invalid_grant", "the refresh token is not known")
            if self.rotates:
                given["refresh_token"] = f"SECRET-refresh-{next(self._numbers)}"
                self._refresh_tokens = {str(given["refresh_token"])}
        given["access_token"] = f"SECRET-access-{next(self._numbers)}"
        self._tokens.add(str(given["access_token"]))
        return Answer(200, json.dumps(given).encode())

    def _introspect(self, handler: BaseHTTPRequestHandler) -> None:
        shown = parse_qs(urlsplit(handler.path).query).get("token", [""])[0]
        is_known = self.knows(shown)
        said = {"active": "true", "username": self.user} if is_known else {"error": "invalid_token"}
        _send(handler, Answer(200 if is_known else 401, json.dumps(said).encode()))


def _client_of(request: Request) -> tuple[str, str]:
    """Id and secret, from the header or the form."""
    if request.authorization is None:
        return request.form.get("client_id", ""), request.form.get("client_secret", "")
    pair = base64.b64decode(request.authorization.removeprefix("Basic ")).decode()
    name, _, secret = pair.partition(":")
    return unquote_plus(name), unquote_plus(secret)


def _send(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    handler.send_response(answer.status)
    for name, value in answer.headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(answer.body)))
    handler.end_headers()
    handler.wfile.write(answer.body)
