"""Pages that were read before: the latest in memory, more of them on disk."""

import asyncio
import time
from collections import OrderedDict

from nodes.fetching import Version
from nodes.web_search.pages.disk import Disk
from nodes.web_search.pages.webpage import Kept, Webpage


class Cache:
    """Pages are found by the URL that was asked for. All were fetched without credentials: they are nobody's."""

    def __init__(self, limit_chars: int, ttl_s: float, disk: Disk | None = None) -> None:
        """`limit_chars`: in memory; `ttl_s`: how old a page may be before its site is asked again."""
        self._latest = _Latest(limit_chars)
        self._ttl_s = ttl_s
        self._disk = disk
        #: What is being written to disk, for which no reader waits.
        self._writing = set[asyncio.Task[None]]()

    def is_fresh(self, kept: Kept) -> bool:
        return abs(time.time() - kept.fetched) <= self._ttl_s

    async def get(self, url: str) -> Kept | None:
        """However old it is; the fresher of what memory and disk have."""
        kept = self._latest.get(url)
        if self._disk and not (kept and self.is_fresh(kept)):
            ondisk = await self._disk.get(url)
            if ondisk and (kept is None or ondisk.fetched > kept.fetched):
                self._latest.put(url, kept := ondisk)
        return kept

    def put(self, url: str, page: Webpage, version: Version, *, disk: bool) -> None:
        """Fetched just now. `disk`: whether anything may be written down."""
        kept = Kept(page, time.time(), version)
        self._latest.put(url, kept)
        if disk and self._disk:
            writing = asyncio.create_task(self._disk.put(url, kept))
            self._writing.add(writing)
            writing.add_done_callback(self._writing.discard)

    async def close(self) -> None:
        await asyncio.gather(*self._writing)
        if self._disk:
            await self._disk.close()


class _Latest:
    """`limit_chars` in all."""

    def __init__(self, limit_chars: int) -> None:
        self._limit_chars = limit_chars
        self._held = 0
        self._pages: OrderedDict[str, Kept] = OrderedDict()

    def get(self, url: str) -> Kept | None:
        if url in self._pages:
            self._pages.move_to_end(url)
        return self._pages.get(url)

    def put(self, url: str, kept: Kept) -> None:
        self._drop(url)
        self._pages[url] = kept
        self._held += kept.page.chars
        while self._held > self._limit_chars and self._pages:
            self._drop(next(iter(self._pages)))

    def _drop(self, url: str) -> None:
        if found := self._pages.pop(url, None):
            self._held -= found.page.chars
