"""From the entries of the file to the mailboxes, routes and the relay as the daemon uses them."""

from __future__ import annotations

from pathlib import Path

from mailcase.config import providers
from mailcase.config.mailbox_relations import default_reply_address
from mailcase.config.paths import Surroundings
from mailcase.config.schema import (
    AddressEntry,
    FileEntry,
    ImapEntry,
    ListenerEntry,
    LoginEntry,
    MailboxEntry,
    OAuthEntry,
    RelayEntry,
    RouteEntry,
)
from mailcase.config.settings import (
    ImapSource,
    ListenerKind,
    ListenerSource,
    Login,
    MailboxSettings,
    MaildirRelay,
    OAuthClient,
    OwnAddress,
    Relay,
    SecretFile,
    Source,
    Tls,
    TokenCommand,
)
from mailcase.core.case import MailboxName, ProcessName
from mailcase.core.routing import Condition, ConditionField, Route

#: RFC 8314 s. 7.3 and RFC 6409: ports by protection.
_IMAP_PORTS = {Tls.TLS: 993, Tls.STARTTLS: 143, Tls.NONE: 143}
_RELAY_PORTS = {Tls.TLS: 465, Tls.STARTTLS: 587, Tls.NONE: 25}


def mailboxes(entry: FileEntry, around: Surroundings) -> dict[MailboxName, MailboxSettings]:
    """The mailboxes in the order of the file."""
    return {
        MailboxName(name): _mailbox(MailboxName(name), mailbox, entry, around)
        for name, mailbox in entry.mailboxes.items()
    }


def _mailbox(name: MailboxName, mailbox: MailboxEntry, entry: FileEntry, around: Surroundings) -> MailboxSettings:
    addresses = tuple(_own_address(address, own, mailbox, entry, around) for address, own in mailbox.addresses.items())
    primary = addresses[0].address
    # EM-33: wildcard routes come after the others, each kind in the operator's order.
    routes = sorted((_route(route, primary) for route in mailbox.routes), key=lambda route: route.is_wildcard)
    return MailboxSettings(
        name=name,
        source=_source(mailbox.receive, primary, around),
        is_enabled=mailbox.enabled,
        authserv_id=mailbox.authserv_id.lower() if mailbox.authserv_id else None,
        addresses=addresses,
        routes=tuple(routes),
        fallback=ProcessName(mailbox.fallback),
    )


def _own_address(
    address: str, own: AddressEntry, mailbox: MailboxEntry, entry: FileEntry, around: Surroundings
) -> OwnAddress:
    return OwnAddress(
        address=address,
        name=own.name,
        signature=own.signature,
        language=own.language or entry.language,
        reply_address=own.reply_address or default_reply_address(mailbox.receive.kind),
        templates=around.resolve(own.templates) if own.templates else None,
    )


def _source(receive: ImapEntry | ListenerEntry, primary: str, around: Surroundings) -> Source:
    if isinstance(receive, ListenerEntry):
        host, port = receive.listen
        return ListenerSource(
            kind=ListenerKind(receive.kind),
            host=host,
            port=port,
            sender_retry=receive.sender_retry,
            relays=tuple(receive.relays),
        )
    after, move_to = receive.after
    return ImapSource(
        host=receive.host,
        port=receive.port or _IMAP_PORTS[receive.tls],
        tls=receive.tls,
        ca_file=around.resolve(receive.ca_file) if receive.ca_file else None,
        user=receive.user or primary,
        login=_login(receive, around),
        folder=receive.folder,
        after=after,
        move_to=move_to,
        takes_existing=receive.start == "all",
        poll_every=receive.poll_every,
        command_timeout=receive.command_timeout,
    )


def _login(server: ImapEntry | RelayEntry, around: Surroundings) -> Login:
    """The one of the three that is written: `login_relations.py` has seen to that."""
    if server.password_file is not None:
        return SecretFile(path=around.resolve(server.password_file))
    login = server.login or LoginEntry()
    if login.token_command is not None:
        program, *arguments = login.token_command
        return TokenCommand(command=(str(around.resolve(program)), *arguments))
    if login.oauth is None:
        raise ValueError("a login without password, oauth and token_command")
    return _oauth(login.oauth, around)


def _oauth(oauth: OAuthEntry, around: Surroundings) -> OAuthClient:
    token_url, scope = oauth.token_url, oauth.scope
    if oauth.provider is not None:
        token_url = providers.token_url(oauth.provider, oauth.tenant or "")
        scope = scope or providers.scope(oauth.provider, has_refresh_token=oauth.refresh_token_file is not None)
    return OAuthClient(
        token_url=token_url or "",
        client_id=oauth.client_id,
        client_secret=_secret(oauth.client_secret_file, around),
        refresh_token=_secret(oauth.refresh_token_file, around),
        scope=scope,
        secret_place=oauth.client_secret_in,
        ca_file=around.resolve(oauth.ca_file) if oauth.ca_file else None,
        secret_expires=oauth.secret_expires,
    )


def _secret(written: str | None, around: Surroundings) -> SecretFile | None:
    return SecretFile(path=around.resolve(written)) if written is not None else None


def _route(route: RouteEntry, primary: str) -> Route:
    wanted: tuple[tuple[ConditionField, list[str] | None], ...] = (
        (ConditionField.SENDER, route.senders),
        (ConditionField.RECIPIENT, route.recipients),
        (ConditionField.SUBJECT, route.subject and [words.lower() for words in route.subject]),
        (ConditionField.IMPORTANCE, [*route.importance] if route.importance else None),
        (ConditionField.ATTACHMENTS, route.attachments),
    )
    return Route(
        to=route.to or primary,
        conditions=tuple(Condition(field=field, values=tuple(values)) for field, values in wanted if values),
        process=ProcessName(route.process),
        acknowledge=route.acknowledge,
    )


def relay(entry: FileEntry, around: Surroundings, default_maildir: Path) -> Relay | MaildirRelay:
    """Where mail of ours goes; without a relay into a Maildir beside the store."""
    written = entry.relay or RelayEntry()
    if written.host is None:
        return MaildirRelay(path=around.resolve(written.maildir) if written.maildir else default_maildir)
    return Relay(
        host=written.host,
        port=written.port or _RELAY_PORTS[written.tls],
        tls=written.tls,
        ca_file=around.resolve(written.ca_file) if written.ca_file else None,
        user=written.user,
        login=_login(written, around) if written.user else None,
        helo=written.helo or _own_domain(entry),
        connections=written.connections,
        timeout=written.timeout,
    )


def _own_domain(entry: FileEntry) -> str:
    """The domain of the first address: EHLO needs a name, and we never look up our own."""
    first = next(iter(entry.mailboxes.values()))
    return next(iter(first.addresses)).partition("@")[2]
