"""`mailcase mailbox check`: connects to a mailbox as the daemon would, and says what works."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from mailcase.config.settings import ImapSource, MailboxSettings
from mailcase.core.case import MailboxName
from mailcase.errors import AppError
from mailcase.inbound.imap import CheckReport, ImapSession, account_of
from mailcase.inbound.imap_line import ImapLine
from mailcase.inbound.protocol import Json
from mailcase.login.logins import Credentials, LoginStatus, log_in
from mailcase.offload import Offload


async def check_mailbox(
    mailbox: MailboxSettings,
    offload: Offload,
    credentials: Mapping[MailboxName, Credentials],
    *,
    when_fine: Callable[[], None] = lambda: None,
) -> list[Json]:
    """Rows of {mailbox, check, ok, detail}; the row that failed says what to do. `when_fine` is called when an account
    could be logged in to: whoever pauses after a failure need not wait any longer.
    """
    source = mailbox.source
    if not isinstance(source, ImapSource):
        detail = f"{source.kind.value} on {source.host}:{source.port}; listens while the daemon runs"
        return [{"mailbox": mailbox.name, "check": "listener", "ok": True, "detail": detail}]
    login = credentials[mailbox.name]
    line = ImapLine(ImapSession(source), offload(f"check {mailbox.name}"), source.command_timeout)
    try:
        await log_in(login, line.open, at_once=True)
        report = await line.call(line.session.check)
        await line.close()
    except AppError as error:
        return [_row(mailbox, is_ok=False, detail=f"{account_of(source)}: {error}")]
    finally:
        line.cut()
    when_fine()
    return [_row(mailbox, is_ok=True, detail=_found(report, login.status))]


def _row(mailbox: MailboxSettings, *, is_ok: bool, detail: str) -> Json:
    return {"mailbox": mailbox.name, "check": "imap", "ok": is_ok, "detail": detail}


def _found(report: CheckReport, login: LoginStatus) -> str:
    parts = [f"{report.account}, folder {report.folder}, {report.messages_count} messages"]
    if report.move_to is not None:
        parts.append(
            f"taken mail goes to {report.move_to}" + ("" if report.move_folder_exists else ", made when needed")
        )
    parts.append(_login(login))
    parts.extend(_shortcomings(report))
    return "; ".join(parts)


def _shortcomings(report: CheckReport) -> Iterator[str]:
    """What the server cannot, where mailcase would use it."""
    can = report.capabilities
    if "IDLE" not in can:
        yield "the server does not announce new mail (no IDLE), it is looked for every `poll_every`"
    if report.move_to is not None and "MOVE" not in can and "UIDPLUS" not in can:
        yield "the server cannot move single mails (no MOVE, no UIDPLUS), taken mail is marked and stays"


def _login(login: LoginStatus) -> str:
    words = f"login by {login.kind.value}"
    if login.token_expires_at is not None:
        words += f", access token until {login.token_expires_at:%Y-%m-%d %H:%M} UTC"
    if login.secret_expires_at is not None:
        words += f", secret until {login.secret_expires_at:%Y-%m-%d}"
    return words
