"""Bytes to text, whatever the charset claims to be (L26): no charset can fail a message.

Order: byte order mark, declared charset under its real-world name, UTF-8, ISO-2022 by its escapes, cp1252, replacement.
"""

from __future__ import annotations

import codecs
import re
from encodings.aliases import aliases

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

#: What senders mean by a name: nearly always the larger set of the vendor (WHATWG Encoding Standard, section 4.2).
_MEANT = {
    "us_ascii": "utf-8",
    "ascii": "utf-8",
    "ansi_x3.4_1968": "utf-8",
    "646": "utf-8",
    "7bit": "utf-8",
    "8bit": "utf-8",
    "utf": "utf-8",
    "utf8mb4": "utf-8",
    "unicode_1_1_utf_7": "utf-7",
    "x_unicode_2_0_utf_7": "utf-7",
    "unicode_1_1_utf_8": "utf-8",
    "iso_8859_1": "cp1252",
    "iso8859_1": "cp1252",
    "iso88591": "cp1252",
    "8859_1": "cp1252",
    "latin_1": "cp1252",
    "latin1": "cp1252",
    "l1": "cp1252",
    "iso_8859_9": "cp1254",
    "iso8859_9": "cp1254",
    "iso_8859_11": "cp874",
    "tis_620": "cp874",
    "iso_8859_8_i": "iso8859-8",
    "iso_8859_8_e": "iso8859-8",
    "gb2312": "gb18030",
    "gb_2312_80": "gb18030",
    "x_gbk": "gb18030",
    "gbk": "gb18030",
    "euc_cn": "gb18030",
    "ks_c_5601_1987": "cp949",
    "ks_c_5601": "cp949",
    "ksc5601": "cp949",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "sjis": "cp932",
    "x_sjis": "cp932",
    "windows_31j": "cp932",
    "x_euc_jp": "euc-jp",
    "big5": "big5hkscs",
    "x_mac_roman": "mac-roman",
    "macintosh": "mac-roman",
    "x_mac_cyrillic": "mac-cyrillic",
    "x_cp1251": "cp1251",
    "x_cp1252": "cp1252",
    "cp_850": "cp850",
}

#: Codecs of Python that are no charsets of mail: not text, or quadratic in time (punycode, idna).
_NOT_CHARSETS = frozenset(
    {
        "base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec", "mbcs",
        "punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined",
    }
)  # fmt: skip
_KNOWN = {**{codec: codec for codec in aliases.values()}, **aliases}
_NAME = re.compile(r"[a-z0-9_.:+]{1,40}")
_ISO_2022_ESCAPE = re.compile(rb"\x1b(?:\$[@B()]|\([BIJ])")
_ISO_2022 = ("iso2022_jp", "iso2022_jp_2", "iso2022_jp_ext", "iso2022_kr")
_MULTI_BYTE = frozenset({"utf-8", "utf_8", "gb18030", "cp949", "cp932", "euc-jp", "euc_jp", "big5hkscs"})
#: At most one character in this many may be broken for a multi-byte charset to be believed all the same.
_BELIEVED = 20
_REPLACEMENT = "\ufffd"


def decode(data: bytes, declared: str | None = None, *, is_whole: bool = True) -> tuple[str, str | None]:
    """The text, and what was unusual about reading it: None when the declared charset, or UTF-8 without one, was right.

    The text holds no lone surrogates. Not `is_whole`: the data was cut, maybe in the middle of a character.
    """
    for bom, charset in _BOMS:
        if data.startswith(bom):
            return data[len(bom) :].decode(charset, "replace"), None
    if not declared:
        text, charset = _detect(data, is_whole=is_whole)
        return text, None if charset == "utf-8" else f"no charset, read as {charset}"
    codec = codec_of(declared)
    problem = "unknown" if codec is None else "does not fit"
    if codec is not None and not (codec == "utf-8" and _ISO_2022_ESCAPE.search(data)):
        if (strict := _strict(data, codec, is_whole=is_whole)) is not None:
            lied = codec == "utf-8" and "utf" not in declared.lower() and not data.isascii()
            return strict, f"charset {_shown(declared)} read as {codec}" if lied else None
        if codec in _MULTI_BYTE and (nearly := _nearly(data, codec)) is not None:
            return nearly, f"charset {_shown(declared)} with broken characters replaced"
    text, charset = _detect(data, is_whole=is_whole)
    return text, f"charset {_shown(declared)} {problem}, read as {charset}"


def codec_of(charset: str) -> str | None:
    """The codec for a charset name as mail uses it; None when there is none."""
    name = charset.strip().strip("'\"").lower().removeprefix("charset=").replace("-", "_").replace(" ", "_")
    if name in _MEANT:
        return _MEANT[name]
    if not _NAME.fullmatch(name):
        return None
    codec = _KNOWN.get(name) or _KNOWN.get(name.removeprefix("x_")) or _KNOWN.get(name.replace("windows_", "cp"))
    return None if codec in _NOT_CHARSETS else codec


def _detect(data: bytes, *, is_whole: bool) -> tuple[str, str]:
    if _ISO_2022_ESCAPE.search(data):
        for codec in _ISO_2022:
            if (text := _strict(data, codec, is_whole=is_whole)) is not None:
                return text, codec
    if (text := _strict(data, "utf-8", is_whole=is_whole)) is not None:
        return text, "utf-8"
    if (text := _nearly(data, "utf-8")) is not None:
        return text, "utf-8 with broken characters replaced"
    if (text := _strict(data, "cp1252", is_whole=is_whole)) is not None:
        return text, "cp1252"
    return data.decode("cp1252", "replace"), "cp1252 with unknown bytes replaced"


def _strict(data: bytes, codec: str, *, is_whole: bool) -> str | None:
    try:
        text = data.decode(codec) if is_whole else codecs.getincrementaldecoder(codec)().decode(data)
        if codec in ("utf-7", "utf_7"):
            text.encode("utf-8")  # the one codec that lets lone surrogates through
    except (UnicodeError, LookupError):
        return None
    return text


def _nearly(data: bytes, codec: str) -> str | None:
    """Text with a few broken characters, such as one cut in two at the end; None when the charset is a wrong claim."""
    text = data.decode(codec, "replace")
    broken = text.count(_REPLACEMENT)
    foreign = len(text) - len(text.encode("ascii", "ignore"))
    return text if broken * _BELIEVED <= foreign or (broken == 1 and foreign > 1) else None


def _shown(charset: str) -> str:
    return charset.encode("ascii", "replace").decode("ascii")[:40]
