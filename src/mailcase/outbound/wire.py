"""What SMTP wants of words, addresses and bytes (RFC 5321); pure."""

from __future__ import annotations

import re

from mailcase.log import safe_text

#: What is stored and shown of a reply.
REPLY_CHARACTERS = 500
#: RFC 5321 s. 4.5.3.1.3, without the brackets.
ADDRESS_BYTES = 254

_BARE_LINE_END = re.compile(rb"\r(?!\n)|(?<!\r)\n")


def one_line(text: str) -> str:
    """Words of a server, or of an exception, made fit to store and show: one line, safe characters, not too long."""
    return safe_text(" ".join(text.split()), REPLY_CHARACTERS)


def address_problem(address: str) -> str | None:
    """Why the address must not stand in an SMTP command; None when it may.

    Checked here because the library rewrites a bad address in silence (S14).
    """
    local, at, domain = address.rpartition("@")
    if not (local and at and domain):
        return "not an address: it needs a local part, @ and a domain"
    if not address.isprintable() or any(character.isspace() or character in "<>" for character in address):
        return "not an address: it holds a space, a control character or an angle bracket"
    if len(address.encode()) > ADDRESS_BYTES:
        return f"not an address: longer than {ADDRESS_BYTES} bytes"
    return None


def on_the_wire(raw: bytes) -> bytes:
    """A mail as DATA carries it: every line ends in CRLF, leading dots doubled, the final dot added.

    A bare CR or LF becomes CRLF, so that no server can see another end of the mail than we do (S12).
    """
    if _BARE_LINE_END.search(raw):
        raw = _BARE_LINE_END.sub(b"\r\n", raw)
    if not raw.endswith(b"\r\n"):
        raw += b"\r\n"
    stuffed = raw.replace(b"\r\n.", b"\r\n..")
    return (b"." if stuffed.startswith(b".") else b"") + stuffed + b".\r\n"
