"""How the parts of a mailbox, and the mailboxes, fit together: addresses, routes, servers and ports."""

from __future__ import annotations

from collections.abc import Iterator

from mailcase.config.document import ANY, Document, KeyPath, Value, quoted
from mailcase.config.fields import LOCAL_PART_LIMIT, is_loopback, read_listen
from mailcase.config.mistakes import Mistake, did_you_mean
from mailcase.config.relations import listed, own_addresses, repetition
from mailcase.config.settings import ReplyAddress, Tls
from mailcase.errors import Problem

#: What a signed reply address adds to the local part: `+c`, case number and person, key id and signature.
SIGNED_CHARACTERS = 45
_ANY_HOST = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not listened on


def mailbox_problems(document: Document) -> Iterator[Problem]:
    """Every problem of this kind, in no particular order."""
    yield from _shared_addresses(document)
    yield from _long_addresses(document)
    yield from _redirect_to_ourselves(document)
    for path, mailbox in document.find("mailboxes", ANY):
        yield from _route_problems(document, path)
        yield from _folder_problems(document, path, mailbox)
    yield from _shared_ports(document)
    yield from _shared_folders(document)
    yield from _open_connections(document)
    yield from _relay_problems(document)


def _shared_addresses(document: Document) -> Iterator[Problem]:
    first: dict[str, KeyPath] = {}
    for path, address in own_addresses(document):
        if address in first:
            hint = "An address belongs to one mailbox."
            yield repetition(document, path, first[address], f"the address {quoted(address)}", hint)
        first.setdefault(address, path)


def _long_addresses(document: Document) -> Iterator[Problem]:
    for path, address in own_addresses(document):
        mailbox = path[:2]
        written = document.value(*path, "reply_address")
        kind = document.value(*mailbox, "receive", "kind")
        mode = default_reply_address(str(kind)) if written is None else written
        local_part = address.partition("@")[0]
        if mode != ReplyAddress.PLAIN and len(local_part) + SIGNED_CHARACTERS > LOCAL_PART_LIMIT:
            longest = LOCAL_PART_LIMIT - SIGNED_CHARACTERS
            message = f"{quoted(local_part)} is too long for signed reply addresses, which leave {longest} characters"
            yield document.problem(path, message, "Write `reply_address: plain` for this address.", at_key=True)


def default_reply_address(kind: str) -> ReplyAddress:
    """Plus addressing is known to work where mail is delivered to us, and unproved elsewhere."""
    return ReplyAddress.PLUS if kind in ("smtp", "lmtp") else ReplyAddress.PLAIN


def _redirect_to_ourselves(document: Document) -> Iterator[Problem]:
    own = {address for _path, address in own_addresses(document)}
    for path, address in document.texts("outgoing", "redirect"):
        if address.lower() in own:
            hint = "Every mail would come back as a new one: write an address outside mailcase."
            yield document.problem(path, f"{quoted(address)} is an address of a mailbox here", hint)


def _route_problems(document: Document, mailbox: KeyPath) -> Iterator[Problem]:
    own = {address for _path, address in own_addresses(document, str(mailbox[1]))}
    for path, route in document.find(*mailbox, "routes", ANY):
        if not isinstance(route, dict):
            continue
        target = route.get("to")
        if target == "*":
            yield from _wildcard_problems(document, path, route)
        elif isinstance(target, str) and target.lower() not in own:
            message = f"{quoted(target)} is no address of this mailbox"
            yield document.problem((*path, "to"), message, did_you_mean(target, own))


def _wildcard_problems(document: Document, path: KeyPath, route: dict[str, Value]) -> Iterator[Problem]:
    hint = 'Name the senders, as in `from: ["*@example.org"]` (EM-33).'
    if not listed(route.get("from")):
        yield document.problem((*path, "from"), "is missing: a wildcard route must say who writes", hint)


def _folder_problems(document: Document, mailbox: KeyPath, value: Value) -> Iterator[Problem]:
    for path, folder in document.texts(*mailbox, "receive", "after", "move"):
        watched = document.value(*mailbox, "receive", "folder") or "INBOX"
        if isinstance(watched, str) and _same_folder(folder, watched):
            message = f"mail cannot be moved into {quoted(folder)}, the folder it is taken from"
            yield document.problem(path, message, "Name another folder.")


def _same_folder(one: str, other: str) -> bool:
    # RFC 3501 s. 5.1: INBOX alone is the same in any case.
    return one == other or one.upper() == other.upper() == "INBOX"


def _shared_ports(document: Document) -> Iterator[Problem]:
    taken: list[tuple[KeyPath, str, int]] = []
    for path, host, port in _listeners(document):
        for other, other_host, other_port in taken:
            if port == other_port != 0 and (host == other_host or _ANY_HOST & {host, other_host}):
                hint = "Give each listener a port of its own; one mailbox may have several addresses."
                yield repetition(document, path, other, f"the port {port}", hint)
                break
        taken.append((path, host, port))


def _listeners(document: Document) -> Iterator[tuple[KeyPath, str, int]]:
    """Place, host and port of each listener that is switched on."""
    for path, text in document.texts("mailboxes", ANY, "receive", "listen"):
        if _is_enabled(document, path):
            try:
                yield path, *read_listen(text)
            except Mistake:
                continue


def _shared_folders(document: Document) -> Iterator[Problem]:
    first: dict[tuple[str, ...], KeyPath] = {}
    for path, receive in document.find("mailboxes", ANY, "receive"):
        if not isinstance(receive, dict) or receive.get("kind") != "imap" or not _is_enabled(document, path):
            continue
        user = receive.get("user") or next((own for _path, own in own_addresses(document, str(path[1]))), None)
        account = (receive.get("host"), receive.get("port") or "", user, receive.get("folder") or "INBOX")
        key = tuple(str(part) for part in account)
        if key in first:
            hint = "A folder belongs to one mailbox; that may have several addresses."
            yield repetition(document, path, first[key], "this folder of the same account", hint)
        first.setdefault(key, path)


def _is_enabled(document: Document, path: KeyPath) -> bool:
    return document.mapping(*path[:2]).get("enabled") is not False


def _open_connections(document: Document) -> Iterator[Problem]:
    for place in (("mailboxes", ANY, "receive"), ("relay",)):
        for path, server in document.find(*place):
            host = document.value(*path, "host")
            is_open = isinstance(server, dict) and server.get("tls") == Tls.NONE
            if is_open and isinstance(host, str) and not is_loopback(host):
                message = f"mail and password would go to {quoted(host)} for everybody to read"
                hint = "Write tls or starttls; none is for this machine alone (127.0.0.1, ::1, localhost)."
                yield document.problem((*path, "tls"), message, hint)


def _relay_problems(document: Document) -> Iterator[Problem]:
    relay = document.value("relay")
    if not isinstance(relay, dict):
        return
    if "maildir" in relay:
        for key in relay:
            if key != "maildir":
                message = "has no use beside `maildir`, which sends nothing"
                yield document.problem(("relay", key), message, "Keep one of the two.", at_key=True)
        return
    host, port = relay.get("host"), relay.get("port")
    is_local = isinstance(host, str) and is_loopback(host)
    if is_local and any(port == own_port for _path, _host, own_port in _listeners(document)):
        message = "is the port of a listener here: our own mail would come back to us"
        yield document.problem(("relay", "port"), message, "Write host and port of the server that sends our mail.")
    if host is None:
        yield document.problem(("relay", "host"), "is missing", "Write the name of your SMTP server.")
