"""A synchronous session with one IMAP server; the only file that knows imap-tools.

Of the library we use logging in and folders. Reading and acknowledging go through its raw client, because its own calls
expunge other people's mail, mark as read, and take a mail without content for a mail (I2 to I6).
Every call blocks, belongs on the thread of its owner, and is given its deadline by the loop, which cuts the connection
with `shut`.
"""

from __future__ import annotations

import imaplib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum

from imap_tools import BaseMailBox, ImapToolsError, MailboxFolderSelectError, MailboxLoginError
from imap_tools.utils import encode_folder

from mailcase.config.settings import AfterTaking, ImapSource
from mailcase.inbound.imap_answers import (
    MAX_NUMBER,
    AnswerItem,
    FetchedMail,
    MailFacts,
    checked,
    imap_day,
    read_facts,
    read_mails,
    read_search,
    uid_set,
)
from mailcase.inbound.imap_errors import (
    FolderRefused,
    ImapBroken,
    ImapRefused,
    ImapUnavailable,
)
from mailcase.inbound.imap_login import show_token
from mailcase.inbound.imap_wire import Client, Wire, open_client
from mailcase.inbound.imap_words import TEXT_LIMIT, said, said_whole, text_of
from mailcase.login.credentials import Bearer, Credential, Password
from mailcase.login.errors import LoginRefused

#: What people see on a mail that is ours, where the server keeps keywords, else DONE_FLAG. It decides nothing (L2).
DONE_KEYWORD = "$MailcaseDone"
DONE_FLAG = r"\Flagged"

#: UIDs named in one command: servers need not take lines over 8,000 bytes (RFC 7162 s. 4).
_UIDS_PER_COMMAND = 500
#: Refusals that pass by themselves (RFC 5530).
_TEMPORARY = re.compile(r"\[(UNAVAILABLE|INUSE|LIMIT|SERVERBUG)\]", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderStatus:
    """What SELECT or EXAMINE tells."""

    uidvalidity: int
    exists_count: int


class Acknowledged(Enum):
    """What was done on the server with mail that is ours."""

    MOVED = "moved"
    #: The server can neither move nor expunge single mails: marked and left.
    FLAGGED = "flagged"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What `mailcase mailbox check` tells about an IMAP mailbox."""

    account: str
    folder: str
    #: As the server names them, after the login.
    capabilities: tuple[str, ...]
    messages_count: int
    #: The folder that taken mail is moved to, and whether it is there; it is made when missing.
    move_to: str | None
    move_folder_exists: bool | None


class ImapSession:
    """One connection to one mailbox. Made unconnected, so that `shut` can end even a hanging `open`."""

    def __init__(self, source: ImapSource) -> None:
        self._source = source
        self._wire = Wire()
        self._box: _MailBox | None = None
        self._can_idle = False
        self._mark = DONE_FLAG

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What the server said that it can, after the login (I3)."""
        return tuple(self._opened.client.capabilities)

    @property
    def _opened(self) -> _MailBox:
        if self._box is None:
            raise ImapUnavailable("there is no connection to the IMAP server")
        return self._box

    def open(self, credential: Credential) -> None:
        """Connects, verifies the server and logs in. After LoginRefused it may be called again with another credential.

        Raises ImapUnavailable, ServerNotTrusted, LoginRefused, UnfitForImap.
        """
        if self._box is None:
            with _translated(f"connecting to {self._source.host}:{self._source.port}"):
                self._box = _MailBox(self._source, self._wire)
        self._log_in(credential)
        with _translated("asking what the server can"):
            # The library asked before the login, when servers do not tell all (I3).
            self._box.client._get_capabilities()
        self._can_idle = "IDLE" in self.capabilities

    def _log_in(self, credential: Credential) -> None:
        with _translated("logging in"):
            try:
                if isinstance(credential, Bearer):
                    show_token(self._opened.client, credential, self._source)
                else:
                    self._show_password(credential)
            except imaplib.IMAP4.abort:
                raise
            except (MailboxLoginError, imaplib.IMAP4.error) as error:
                # Without the cause: a server may repeat the password in its answer (S16).
                answer = credential.cleaned(said_whole(error))[:TEXT_LIMIT]
                if _TEMPORARY.search(answer):
                    raise ImapUnavailable(f"the server cannot log {credential.user} in now: {answer}") from None
                answer = answer.rstrip(". ")
                message = f"{self._source.host} does not let {credential.user} in: {answer}; {credential.advice}"
                raise LoginRefused(message) from None

    def _show_password(self, password: Password) -> None:
        user, secret = checked(password.user), checked(password.secret)
        log_in = self._opened.login if (user + secret).isascii() else self._opened.login_utf8
        log_in(user, secret, initial_folder=None)

    def select(self, folder: str, *, is_read_only: bool = False) -> FolderStatus:
        """Opens the folder for what follows. Raises FolderRefused, ImapBroken, ImapUnavailable."""
        client = self._opened.client
        with _translated(f"opening the folder {folder}"):
            try:
                self._opened.folder.set(checked(folder), readonly=is_read_only)
            except imaplib.IMAP4.readonly as error:
                raise FolderRefused(
                    f"the folder {folder} may only be read; let the account change it, or set `after: leave`"
                ) from error
            except MailboxFolderSelectError as error:
                if _TEMPORARY.search(said(error)):
                    raise ImapUnavailable(f"the folder {folder} cannot be opened now: {said(error)}") from error
                raise FolderRefused(
                    f"the folder {folder} cannot be opened: {said(error)}; check `folder` (letter case counts)"
                ) from error
            uidvalidity, exists = _number(client, "UIDVALIDITY"), _number(client, "EXISTS")
            flags = _last(client, "PERMANENTFLAGS")
        if uidvalidity is None or exists is None:
            raise ImapBroken("the server gives no UIDVALIDITY, so that mail cannot be told apart safely")
        # A server that names no permanent flags keeps all (RFC 3501 s. 7.1).
        has_keywords = not flags or b"\\*" in flags or DONE_KEYWORD.encode().lower() in flags.lower()
        self._mark = DONE_KEYWORD if has_keywords else DONE_FLAG
        return FolderStatus(uidvalidity=uidvalidity, exists_count=exists)

    def uids_after(self, last_uid: int) -> tuple[int, ...]:
        """The UIDs above `last_uid`, ascending."""
        # `n:*` names the newest mail even where n is above it (RFC 3501 s. 6.4.8).
        return tuple(uid for uid in self._search(f"UID {last_uid + 1}:*") if uid > last_uid)

    def all_uids(self) -> tuple[int, ...]:
        """Every UID of the folder, ascending."""
        return self._search("ALL")

    def uids_since(self, day: date) -> tuple[int, ...]:
        """The UIDs of mail whose INTERNALDATE, as the server writes it, is of that day or later, ascending."""
        return self._search(f"SINCE {imap_day(day)}")

    def unmarked_uids(self) -> tuple[int, ...]:
        """The UIDs of mail that does not bear our mark, ascending."""
        return self._search("UNFLAGGED" if self._mark == DONE_FLAG else f"UNKEYWORD {self._mark}")

    def _search(self, criteria: str) -> tuple[int, ...]:
        client = self._opened.client
        # Also what was said of new mail: the answer will contain it.
        client.forget_unasked(keep=frozenset())
        with _translated("NOOP"):
            # Some servers search in what they last showed us (pymap); after this they show all.
            client.noop()
        client.forget_unasked(keep=frozenset())
        typ, data = self._uid("SEARCH", criteria)
        if typ != "OK":
            raise ImapUnavailable(f"the server refused to search: {text_of(data)}")
        return read_search(data)

    def facts(self, uids: Sequence[int]) -> tuple[MailFacts, ...]:
        """Size and date of these mails, by UID; those that the server no longer has are left out."""
        found: list[MailFacts] = []
        for some in _portions(uids):
            found += read_facts(self._fetch(some, "(UID RFC822.SIZE INTERNALDATE)"), frozenset(some))
        return tuple(found)

    def fetch(self, uids: Sequence[int], *, size_bytes: int) -> tuple[FetchedMail, ...]:
        """These mails, by UID, without marking them as read (I4); those that did not come whole are left out (I6).

        `size_bytes` is what the server said that they have in all; much more is not read (ImapUnavailable).
        Raises ImapRefused when the server gives none of them.
        """
        self._opened.client.forget_unasked()
        # Twice, because servers may estimate sizes.
        self._wire.allow(2 * size_bytes)
        data = self._fetch(uids, "(UID RFC822.SIZE INTERNALDATE BODY.PEEK[])")
        return read_mails(data, frozenset(uids))

    def _fetch(self, uids: Sequence[int], items: str) -> Sequence[AnswerItem]:
        typ, data = self._uid("FETCH", uid_set(uids), items)
        if typ != "OK":
            raise ImapRefused(f"the server refused to give mail: {text_of(data)}")
        return data

    def move(self, uids: Sequence[int], folder: str) -> Acknowledged:
        """Moves these mails, and never touches another (I2, I3); makes the folder when it is missing.

        Where the server can neither move nor expunge single mails, they are marked and stay. Raises ImapRefused.
        """
        can = self.capabilities
        if "MOVE" not in can and "UIDPLUS" not in can:
            self.flag(uids)
            return Acknowledged.FLAGGED
        for some in _portions(uids):
            if "MOVE" in can:
                self._into(folder, "MOVE", some)
            else:
                self._into(folder, "COPY", some)
                self._require("STORE", uid_set(some), "+FLAGS.SILENT", r"(\Deleted)")
                self._require("EXPUNGE", uid_set(some))
        return Acknowledged.MOVED

    def flag(self, uids: Sequence[int]) -> None:
        """Puts our mark on these mails, for people to see. Raises ImapRefused."""
        for some in _portions(uids):
            self._require("STORE", uid_set(some), "+FLAGS.SILENT", f"({self._mark})")

    def _into(self, folder: str, command: str, uids: Sequence[int]) -> None:
        target = encode_folder(checked(folder))
        typ, _data = self._uid(command, uid_set(uids), target)
        if typ != "OK":
            self._make_folder(folder)
            self._require(command, uid_set(uids), target)

    def _make_folder(self, folder: str) -> None:
        with _translated(f"making the folder {folder}"):
            if self._opened.folder.exists(checked(folder)):
                return
            try:
                self._opened.folder.create(folder)
            except ImapToolsError as error:
                raise ImapRefused(f"the folder {folder} cannot be made: {said(error)}") from error
            # So that mail programs show it; no harm where that is refused.
            with suppress(ImapToolsError):
                self._opened.folder.subscribe(folder, value=True)

    def _require(self, command: str, *arguments: str | bytes) -> None:
        typ, data = self._uid(command, *arguments)
        if typ != "OK":
            raise ImapRefused(f"the server refused UID {command}: {text_of(data)}")

    def _uid(self, command: str, *arguments: str | bytes) -> tuple[str, Sequence[AnswerItem]]:
        client = self._opened.client
        client.forget_unasked()
        with _translated(f"UID {command}"):
            # The library's types leave out that arguments may be bytes.
            typ, data = client.uid(command, *arguments)  # type: ignore[arg-type]
        self._wire.allow(0)
        return typ, data

    def wait_for_mail(self, timeout: timedelta) -> None:
        """Returns when there may be new mail, when woken, or after the time: a hint and no more (I7, I8).

        Raises ImapUnavailable when the connection turns out to be gone.
        """
        client = self._opened.client
        with _translated("waiting for mail"):
            # Some servers do not say in IDLE what came before it (pymap).
            client.noop()
            if "EXISTS" in client.untagged_responses:
                # Told since the last search; in IDLE no server says it again.
                return
            if not (self._can_idle and self._idle(client, timeout)):
                self._wire.wait(None, timeout.total_seconds())

    def _idle(self, client: Client, timeout: timedelta) -> bool:
        """RFC 2177; False when the server refuses."""
        tag = client._command("IDLE")
        while client._get_response() is not None:
            if client.tagged_commands[tag] is not None:
                del client.tagged_commands[tag]
                self._can_idle = False
                return False
        if "EXISTS" not in client.untagged_responses:
            self._wire.wait(client, timeout.total_seconds())
        # The library takes a closed connection for "no news" (I7); the round trip of DONE does not.
        client.send(b"DONE\r\n")
        self._opened.consume_until_tagged_response(tag)
        self._wire.allow(0)
        return True

    def wake(self) -> None:
        """Ends `wait_for_mail` now; from any thread."""
        self._wire.wake()

    def shut(self) -> None:
        """Cuts the connection, whatever call it is in; from any thread."""
        self._wire.cut()

    def close(self) -> None:
        """Says goodbye if the server listens, and gives the descriptors back. The last call, on the owner's thread."""
        if self._box is not None:
            with suppress(imaplib.IMAP4.error, ImapToolsError, OSError, ValueError):
                self._box.logout()
            self._box.client.shutdown()
        self._wire.close()

    def check(self) -> CheckReport:
        """Looks at what the mailbox needs and changes nothing."""
        source = self._source
        status = self.select(source.folder, is_read_only=source.after is AfterTaking.LEAVE)
        moves = source.after is AfterTaking.MOVE
        with _translated("looking for the folder of taken mail"):
            exists = self._opened.folder.exists(checked(source.move_to)) if moves else None
        return CheckReport(
            account=account_of(source),
            folder=source.folder,
            capabilities=self.capabilities,
            messages_count=status.exists_count,
            move_to=source.move_to if moves else None,
            move_folder_exists=exists,
        )


def account_of(source: ImapSource) -> str:
    """The identity of the account: `user@host`, host in lower case (L10)."""
    return f"{source.user}@{source.host.lower()}"


class _MailBox(BaseMailBox):
    """The library's mailbox on our client."""

    client: Client

    def __init__(self, source: ImapSource, wire: Wire) -> None:
        self._source = source
        self._wire = wire
        super().__init__()

    def _get_mailbox_client(self) -> Client:
        return open_client(self._source, self._wire)


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    """Turns every way in which the library fails into one of our errors."""
    try:
        yield
    except (imaplib.IMAP4.abort, OSError) as error:
        raise ImapUnavailable(f"{doing}: {said(error)}") from error
    except ImapToolsError as error:
        raise ImapUnavailable(f"{doing}: the server refused: {said(error)}") from error
    except (imaplib.IMAP4.error, LookupError, TypeError, ValueError) as error:
        # A server that breaks the protocol makes the library fail in any of these ways.
        raise ImapBroken(f"{doing}: {said(error)}") from error


def _last(client: Client, name: str) -> bytes | None:
    """The newest value of a response code of SELECT."""
    values = client.untagged_responses.get(name)
    return values[-1] if values and isinstance(values[-1], bytes) else None


def _number(client: Client, name: str) -> int | None:
    value = _last(client, name)
    number = int(value) if value is not None and value.isdigit() else None
    return number if number is not None and number <= MAX_NUMBER else None


def _portions(uids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(uids), _UIDS_PER_COMMAND):
        yield uids[start : start + _UIDS_PER_COMMAND]
