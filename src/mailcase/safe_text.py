"""Text from outside, made fit for a log or a terminal (S7, S16)."""

from __future__ import annotations

import base64
import unicodedata

_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def safe_text(text: str, limit: int | None = None, *, keep_lines: bool = False) -> str:
    r"""Text from outside made fit for a log or a terminal: control, format, bidi and surrogate characters become
    `\\x..` or `\\u....`; cut at `limit` characters. `keep_lines` lets LF and TAB through.
    """
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(character, keep_lines=keep_lines) for character in text)


def without_secret(text: str, user: str, password: str) -> str:
    """What a server said without the password that it may have repeated: as it is, as IMAP quotes it, and as SASL sends
    it (S16). To be called before anything is cut off, or a part of it stays.
    """
    if not password:
        return text
    quoted = password.replace("\\", "\\\\").replace('"', '\\"')
    for secret in (f"\0{user}\0{password}", password):
        text = text.replace(base64.b64encode(secret.encode()).decode(), "***")
    return text.replace(quoted, "***").replace(password, "***")


def _escaped(character: str, *, keep_lines: bool) -> str:
    if unicodedata.category(character) not in _UNSAFE_CATEGORIES or (keep_lines and character in "\n\t"):
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
