"""A page of the web: its main text as Markdown by trafilatura, or, where that finds none, all that it says."""

from collections.abc import Iterator

import trafilatura
from selectolax.lexbor import LexborHTMLParser

from nodes.documents.decoding import decoded_markup
from nodes.documents.formats import html
from nodes.documents.parsed import Page

_TITLE_CHARS = 300


def pages(content: bytes) -> Iterator[Page]:
    markup = decoded_markup(content)
    title = LexborHTMLParser(markup).css_first("title")
    text = trafilatura.extract(markup, output_format="markdown", include_tables=True, with_metadata=False)
    if not text:
        text = "\n".join(page.text for page in html.pages(content))
    yield Page(" ".join(title.text().split())[:_TITLE_CHARS] if title else "", text)
