"""A page as it was read: its text in lines, by which a model finds its way in it."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urldefrag, urljoin, urlsplit

from nodes.documents.parsed import LINKS, Parsed
from nodes.fetching import Fetched, Version

#: A longer line is told in several.
_LINE_CHARS = 400


@dataclass(frozen=True, slots=True)
class Webpage:
    """`url` is where it was found in the end."""

    url: str
    title: str
    lines: tuple[str, ...]

    @property
    def chars(self) -> int:
        return sum(map(len, self.lines))


class Kept(NamedTuple):
    page: Webpage
    #: Seconds since 1970.
    fetched: float
    version: Version


def webpage(fetched: Fetched, parsed: Parsed) -> Webpage:
    """Takes a while for a long page. Where there are links, or no parts, the mark is the title of the page."""
    links = [line for page in parsed.pages if page.mark == LINKS for line in _links(fetched.url, page.text)]
    whole = len(parsed.pages) == 1 or parsed.pages[-1].mark == LINKS
    whole = whole and not parsed.pages[0].mark.startswith(("page ", "slide ", "sheet "))
    title = parsed.pages[0].mark if whole else fetched.filename
    text = parsed.pages[0].text if whole else parsed.text
    lines = (*_lines(text), *(("Links:", *links) if links else ()))
    return Webpage(fetched.url, title or urlsplit(fetched.url).hostname or "", lines)


def _links(base: str, written: str) -> Iterator[str]:
    """`- Opening hours: https://…`, none to the page itself."""
    told = {urldefrag(base)[0]}
    for line in written.splitlines():
        url, _, said = line.partition(" ")
        with suppress(ValueError):
            url = urldefrag(urljoin(base, url))[0]
            if url.startswith(("http://", "https://")) and url not in told:
                told.add(url)
                yield f"- {said}: {url}"


def _lines(text: str) -> list[str]:
    lines = list[str]()
    for line in text.splitlines():
        if line := line.strip():
            lines += [line[at : at + _LINE_CHARS] for at in range(0, len(line), _LINE_CHARS)]
    return lines
