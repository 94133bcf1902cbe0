"""A page as it was read: its text in lines, by which a model finds its way in it."""

from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from nodes.documents.parsed import Parsed
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
    """Takes a while for a long page. A lone mark is the title of one; several are of a document's parts."""
    whole = len(parsed.pages) == 1 and not parsed.pages[0].mark.startswith(("page ", "slide ", "sheet "))
    title = parsed.pages[0].mark if whole else fetched.filename
    text = parsed.pages[0].text if whole else parsed.text
    return Webpage(fetched.url, title or urlsplit(fetched.url).hostname or "", tuple(_lines(text)))


def _lines(text: str) -> list[str]:
    lines = list[str]()
    for line in text.splitlines():
        if line := line.strip():
            lines += [line[at : at + _LINE_CHARS] for at in range(0, len(line), _LINE_CHARS)]
    return lines
