"""`ddgs`: what search engines say to anybody, without a key. It blocks, so it is called in threads."""

import asyncio
from collections.abc import Callable
from typing import Any

from nodes.web_search.engines.port import Asked, EngineFailed, Hit

#: Threads that may wait at once.
_AT_ONCE = 4
Find = Callable[[str, str, int], list[dict[str, Any]]]


class Duck:
    """Whatever hinders it, the library says "No results found.": so no hits are a failure here."""

    name = "ddgs"

    def __init__(self, timeout_s: float, backends: str = "auto", find: Find | None = None) -> None:
        """`backends`: whom the library asks; `find`: query, region, limit → `{title, href, body}`."""
        self._find = find or _finder(timeout_s, backends)
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def search(self, asked: Asked) -> list[Hit]:
        async with self._turns:
            found = await asyncio.to_thread(self._found, asked.worded, asked.place.duck, asked.limit)
        return [Hit(one["href"], one.get("title") or "", one.get("body") or "") for one in found if one.get("href")]

    def _found(self, query: str, region: str, limit: int) -> list[dict[str, Any]]:
        from ddgs.exceptions import DDGSException  # takes a while, and only who searches needs it

        try:
            return self._find(query, region, limit)
        except DDGSException:
            raise EngineFailed("found nothing, or does not answer us now.") from None


def _finder(timeout_s: float, backends: str) -> Find:
    def find(query: str, region: str, limit: int) -> list[dict[str, Any]]:
        from ddgs import DDGS  # pyright: ignore[reportUnknownVariableType]  # made as it is first used

        asking = DDGS(timeout=max(1, int(timeout_s)))
        return asking.text(query, region=region, max_results=limit, backend=backends)

    return find
