"""`mailcase mailbox check`: what works, or what is wrong and what to do."""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from tests.inbound.watched import password_credentials
from tests.servers.imap_servers import ImapServer, free_port
from tests.servers.scripted_imap import ScriptedImap, always

from mailcase.clock import SystemClock
from mailcase.config.settings import (
    ImapSource,
    Language,
    ListenerKind,
    ListenerSource,
    MailboxSettings,
    OwnAddress,
    ReplyAddress,
    SecretFile,
    Source,
)
from mailcase.core.case import MailboxName, ProcessName
from mailcase.inbound.check import check_mailbox
from mailcase.inbound.protocol import Json
from mailcase.offload import OwnedThread


def mailbox(source: Source) -> MailboxSettings:
    own = OwnAddress(
        address="support@example.org",
        name="",
        signature="",
        language=Language.ENGLISH,
        reply_address=ReplyAddress.PLAIN,
        templates=None,
    )
    return MailboxSettings(
        name=MailboxName("desk"),
        source=source,
        is_enabled=True,
        addresses=(own,),
        routes=(),
        fallback=ProcessName("enquiry"),
    )


async def check(source: Source) -> list[Json]:
    """As the daemon does it for a mailbox with that source."""
    credentials = {}
    if isinstance(source, ImapSource):
        credentials[MailboxName("desk")] = password_credentials(source, SystemClock())
    return await check_mailbox(mailbox(source), OwnedThread, credentials)


async def test_a_mailbox_in_order_says_what_it_holds(imap_server: ImapServer) -> None:
    source = imap_server.source(imap_server.new_folder())

    (row,) = await check(source)

    assert isinstance(row, dict)
    assert (row["mailbox"], row["check"], row["ok"]) == ("desk", "imap", True)
    assert f"folder {source.folder}, 0 messages" in str(row["detail"])


async def test_a_wrong_password_says_what_to_do(imap_server: ImapServer, tmp_path: Path) -> None:
    secret = tmp_path / "wrong"
    secret.write_text("SECRET_wrong")
    source = imap_server.source("INBOX")

    (row,) = await check(replace(source, login=SecretFile(path=secret)))

    assert isinstance(row, dict)
    assert row["ok"] is False
    assert "SECRET_wrong" not in str(row["detail"])
    assert str(secret) in str(row["detail"])


async def test_a_port_that_nobody_listens_on_is_told_in_the_words_of_the_system(imap_server: ImapServer) -> None:
    port = free_port()

    (row,) = await check(replace(imap_server.source("INBOX"), port=port))

    assert isinstance(row, dict)
    assert row["ok"] is False
    assert str(row["detail"]).endswith(f"connecting to 127.0.0.1:{port}: Connection refused")


async def test_what_a_server_cannot_is_told(tmp_path: Path) -> None:
    with ScriptedImap({"CAPABILITY": always(b"* CAPABILITY IMAP4rev1\r\n{tag} OK done\r\n")}) as server:
        (row,) = await check(server.source(tmp_path / "secret"))

    assert isinstance(row, dict)
    assert row["ok"] is True
    assert "no IDLE" in str(row["detail"])


async def test_a_server_that_says_nothing_is_given_up(imap_server: ImapServer) -> None:
    """I10: the wall clock decides, not the time between two bytes."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source: ImapSource = replace(
            imap_server.source("INBOX"), port=silent.getsockname()[1], command_timeout=timedelta(milliseconds=200)
        )

        (row,) = await check(source)

    assert isinstance(row, dict)
    assert row["ok"] is False
    assert str(row["detail"])


async def test_a_listener_is_told_by_its_port() -> None:
    source = ListenerSource(kind=ListenerKind.LMTP, host="127.0.0.1", port=2424)

    (row,) = await check(source)

    assert isinstance(row, dict)
    assert row["ok"] is True
    assert "lmtp on 127.0.0.1:2424" in str(row["detail"])
