"""`mailcase try`: writes to the running daemon as a customer would, shows the answer and why it went as it did."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

import click

from mailcase.cli.ending import Ended, refused
from mailcase.cli.options import Command
from mailcase.cli.render_mail import mail_show
from mailcase.cli.session import Session, print_json
from mailcase.config.settings import ListenerKind, ListenerSource, MailboxSettings, MaildirRelay, OutgoingMode, Settings
from mailcase.entropy import SystemEntropy, token
from mailcase.inbound.control import Exit, Json, Response
from mailcase.safe_text import safe_text

ANSWER_WITHIN = timedelta(seconds=20)
_PAUSE_SECONDS = 0.1
#: Reserved for examples (RFC 2606): mail to it reaches nobody.
_DOMAIN = "example.net"
_SUBJECT_LIMIT = 70
_CONNECT_SECONDS = 10.0
#: A listener on all addresses is reached on the loopback one.
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - compared with, not listened on


@click.command("try", cls=Command)
@click.argument("text")
def try_(text: str) -> None:
    """Write to the running daemon as a customer would; show what came back, and why."""
    session = Session.current()
    mail = letter(text, customer=f"try-{token(SystemEntropy(), 5)}@{_DOMAIN}", session=session)
    mailbox, source = listener_of(session.settings)
    maildir = answers_folder(session.settings)
    before = _files(maildir)
    send(mail, source)
    _tell(session, f"sent to {mail['To']} through mailbox {mailbox.name}, as {mail['From']}")
    answer = wait_for_answer(session, maildir, before, mail) if maildir else None
    reason = wait_for_reason(session, message_id(mail))
    _print(session, answer, reason, is_expected=maildir is not None)


def letter(text: str, *, customer: str, session: Session) -> EmailMessage:
    """The customer's mail: the first line of the text is its subject too."""
    # What a shell passes may not be UTF-8; a customer's mail program would have noticed.
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    mailbox, _ = listener_of(session.settings)
    mail = EmailMessage()
    mail["From"] = customer
    mail["To"] = mailbox.addresses[0].address
    mail["Subject"] = " ".join(text.split())[:_SUBJECT_LIMIT] or "(empty)"
    mail["Date"] = format_datetime(session.clock.now())
    mail["Message-ID"] = f"<{customer}>"
    mail.set_content(text)
    return mail


def message_id(mail: EmailMessage) -> str:
    """Without brackets."""
    return str(mail["Message-ID"]).strip("<>")


def listener_of(settings: Settings) -> tuple[MailboxSettings, ListenerSource]:
    """The first mailbox to which mail is delivered over a port. Raises Ended when there is none."""
    for mailbox in settings.mailboxes.values():
        if isinstance(mailbox.source, ListenerSource) and mailbox.is_enabled:
            if not mailbox.source.port:
                raise refused(f"mailbox {mailbox.name} listens on a port that the system chooses; give it a number")
            return mailbox, mailbox.source
    raise refused(
        "no mailbox receives over SMTP or LMTP, so there is no port to write to: send a mail to a mailbox with your "
        "mail program, or try with config.example.yaml"
    )


def answers_folder(settings: Settings) -> Path | None:
    """The Maildir in which the answer will be found; None when outgoing mail is held.

    Raises Ended when the answer would leave this machine.
    """
    if settings.outgoing.mode is OutgoingMode.HOLD:
        return None
    if isinstance(settings.relay, MaildirRelay):
        return settings.relay.path
    raise refused(
        f"answers leave through {settings.relay.host}: one to {_DOMAIN} would reach nobody. Set `outgoing: hold`, or "
        "leave the relay out of the configuration, or write from a real address with your mail program"
    )


def send(mail: EmailMessage, source: ListenerSource) -> None:
    """Delivers the mail. Raises Ended when nobody listens or the mail is refused."""
    host = _LOOPBACK.get(source.host, source.host)
    protocol = smtplib.LMTP if source.kind is ListenerKind.LMTP else smtplib.SMTP
    try:
        # The name is given, because the library would look up that of this machine.
        with protocol(host, source.port, local_hostname=_DOMAIN) as client:
            client.send_message(mail)
    except ConnectionRefusedError as error:
        raise refused(f"nothing listens on {host}:{source.port}: start the daemon with `mailcase run`") from error
    except (smtplib.SMTPException, OSError) as error:
        raise refused(f"{host}:{source.port} did not take the mail: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back to the customer."""

    from_: str
    to: str
    subject: str
    text: str


def wait_for_answer(session: Session, maildir: Path, before: frozenset[str], mail: EmailMessage) -> Answer | None:
    """The first new file in the Maildir that answers the mail; None when there is none in time."""
    give_up_at = session.clock.monotonic() + ANSWER_WITHIN.total_seconds()
    seen = set(before)
    while session.clock.monotonic() < give_up_at:
        for name in sorted(_files(maildir) - seen):
            seen.add(name)
            found = message_from_bytes((maildir / "new" / name).read_bytes(), policy=policy.default)
            if isinstance(found, EmailMessage) and str(mail["Message-ID"]) in str(found["In-Reply-To"] or ""):
                return _answer(found)
        time.sleep(_PAUSE_SECONDS)
    return None


def _files(maildir: Path | None) -> frozenset[str]:
    folder = maildir / "new" if maildir else None
    return frozenset(path.name for path in folder.iterdir()) if folder and folder.is_dir() else frozenset()


def _answer(mail: EmailMessage) -> Answer:
    body = mail.get_body(("plain", "html"))
    text = body.get_content() if body else ""
    return Answer(from_=str(mail["From"]), to=str(mail["To"]), subject=str(mail["Subject"]), text=str(text))


def wait_for_reason(session: Session, sent_id: str) -> Response:
    """What `why` says of the mail, as soon as it has an outcome; the last refusal when it gets none in time."""
    give_up_at = session.clock.monotonic() + ANSWER_WITHIN.total_seconds()
    while True:
        response = session.ask("why", {"mail": sent_id}, acts=False)
        is_pending = response.exit != Exit.DONE or (
            isinstance(response.data, dict) and response.data.get("outcome") == "pending"
        )
        if not is_pending or session.clock.monotonic() >= give_up_at:
            return response
        time.sleep(_PAUSE_SECONDS)


def _tell(session: Session, line: str) -> None:
    if not session.options.json:
        click.echo(line)


def _print(session: Session, answer: Answer | None, reason: Response, *, is_expected: bool) -> None:
    if session.options.json:
        print_json({"answer": _as_json(answer), "mail": reason.data})
    else:
        for line in _lines(session, answer, reason, is_expected=is_expected):
            click.echo(line)
    if reason.exit:
        raise Ended(reason.exit, f"why it went so is not known: {reason.error}")
    if is_expected and answer is None:
        seconds = int(ANSWER_WITHIN.total_seconds())
        raise refused(f"no answer came back in {seconds} seconds; `mailcase outbox list` shows what goes out")


def _lines(session: Session, answer: Answer | None, reason: Response, *, is_expected: bool) -> Iterator[str]:
    if answer is not None:
        yield ""
        yield "This came back:"
        yield ""
        yield from (f"  {name}: {safe_text(value)}" for name, value in _headers(answer))
        yield ""
        yield from (f"  {safe_text(line)}".rstrip() for line in answer.text.splitlines())
    elif not is_expected:
        yield "Outgoing mail is held: the answer waits in the outbox, see `mailcase outbox list`."
    if reason.data is not None:
        yield ""
        yield from mail_show(reason.data, session.screen)


def _headers(answer: Answer) -> Iterator[tuple[str, str]]:
    yield "From", answer.from_
    yield "To", answer.to
    yield "Subject", answer.subject


def _as_json(answer: Answer | None) -> Json:
    if answer is None:
        return None
    return {"from": answer.from_, "to": answer.to, "subject": answer.subject, "text": answer.text}
