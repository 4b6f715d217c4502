"""Where a life of the daemon can end: around every commit, and at what only a peer can see.

The commits are those of the store (`Point`): a new one is part of the campaign by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum

from mailcase.store.port import Point

BEFORE, AFTER = "before", "after"


class Wire(StrEnum):
    """Moments on the wire; who kills there knows what the peer was told."""

    #: The answer to a mail that we were given: after 250 of SMTP or LMTP.
    TAKEN = "250"
    #: Around the server's move of mail that is ours.
    MOVE = "imap-move"
    #: Around its mark on mail that is ours.
    FLAG = "imap-flag"
    #: Around the relay's answer to our final dot.
    DOT = "final-dot"
    #: Any time from the start of the process on.
    ANY = "any"


class Site(Enum):
    """A server that mail comes from, and how it is acknowledged there."""

    SMTP = "smtp"
    LMTP = "lmtp"
    PYMAP_MOVE = "pymap, move"
    PYMAP_FLAG = "pymap, flag"
    DOVECOT_MOVE = "dovecot, move"
    DOVECOT_FLAG = "dovecot, flag"

    @property
    def is_listener(self) -> bool:
        return self in (Site.SMTP, Site.LMTP)

    @property
    def is_dovecot(self) -> bool:
        return self in (Site.DOVECOT_MOVE, Site.DOVECOT_FLAG)

    @property
    def moves(self) -> bool:
        """Mail that is ours is moved there; else it is marked (IMAP only)."""
        return self in (Site.PYMAP_MOVE, Site.DOVECOT_MOVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """Where a life ends: before or after the nth time that a point is reached, by its name in `Point` or `Wire`."""

    point: str
    when: str
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.when} {self.point} {self.nth}"

    @property
    def is_at_peer(self) -> bool:
        """The peer kills; at all other points the daemon's process does it to itself."""
        return self.point in (Wire.TAKEN.name, Wire.DOT.name, Wire.ANY.name)


def crashes_at(site: Site) -> tuple[Crash, ...]:
    """Every point that a daemon with mail from that server comes by, each with its two sides."""
    acknowledgement = Wire.MOVE if site.moves else Wire.FLAG
    sides = [*Point, Wire.DOT] if site.is_listener else [*Point, Wire.DOT, acknowledgement]
    crashes = [Crash(point=point.name, when=when) for point in sides for when in (BEFORE, AFTER)]
    if site.is_listener:
        crashes.append(Crash(point=Wire.TAKEN.name, when=AFTER))
    crashes.append(Crash(point=Wire.ANY.name, when=AFTER))
    return tuple(crashes)
