"""Pages by URL: from the cache, or fetched with care and read in a process of its own."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urldefrag, urlsplit
from weakref import WeakValueDictionary

from graph.errors import ToolFailed
from nodes.documents.parsed import Document, Parsed, Unreadable
from nodes.fetching import Fetched, Fetcher, FetchFailed
from nodes.web_search.domains import Domains
from nodes.web_search.pages.robots import Robots

#: Of one page.
_LIMIT_CHARS = 1_000_000
#: A longer line is told in several.
_LINE_CHARS = 400
_URL_CHARS = 4000
#: Fetches from one host at once.
_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Webpage:
    """`url` is where it was found in the end."""

    url: str
    title: str
    lines: tuple[str, ...]

    @property
    def chars(self) -> int:
        return sum(map(len, self.lines))


class Reads(Protocol):
    async def parse(self, owner: str, document: Document, limit_chars: int, *, web: bool = False) -> Parsed: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which pages, and for whom."""

    owner: str
    domains: Domains = field(default_factory=Domains)
    #: Only what is in the cache.
    cached: bool = False


class Cache:
    """The latest pages of this process, `limit_chars` in all."""

    def __init__(self, limit_chars: int, ttl_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit_chars = limit_chars
        self._ttl_s = ttl_s
        self._clock = clock
        self._held = 0
        self._pages: OrderedDict[str, tuple[float, Webpage]] = OrderedDict()

    def get(self, url: str, *, stale: bool = False) -> Webpage | None:
        """`stale`: however old it is."""
        if url not in self._pages:
            return None
        self._pages.move_to_end(url)
        fetched, page = self._pages[url]
        return page if stale or self._clock() - fetched <= self._ttl_s else None

    def put(self, url: str, page: Webpage) -> None:
        self._drop(url)
        self._pages[url] = self._clock(), page
        self._held += page.chars
        while self._held > self._limit_chars and self._pages:
            self._drop(next(iter(self._pages)))

    def _drop(self, url: str) -> None:
        if found := self._pages.pop(url, None):
            self._held -= found[1].chars


class Pages:
    def __init__(self, fetcher: Fetcher, reads: Reads, cache: Cache, robots: Robots | None) -> None:
        """`robots`: None reads whatever sites say."""
        self._fetcher = fetcher
        self._reads = reads
        self._cache = cache
        self._robots = robots
        self._hosts: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def find(self, url: str, wanted: Wanted) -> Webpage:
        """Raises `ToolFailed`."""
        url = urldefrag(url.strip())[0]
        if not url.startswith(("http://", "https://")) or len(url) > _URL_CHARS:
            raise ToolFailed("A URL must begin with http:// or https:// and not be too long.")
        if not wanted.domains.let(url):
            raise ToolFailed("The page is not of the domains that the user lets be read.")
        page = self._cache.get(url, stale=wanted.cached)
        if page is None and wanted.cached:
            raise ToolFailed("The page is not in the cache, and the user does not let the web be asked.")
        if page is None:
            page = await self._read(url, wanted)
            self._cache.put(url, page)
        if not wanted.domains.let(page.url):
            raise ToolFailed("The page leads to one that is not of the domains that the user lets be read.")
        return page

    async def _read(self, url: str, wanted: Wanted) -> Webpage:
        try:
            fetched = await self._fetched(url)
            document = Document(fetched.content, fetched.filename, fetched.media_type)
            parsed = await self._reads.parse(wanted.owner, document, _LIMIT_CHARS, web=True)
        except FetchFailed as failed:
            raise ToolFailed(f"The page cannot be opened: it {failed.reason}") from None
        except Unreadable as unreadable:
            raise ToolFailed(f"The page cannot be read: it {unreadable.reason}") from None
        return _page(fetched, parsed)

    async def _fetched(self, url: str) -> Fetched:
        """Not many at once from one host."""
        host = urlsplit(url).netloc
        turns = self._hosts.setdefault(host, asyncio.Semaphore(_AT_ONCE))
        async with turns:
            if self._robots and not await self._robots.let(url):
                raise FetchFailed("is one that its site asks robots not to read.")
            return await self._fetcher.fetch(url)


def _page(fetched: Fetched, parsed: Parsed) -> Webpage:
    """A lone mark is the title of a page; several are of a document's parts."""
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
