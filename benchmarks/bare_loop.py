"""The script that a good engineer would write, the yardstick of the rate: `python -m benchmarks.bare_loop ...`.

Raw FETCH in sets of 20; the text part decoded; raw and one row in SQLite, one commit per 20; an acknowledgement by
smtplib on one kept connection; MOVE in sets of 20. No retry, no crash safety, no threads of mail. Prints the seconds
from the open folder to the last move.
"""

from __future__ import annotations

import argparse
import imaplib
import smtplib
import socket
import sqlite3
import time
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.utils import make_msgid, parseaddr
from pathlib import Path

SET = 20


def main() -> None:
    arguments = _arguments()
    folder = arguments.folder
    imap = imaplib.IMAP4("127.0.0.1", arguments.imap_port)
    imap.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    imap.login(arguments.user, arguments.secret)
    imap.select(folder)
    imap.create(f"{folder}-done")
    smtp = smtplib.SMTP("127.0.0.1", arguments.smtp_port, local_hostname="bare.example")
    smtp.ehlo()
    database = _database(arguments.database)
    started = time.perf_counter()
    uids = imap.uid("SEARCH", "ALL")[1][0].decode().split()
    seen: set[str] = set()
    for start in range(0, len(uids), SET):
        some = ",".join(uids[start : start + SET])
        raws = [item[1] for item in imap.uid("FETCH", some, "(UID BODY.PEEK[])")[1] if isinstance(item, tuple)]
        messages = [message_from_bytes(raw) for raw in raws]
        _keep(database, raws, messages)
        for message in messages:
            seen.add(message["Message-ID"])
            if message["In-Reply-To"] not in seen:
                smtp.send_message(_acknowledgement(message, arguments.text_bytes, arguments.html_bytes))
        imap.uid("MOVE", some, f"{folder}-done")
    seconds = time.perf_counter() - started
    smtp.quit()
    imap.logout()
    print(f"{seconds:.4f}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("--imap-port", "--smtp-port", "--text-bytes", "--html-bytes"):
        parser.add_argument(name, type=int, required=True)
    for name in ("--user", "--secret", "--folder"):
        parser.add_argument(name, required=True)
    parser.add_argument("--database", type=Path, required=True)
    return parser.parse_args()


def _database(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute(
        "CREATE TABLE mail (id INTEGER PRIMARY KEY, message_id TEXT, sender TEXT, subject TEXT, body TEXT, raw BLOB)"
    )
    return database


def _keep(database: sqlite3.Connection, raws: list[bytes], messages: list[Message]) -> None:
    rows = [
        (message["Message-ID"], parseaddr(message["From"])[1], _subject(message), _text(message), raw)
        for raw, message in zip(raws, messages, strict=True)
    ]
    database.executemany("INSERT INTO mail (message_id, sender, subject, body, raw) VALUES (?, ?, ?, ?, ?)", rows)
    database.commit()


def _subject(message: Message) -> str:
    return str(make_header(decode_header(message["Subject"])))


def _text(message: Message) -> str:
    for part in message.walk():
        if part.get_content_type() == "text/plain" and part.get_filename() is None:
            return part.get_payload(decode=True).decode(part.get_content_charset("utf-8"), "replace")  # type: ignore[union-attr]
    return ""


def _acknowledgement(message: Message, text_bytes: int, html_bytes: int) -> EmailMessage:
    """As long as the daemon's own, text and HTML alike."""
    answer = EmailMessage()
    answer["From"] = "Example Support <support@example.org>"
    answer["To"] = message["From"]
    answer["Subject"] = f"Re: {_subject(message)} [1042-C]"
    answer["Message-ID"] = make_msgid(domain="example.org")
    answer["In-Reply-To"] = message["Message-ID"]
    answer["References"] = message["Message-ID"]
    answer["Auto-Submitted"] = "auto-replied"
    line = "Thank you for your message. We have received it.\n"
    answer.set_content((line * (text_bytes // len(line) + 1))[:text_bytes])
    answer.add_alternative((f"<p>{line}</p>" * (html_bytes // (len(line) + 7) + 1))[:html_bytes], subtype="html")
    return answer


if __name__ == "__main__":
    main()
