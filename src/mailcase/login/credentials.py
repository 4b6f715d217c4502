"""What is shown to a mail server, and how it is put on the wire (SASL XOAUTH2; OAUTHBEARER, RFC 7628); pure."""

from __future__ import annotations

import base64
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from mailcase.log import without_secret

#: Renewed that long before its end, so that clock differences and slow servers do no harm; never more than the last
#: quarter of its life.
RENEWAL_MARGIN = timedelta(minutes=5)


class Mechanism(StrEnum):
    """How an access token is presented."""

    XOAUTH2 = "XOAUTH2"
    OAUTHBEARER = "OAUTHBEARER"

    @property
    def last_answer(self) -> bytes:
        """What the server wants to hear after it has told why it refuses."""
        return b"" if self is Mechanism.XOAUTH2 else b"\x01"


def best_mechanism(offered: Collection[str]) -> Mechanism | None:
    """The one to use of those that the server names, in capitals; None when it knows no access tokens."""
    return next((mechanism for mechanism in Mechanism if mechanism.value in offered), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A bearer token; whoever has it may use the mailbox."""

    value: str = field(repr=False)
    obtained_at: datetime
    #: None: nobody said; it is used until a server refuses it.
    expires_at: datetime | None

    def is_good(self, now: datetime) -> bool:
        """May be used for a new login, with a margin. A clock that was set back makes it no longer good."""
        if self.expires_at is None:
            return True
        margin = min(RENEWAL_MARGIN, (self.expires_at - self.obtained_at) / 4)
        return self.obtained_at <= now < self.expires_at - margin


@dataclass(frozen=True, slots=True, kw_only=True)
class Password:
    """A user name with its password."""

    user: str
    secret: str = field(repr=False)
    #: What an operator can do when it is refused.
    advice: str

    def cleaned(self, text: str) -> str:
        """Words of a server without the password that it may have repeated (S16)."""
        return without_secret(text, self.user, self.secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """A user name with an access token."""

    user: str
    token: AccessToken
    #: What an operator can do when it is refused.
    advice: str

    def initial_response(self, mechanism: Mechanism, *, host: str, port: int) -> bytes:
        """What is sent first, before base64."""
        if mechanism is Mechanism.XOAUTH2:
            return f"user={self.user}\x01auth=Bearer {self.token.value}\x01\x01".encode()
        # RFC 5801 s. 4: the name stands in a list, so that its `=` and `,` are written otherwise.
        name = self.user.replace("=", "=3D").replace(",", "=2C")
        return f"n,a={name},\x01host={host}\x01port={port}\x01auth=Bearer {self.token.value}\x01\x01".encode()

    def cleaned(self, text: str, *sent: bytes) -> str:
        """Words of a server without the token that it may have repeated (S16); `sent` is what we showed it."""
        for response in sent:
            text = text.replace(base64.b64encode(response).decode(), "***")
        return without_secret(text, self.user, self.token.value)


Credential = Password | Bearer
