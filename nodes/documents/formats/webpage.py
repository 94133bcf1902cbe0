"""A page of the web: its main text as Markdown by trafilatura, or, where that finds none, all of it; and its links."""

from collections.abc import Iterator

import trafilatura
from selectolax.lexbor import LexborHTMLParser

from nodes.documents.decoding import decoded_markup
from nodes.documents.formats import html
from nodes.documents.parsed import LINKS, Page

_TITLE_CHARS = 300
_LINKS, _LINK_CHARS = 200, 500
_AROUND = ["nav", "header", "footer", "aside", "form", "script", "style", "template"]


def pages(content: bytes) -> Iterator[Page]:
    markup = decoded_markup(content)
    tree = LexborHTMLParser(markup)
    title = tree.css_first("title")
    heading = _line(title.text())[:_TITLE_CHARS] if title else ""
    text = trafilatura.extract(markup, output_format="markdown", include_tables=True, with_metadata=False)
    if not text:
        text = "\n".join(page.text for page in html.pages(content))
    yield Page(heading, text)
    if links := _links(tree):
        yield Page(LINKS, "\n".join(f"{url} {said}" for url, said in links.items()))


def _links(tree: LexborHTMLParser) -> dict[str, str]:
    """As they are written, and what they say; but those that surround every page of a site."""
    tree.strip_tags(_AROUND)
    found = dict[str, str]()
    for link in tree.css("a[href]"):
        url, said = (link.attributes.get("href") or "").strip(), _line(link.text())
        if said and url and not url.startswith("#") and len(url) + len(said) <= _LINK_CHARS and not url.split()[1:]:
            found.setdefault(url, said)
        if len(found) == _LINKS:
            break
    return found


def _line(text: str) -> str:
    return " ".join(text.split())
