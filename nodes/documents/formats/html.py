"""HTML: what the page has to say, without what surrounds it on every page of its site."""

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser

from nodes.documents.decoding import decoded_markup
from nodes.documents.parsed import Page

_NOT_SAID = [
    "script", "style", "noscript", "template", "iframe", "svg", "nav", "header", "footer", "aside", "form", "button",
]  # fmt: skip
_WITHIN_LINES = [
    "a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "dfn", "em", "font", "i", "ins", "kbd", "label", "mark",
    "q", "s", "samp", "small", "span", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
]  # fmt: skip
#: Less than this much in `main` or `article` is not the page's text.
_MAIN_CHARS = 200


def pages(content: bytes) -> Iterator[Page]:
    tree = LexborHTMLParser(decoded_markup(content))
    title = tree.css_first("title")
    tree.strip_tags(_NOT_SAID)
    tree.unwrap_tags(_WITHIN_LINES)
    tree.merge_text_nodes()
    whole = _text(tree, "body")
    main = next((text for tag in ("main", "article") if len(text := _text(tree, tag)) >= _MAIN_CHARS), whole)
    heading = title.text(strip=True) if title else ""
    yield Page("", f"# {heading}\n\n{main}" if heading and not main.startswith(heading) else main)


def _text(tree: LexborHTMLParser, tag: str) -> str:
    found = tree.css_first(tag)
    if found is None:
        return ""
    lines = (re.sub(r"\s+", " ", line).strip() for line in found.text(separator="\n").split("\n"))
    return "\n".join(line for line in lines if line)
