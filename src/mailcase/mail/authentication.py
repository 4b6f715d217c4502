"""Whether our own mail server has found that a mail comes from the domain in its From (RFC 8601, DMARC).

We verify nothing ourselves: where mail comes by IMAP, only the server has seen who brought it. Its word is the topmost
Authentication-Results line, and only with the name that the operator has configured; anybody can write the others.
"""

from __future__ import annotations

import re

from mailcase.mail import headers, limits

_RESULT = re.compile(r"[ \t]*dmarc[ \t]*=[ \t]*([a-z]+)", re.IGNORECASE)
_DOMAIN = re.compile(r"[ \t]header\.from[ \t]*=[ \t]*([A-Za-z0-9._-]{1,253})", re.IGNORECASE)


def is_from_its_domain(raw: bytes, domain: str, *, authserv_id: str) -> bool:
    """True where the server of that name (lower case) says `dmarc=pass` for the domain of the From address."""
    # Of the raw header: an encoded word in an address would become separators that the server never wrote.
    block = headers.split(raw, headers.start_of(raw), min(len(raw), limits.HEADER_BYTES))
    topmost = block.first("authentication-results")
    if topmost is None:
        return False
    name, *results = _without_free_text(headers.unfold(topmost)[0][: limits.HEADER_VALUE]).split(";")
    if name.lower().split()[:1] != [authserv_id]:
        return False
    verdicts = [(found.group(1).lower(), result) for result in results if (found := _RESULT.match(result))]
    if len(verdicts) != 1:
        return False
    ((verdict, result),) = verdicts
    named = _DOMAIN.search(result)
    return verdict == "pass" and named is not None and named.group(1).lower() == domain.lower()


def _without_free_text(value: str) -> str:
    """The value without comments and quoted strings, in which senders' own words stand; "" where one does not end."""
    kept: list[str] = []
    depth, is_quoted = 0, False
    characters = iter(value)
    for character in characters:
        if character == "\\":
            next(characters, "")
        elif is_quoted:
            is_quoted = character != '"'
        elif character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
        elif depth == 0:
            is_quoted = character == '"'
            kept.append("" if is_quoted else character)
        if depth < 0:
            return ""
    return "".join(kept) if depth == 0 and not is_quoted else ""
