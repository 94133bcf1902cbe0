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


def decoded(content: bytes) -> str | None:
    """UTF-8, what a mark at its beginning says, or Windows' Latin-1; None when it is no text."""
    marked = next((encoding for mark, encoding in _MARKS if content.startswith(mark)), None)
    text = _in(content, marked or "utf-8")
    if text is None and not marked:
        text = content.decode("cp1252", "replace")
        if text.count("\ufffd") > len(text) // 100:
            return None
    return None if text is None or _CONTROLS.search(text) else text


def decoded_markup(content: bytes) -> str:
    """As `decoded`, and what HTML says of itself."""
    declared = _DECLARED.search(content[:_LOOKED_AT])
    text = _in(content, declared.group(1).decode()) if declared else None
    return text or decoded(content) or content.decode("utf-8", "replace")


def _in(content: bytes, encoding: str) -> str | None:
    try:
        if not codecs.lookup(encoding)._is_text_encoding:  # pyright: ignore[reportPrivateUsage]  # `zip`, `hex` …
            return None
        return content.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None
