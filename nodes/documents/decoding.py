"""Bytes → text, where nobody says reliably how it is encoded. Of the standard library alone."""

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: What no text has: control characters other than tabs, line and page breaks, and escapes of terminals.
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_DECLARED = re.compile(
    rb"""<(?:meta|\?xml)[^>]{0,200}?(?:charset|encoding)\s*=\s*["']?([\w.:-]{2,30})""", re.IGNORECASE
)
_LOOKED_AT = 4096
#: Encodings of the web, by Python's names, and what browsers take instead. Source: encoding.spec.whatwg.org.
_OF_THE_WEB = {
    "utf-8": "utf-8-sig", "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874",
    "tis-620": "cp874", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949",
    "big5": "big5hkscs",
} | {
    name: name
    for name in (
        *(f"iso8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)),
        *(f"cp{page}" for page in (866, 874, 932, 949, *range(1250, 1259))),
        "koi8-r", "koi8-u", "mac-roman", "mac-cyrillic", "gb18030", "big5hkscs", "euc_jp", "iso2022_jp",
        "utf-16", "utf-16-le", "utf-16-be",
    )
}  # fmt: skip


def decoded(content: bytes) -> str | None:
    """UTF-8, what a mark at its beginning says, or Windows' Latin-1; None when it is no text."""
    marked = _marked(content)
    text = _in(content, marked or "utf-8")
    if text is None and not marked:
        text = _lenient(content, "cp1252")
    return None if text is None or _CONTROLS.search(text) else text


def decoded_markup(content: bytes) -> str:
    """As `decoded`, and what HTML says of itself. Source: HTML, "Determining the character encoding"."""
    said = _DECLARED.search(content[:_LOOKED_AT])
    itself = said[1].decode() if said else ""
    if itself.lower().startswith("utf-16"):  # it could not be read then
        itself = "utf-8"
    text = None if _marked(content) else _declared(content, itself)
    return text or decoded(content) or content.decode("utf-8", "replace")


def recoded(content: bytes, charset: str) -> bytes:
    """Text that says itself how it is encoded, if `charset` may be true."""
    text = None if _marked(content) else _declared(content, charset)
    return content if text is None else codecs.BOM_UTF8 + text.encode()


def _marked(content: bytes) -> str | None:
    return next((encoding for mark, encoding in _MARKS if content.startswith(mark)), None)


def _declared(content: bytes, charset: str) -> str | None:
    """None where that is no encoding of the web, or cannot be true."""
    codec = _codec(charset)
    return _lenient(content, codec) if codec else None


def _codec(charset: str) -> str | None:
    try:
        return _OF_THE_WEB.get(codecs.lookup(charset).name) if charset else None
    except LookupError:
        return None


def _lenient(content: bytes, encoding: str) -> str | None:
    """A few bytes may be wrong."""
    text = content.decode(encoding, "replace")
    return None if text.count("\ufffd") > len(text) // 100 else text


def _in(content: bytes, encoding: str) -> str | None:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return None
