"""What sites say robots may read, by robots.txt (RFC 9309)."""

import asyncio
import time
from collections import OrderedDict
from urllib.parse import urlsplit
from urllib.robotparser import RobotFileParser

from nodes.fetching import Fetcher, FetchFailed

_AGENT = "graphnexus"
_LIMIT_BYTES = 2**17
_HOSTS, _KEPT_S = 500, 3600.0


class Robots:
    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._known: OrderedDict[str, tuple[float, RobotFileParser]] = OrderedDict()

    async def let(self, url: str) -> bool:
        """A site that has no such file, or does not give it, lets all be read."""
        parts = urlsplit(url)
        site = f"{parts.scheme}://{parts.netloc}"
        asked, rules = self._known.get(site, (0.0, None))
        if rules is None or time.monotonic() - asked > _KEPT_S:
            rules = await self._rules(site)
            self._known[site] = time.monotonic(), rules
            while len(self._known) > _HOSTS:
                self._known.popitem(last=False)
        return rules.can_fetch(_AGENT, url)

    async def _rules(self, site: str) -> RobotFileParser:
        rules = RobotFileParser()
        try:
            fetched = await self._fetcher.fetch(f"{site}/robots.txt", _LIMIT_BYTES)
            lines = fetched.content.decode("utf-8", "replace").splitlines()
            await asyncio.to_thread(rules.parse, lines)
        except FetchFailed:
            rules.parse([])
        return rules
