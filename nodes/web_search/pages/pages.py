"""Pages by URL: from the cache, or fetched with care and read in a process of its own."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urldefrag, urlsplit
from weakref import WeakValueDictionary

from graph.errors import ToolFailed
from nodes.documents.parsed import Document, Parsed, Unreadable
from nodes.fetching import Fetched, Fetcher, FetchFailed, Unchanged
from nodes.web_search.domains import Domains
from nodes.web_search.pages.cache import Cache
from nodes.web_search.pages.robots import Robots
from nodes.web_search.pages.webpage import Kept, Webpage, webpage

#: Of one page.
_LIMIT_CHARS = 1_000_000
_URL_CHARS = 4000
#: Fetches from one host at once.
_AT_ONCE = 2


class Reads(Protocol):
    async def parse(self, owner: str, document: Document, limit_chars: int, *, web: bool = False) -> Parsed: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which pages, and for whom."""

    owner: str
    domains: Domains = field(default_factory=Domains)
    #: Only what is in the cache.
    cached: bool = False
    #: Whether anything may be written down.
    stored: bool = True


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
        kept = await self._cache.get(url)
        if kept and not wanted.domains.let(kept.page.url):
            raise ToolFailed("The page leads to one that is not of the domains that the user lets be read.")
        if kept and (wanted.cached or self._cache.is_fresh(kept)):
            return kept.page
        if wanted.cached:
            raise ToolFailed("The page is not in the cache, and the user does not let the web be asked.")
        return await self._renewed(url, kept, wanted)

    async def close(self) -> None:
        await self._cache.close()

    async def _renewed(self, url: str, kept: Kept | None, wanted: Wanted) -> Webpage:
        """From its site, if it is not still what was kept."""
        try:
            fetched = await self._fetched(url, kept, wanted.domains)
            page, version, may_keep = await self._read(fetched, wanted.owner), fetched.version, fetched.may_keep
        except Unchanged as unchanged:
            assert kept  # nothing else can be unchanged  # noqa: S101
            page, version, may_keep = kept.page, kept.version, unchanged.may_keep
        except FetchFailed as failed:
            raise ToolFailed(f"The page cannot be opened: it {failed.reason}") from None
        except Unreadable as unreadable:
            raise ToolFailed(f"The page cannot be read: it {unreadable.reason}") from None
        self._cache.put(url, page, version, disk=wanted.stored and may_keep)
        return page

    async def _read(self, fetched: Fetched, owner: str) -> Webpage:
        document = Document(fetched.content, fetched.filename, fetched.media_type, fetched.charset)
        parsed = await self._reads.parse(owner, document, _LIMIT_CHARS, web=True)
        return await asyncio.to_thread(webpage, fetched, parsed)

    async def _fetched(self, url: str, kept: Kept | None, domains: Domains) -> Fetched:
        """Not many at once from one host."""

        async def let(url: str) -> None:
            if not domains.let(url):
                raise FetchFailed("leads to one that is not of the domains that the user lets be read.")
            if self._robots and not await self._robots.let(url):
                raise FetchFailed("is one that its site asks robots not to read.")

        turns = self._hosts.setdefault(urlsplit(url).netloc, asyncio.Semaphore(_AT_ONCE))
        async with turns:
            return await self._fetcher.fetch(url, let=let, known=kept.version if kept else None)
