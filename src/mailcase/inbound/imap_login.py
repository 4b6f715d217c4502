"""Shows an access token to an IMAP server (AUTHENTICATE XOAUTH2 or OAUTHBEARER).

Not by the library's call: asked for more, it shows the token once again, where a server that refuses wants to hear an
empty answer before it says so.
"""

from __future__ import annotations

import imaplib

from mailcase.config.settings import ImapSource
from mailcase.inbound.imap_answers import checked
from mailcase.inbound.imap_wire import Client
from mailcase.login.credentials import Bearer, best_mechanism

_AUTH = "AUTH="


def show_token(client: Client, bearer: Bearer, source: ImapSource) -> None:
    """Logs in. Raises imaplib.IMAP4.error with the server's words, which are free of the token, when it refuses."""
    checked(bearer.user)
    offered = {name.removeprefix(_AUTH) for name in client.capabilities if name.startswith(_AUTH)}
    mechanism = best_mechanism(offered)
    if mechanism is None:
        raise imaplib.IMAP4.error("it takes no access tokens (neither XOAUTH2 nor OAUTHBEARER is offered)")
    shown = bearer.initial_response(mechanism, host=source.host, port=source.port)
    asked: list[bytes] = []

    def answer(challenge: bytes) -> bytes:
        asked.append(challenge)
        # The first question is empty; a second one tells why the token is refused (RFC 7628 s. 3.2.3).
        return shown if len(asked) == 1 else mechanism.last_answer

    try:
        client.authenticate(mechanism.value, answer)
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as error:
        said = " ".join([str(error), *(challenge.decode("utf-8", "replace") for challenge in asked[1:])])
        raise imaplib.IMAP4.error(bearer.cleaned(said, shown)) from None
