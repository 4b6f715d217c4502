"""`mailcase mailbox check`: connects to a mailbox as the daemon would, and says what works."""

from __future__ import annotations

import asyncio

from mailcase.config.settings import ImapSource, MailboxSettings
from mailcase.inbound.imap import CheckReport, check
from mailcase.inbound.protocol import Json
from mailcase.offload import Offload


async def check_mailbox(mailbox: MailboxSettings, offload: Offload) -> list[Json]:
    """Rows of {mailbox, check, ok, detail}; the row that failed says what to do."""
    source = mailbox.source
    if not isinstance(source, ImapSource):
        detail = f"{source.kind.value} on {source.host}:{source.port}; listens while the daemon runs"
        return [{"mailbox": mailbox.name, "check": "listener", "ok": True, "detail": detail}]
    thread = offload(f"check {mailbox.name}")
    try:
        async with asyncio.timeout(source.command_timeout.total_seconds()):
            report = await thread.run(lambda: check(source))
    except TimeoutError:
        detail = f"{source.host}:{source.port} does not answer in {source.command_timeout.total_seconds():g} s"
        return [_row(mailbox, is_ok=False, detail=detail)]
    finally:
        thread.abandon()
    return [_row(mailbox, is_ok=report.problem is None, detail=report.problem or _found(report))]


def _row(mailbox: MailboxSettings, *, is_ok: bool, detail: str) -> Json:
    return {"mailbox": mailbox.name, "check": "imap", "ok": is_ok, "detail": detail}


def _found(report: CheckReport) -> str:
    parts = [f"{report.account}, folder {report.folder}, {report.messages_count} messages"]
    if report.move_to is not None:
        parts.append(
            f"taken mail goes to {report.move_to}" + ("" if report.move_folder_exists else ", made when needed")
        )
    parts.append(f"server: {' '.join(report.capabilities)}")
    return "; ".join(parts)
