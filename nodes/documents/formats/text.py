"""Plain text, and whatever is written in it: Markdown, CSV, code."""

from collections.abc import Iterator

from nodes.documents.decoding import decoded
from nodes.documents.parsed import Page, Unreadable


def pages(content: bytes) -> Iterator[Page]:
    text = decoded(content)
    if text is None:
        raise Unreadable("is of a type that cannot be read: neither text nor a known kind of document.")
    yield Page("", text.replace("\r\n", "\n"))
