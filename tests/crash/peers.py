"""Those who have mail for the daemon: a mail server that delivers it, or an IMAP server that it is fetched from."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol

from tests.crash.ledger import Wish
from tests.crash.lives import Installation
from tests.crash.points import Site
from tests.servers.imap_servers import ImapServer, MailProgram
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
    program: MailProgram
    folder: str
    #: What is searched for where mail that is ours is marked; None where it is moved.
    mark: str | None
    put_count: int = 0
    #: The program says one thing at a time.
    talking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def offers(self, mail: EmailMessage, wish: Wish = Wish.CASE) -> bool:
        async with self.talking:
            await asyncio.to_thread(self.program.put, self.folder, mail.as_bytes().replace(b"\n", b"\r\n"))
        self.put_count += 1
        self.installation.ledger.takes(mail, wish)
        return True

    async def unacknowledged_count(self) -> int:
        """Below zero: there is more mail in the folders than anybody has put there."""
        async with self.talking:
            return await asyncio.to_thread(self._count) if self.put_count else 0

    def _count(self) -> int:
        if self.mark is not None:
            return self.put_count - len(self.program.search(self.folder, self.mark))
        left = len(self.program.uids(self.folder))
        return left or self.put_count - len(self.program.uids(f"{self.folder} done"))


@contextmanager
def installed(
    site: Site, folder: Path, sink: SmtpSink, servers: Mapping[str, ImapServer], *, empty_store: Path
) -> Iterator[tuple[Installation, Peer]]:
    """An installation that gets its mail from a site, with the peer there; `servers` are by name.

    On an IMAP server its mail comes into a new folder with the name of the installation's.
    """
    with ExitStack() as stack:
        if site.is_listener:
            installation = _listening(site, folder, sink, empty_store)
            peer: Peer = DeliveringPeer(installation)
        else:
            server = servers["dovecot" if site.is_dovecot else "pymap"]
            program = stack.enter_context(server.program())
            program.make(folder.name)
            mark = None if site.moves else f"KEYWORD {DONE_KEYWORD}" if server.has_keywords else "FLAGGED"
            installation = _fetching(site, folder, sink, empty_store, server)
            peer = ImapPeer(installation, program, folder.name, mark)
        stack.callback(installation.destroy)
        yield installation, peer


def _listening(site: Site, folder: Path, sink: SmtpSink, empty_store: Path) -> Installation:
    return Installation(
        folder,
        sink,
        empty_store=empty_store,
        receive=f'{{kind: {site.value}, listen: "127.0.0.1:0", sender_retry: 1 second}}',
        protocol=smtplib.LMTP if site is Site.LMTP else smtplib.SMTP,
    )


def _fetching(site: Site, folder: Path, sink: SmtpSink, empty_store: Path, server: ImapServer) -> Installation:
    secret = folder / "secret"
    secret.write_text(server.secret.read_text())
    secret.chmod(0o600)
    after = f"{{move: {folder.name} done}}" if site.moves else "flag"
    receive = (
        f"{{kind: imap, host: 127.0.0.1, port: {server.port}, tls: none, user: {server.user}, password_file: secret, "
        f"folder: {folder.name}, start: all, after: {after}, poll_every: 1 second}}"
    )
    return Installation(folder, sink, empty_store=empty_store, receive=receive)
