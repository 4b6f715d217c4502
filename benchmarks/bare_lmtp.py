"""The yardstick of LMTP intake: aiosmtpd with a handler that commits in groups and does nothing else.

`python -m benchmarks.bare_lmtp DATABASE` prints its port and serves until it is ended.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import sys
from typing import Any

from aiosmtpd.lmtp import LMTP

#: Mails that share a commit at most.
GROUP = 64
_ADD = "INSERT INTO mail (sha256, sender, recipients, raw) VALUES (?, ?, ?, ?)"


class Committer:
    """Takes mails from all connections; each `250` waits for the commit that its mail is in."""

    def __init__(self, path: str) -> None:
        self._database = sqlite3.connect(path, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute(
            "CREATE TABLE mail (id INTEGER PRIMARY KEY, sha256 TEXT, sender TEXT, recipients TEXT, raw BLOB)"
        )
        self._waiting: asyncio.Queue[tuple[tuple[Any, ...], asyncio.Future[None]]] = asyncio.Queue()

    async def keep(self, sender: str, recipients: list[str], raw: bytes) -> None:
        """Returns once the mail is durable."""
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        row = (hashlib.sha256(raw).hexdigest(), sender, " ".join(recipients), raw)
        self._waiting.put_nowait((row, kept))
        await kept

    async def run(self) -> None:
        while True:
            group = [await self._waiting.get()]
            while len(group) < GROUP and not self._waiting.empty():
                group.append(self._waiting.get_nowait())
            await asyncio.to_thread(self._commit, [row for row, _kept in group])
            for _row, kept in group:
                if not kept.done():
                    kept.set_result(None)

    def _commit(self, rows: list[tuple[Any, ...]]) -> None:
        self._database.executemany(_ADD, rows)
        self._database.commit()


class Handler:
    """What aiosmtpd asks."""

    def __init__(self, committer: Committer) -> None:
        self._committer = committer

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        await self._committer.keep(envelope.mail_from, envelope.rcpt_tos, envelope.original_content)
        return "250 2.6.0 accepted"


async def main(path: str) -> None:
    committer = Committer(path)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: LMTP(Handler(committer), loop=loop), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.gather(committer.run(), server.serve_forever())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
