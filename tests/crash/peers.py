"""Those who have mail for the daemon: a mail server that delivers it, or an IMAP server that it is fetched from."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol

from tests.crash.ledger import Wish
from tests.crash.lives import Installation
from tests.crash.points import Site
from tests.servers.imap_servers import ImapServer
from tests.servers.smtp_sink import SmtpSink

from mailcase.inbound.imap import DONE_KEYWORD


class Peer(Protocol):
    """Gives mail to the daemon, and knows what it was told about it."""

    async def offers(self, mail: EmailMessage, wish: Wish = Wish.CASE) -> bool:
        """Offers a mail once; True when it is out of the sender's hands, and in the ledger."""
        ...

    async def unacknowledged_count(self) -> int:
        """Mails that the daemon has not said anything about."""
        ...


@dataclass
class DeliveringPeer:
    """A mail server that delivers by SMTP or LMTP; it offers until it is answered with 250."""

    installation: Installation

    async def offers(self, mail: EmailMessage, wish: Wish = Wish.CASE) -> bool:
        return await self.installation.offers(mail, wish)

    async def unacknowledged_count(self) -> int:
        """None: it has forgotten what was answered with 250."""
        return 0


@dataclass
class ImapPeer:
    """An IMAP server with one folder, from which mail is moved to another, or where it is marked."""

    installation: Installation
    server: ImapServer
    folder: str
    moves: bool
    put_count: int = 0

    async def offers(self, mail: EmailMessage, wish: Wish = Wish.CASE) -> bool:
        await asyncio.to_thread(self._put, mail.as_bytes().replace(b"\n", b"\r\n"))
        self.put_count += 1
        self.installation.ledger.takes(mail, wish)
        return True

    def _put(self, raw: bytes) -> None:
        with self.server.program() as program:
            program.put(self.folder, raw)

    async def unacknowledged_count(self) -> int:
        """Below zero: there is more mail in the folders than anybody has put there."""
        return await asyncio.to_thread(self._count) if self.put_count else 0

    def _count(self) -> int:
        mark = f"KEYWORD {DONE_KEYWORD}" if self.server.has_keywords else "FLAGGED"
        with self.server.program() as program:
            if not self.moves:
                return self.put_count - len(program.search(self.folder, mark))
            return len(program.uids(self.folder)) or self.put_count - len(program.uids(f"{self.folder} done"))


def install(
    site: Site, folder: Path, sink: SmtpSink, servers: Mapping[str, ImapServer], *, empty_store: Path
) -> tuple[Installation, Peer]:
    """An installation that gets its mail from a site, with the peer there; `servers` are by name.

    On an IMAP server its mail comes into a new folder with the name of the installation's.
    """
    if site.is_listener:
        installation = Installation(
            folder,
            sink,
            empty_store=empty_store,
            receive=f'{{kind: {site.value}, listen: "127.0.0.1:0", sender_retry: 1 second}}',
            protocol=smtplib.LMTP if site is Site.LMTP else smtplib.SMTP,
        )
        return installation, DeliveringPeer(installation)
    server = servers["dovecot" if site.is_dovecot else "pymap"]
    box = folder.name
    with server.program() as program:
        program.make(box)
    secret = folder / "secret"
    secret.write_text(server.secret.read_text())
    secret.chmod(0o600)
    after = f"{{move: {box} done}}" if site.moves else "flag"
    receive = (
        f"{{kind: imap, host: 127.0.0.1, port: {server.port}, tls: none, user: {server.user}, password_file: secret, "
        f"folder: {box}, start: all, after: {after}, poll_every: 1 second}}"
    )
    installation = Installation(folder, sink, empty_store=empty_store, receive=receive)
    return installation, ImapPeer(installation, server, box, site.moves)
