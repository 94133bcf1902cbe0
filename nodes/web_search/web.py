"""What the model may do with the web in one run: search, open a page, find in a page."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, cast

from graph.errors import Json, ToolFailed
from graph.ports import Outcome, Shown
from nodes.web_search.engines.places import Place
from nodes.web_search.engines.port import Asked, Hit
from nodes.web_search.engines.several import Several
from nodes.web_search.pages.pages import Pages, Wanted
from nodes.web_search.pages.webpage import Webpage
from nodes.web_search.telling import cited, titled, told_hits, told_lines

_QUERIES, _QUERY_CHARS = 5, 1000
#: Matches that are told, with lines around each.
_MATCHES, _AROUND = 10, 2
_MARK = re.compile(r"【?(\d{1,9})(?:[†:][^】]*)?】?")
#: A host with a dot in it, and nothing before it.
_BARE = re.compile(r"(?:[\w-]+\.)+[a-z]{2,}(?:[/?#:]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Size:
    """How much of the web the model reads at once."""

    hits: int
    hit_chars: int
    page_chars: int


SIZES = {"low": Size(5, 300, 6_000), "medium": Size(8, 1000, 16_000), "high": Size(15, 2000, 48_000)}


@dataclass(frozen=True, slots=True)
class Web:
    engines: Several
    pages: Pages
    wanted: Wanted
    size: Size
    place: Place
    marks: Iterator[int]
    #: What was told under marks before: some models name a page by its mark.
    told: dict[str, str]

    async def search(self, arguments: Json, shown: Shown) -> Outcome:
        queries = _queries(arguments)
        action: Json = {"type": "search", "query": queries[0], "queries": queries}
        shown.phase("searching")
        hits = await self._hits(queries, action)
        told = [(self._marked(hit.url), hit) for hit in hits]
        shown.phase("completed")
        return Outcome(
            {"action": action},
            told_hits(told, self.size.hit_chars),
            held={"action.sources": [{"type": "url", "url": hit.url} for hit in hits]},
            sources=[cited(mark, hit.url, titled(hit.title)) for mark, hit in told],
        )

    async def _hits(self, queries: Sequence[str], action: Json) -> list[Hit]:
        """The best of each query, then the second best of each; no page twice. Raises `ToolFailed`."""
        if self.wanted.cached:
            message = "The user does not let the web be asked; only pages that are in the cache can be opened."
            raise ToolFailed(message, _failed(action))
        asked = [Asked(query, self.size.hits, self.wanted.domains, self.place) for query in queries]
        answers = await asyncio.gather(*map(self.engines.search, asked), return_exceptions=True)
        found = [answer for answer in answers if isinstance(answer, list)]
        for failed in answers:
            if isinstance(failed, BaseException) and (not isinstance(failed, ToolFailed) or not found):
                raise ToolFailed(failed.message, _failed(action)) if isinstance(failed, ToolFailed) else failed
        ranks = zip_longest(*found)
        hits = {hit.url: hit for rank in reversed([*ranks]) for hit in reversed(rank) if hit}
        return [*reversed(hits.values())][: self.size.hits]

    async def open(self, arguments: Json, shown: Shown) -> Outcome:
        url = self._url(arguments, {"type": "open_page", "url": ""})
        action: Json = {"type": "open_page", "url": url}
        page = await self._page(url, action, shown)
        first = _line(arguments.get("line"), len(page.lines))
        numbers, left = list[int](), self.size.page_chars
        for number in range(first, len(page.lines) + 1):
            left -= len(page.lines[number - 1])
            if left < 0 and numbers:
                break
            numbers.append(number)
        end = numbers[-1] if numbers else 0
        note = f"It goes on at line {end + 1}." if end < len(page.lines) else "That is the end of the page."
        return self._told(page, numbers, note, action, shown)

    async def find(self, arguments: Json, shown: Shown) -> Outcome:
        action: Json = {"type": "find_in_page", "url": "", "pattern": ""}
        action["pattern"] = _text(arguments, "pattern", action)
        action["url"] = self._url(arguments, action)
        page = await self._page(action["url"], action, shown)
        found = await asyncio.to_thread(_having, action["pattern"].casefold(), page.lines)
        near = {
            line
            for number in found[:_MATCHES]
            for line in range(max(1, number - _AROUND), min(len(page.lines), number + _AROUND) + 1)
        }
        note = f"{len(found)} lines have it" + (f": {', '.join(f'L{n}' for n in found[:_MATCHES])}." if found else ".")
        return self._told(page, sorted(near), note, action, shown)

    def _marked(self, url: str) -> str:
        mark = str(next(self.marks))
        self.told[mark] = url
        return mark

    def _url(self, arguments: Json, action: Json) -> str:
        """Also of `【3】`, and of `example.com/page`. Raises `ToolFailed`."""
        said = _text(arguments, "url", action)
        if mark := _MARK.fullmatch(said):
            return self.told.get(mark[1], said)
        return f"https://{said}" if _BARE.match(said) else said

    async def _page(self, url: str, action: Json, shown: Shown) -> Webpage:
        shown.phase("searching")
        try:
            return await self.pages.find(url, self.wanted)
        except ToolFailed as failed:
            raise ToolFailed(failed.message, _failed(action)) from None

    def _told(self, page: Webpage, numbers: Sequence[int], note: str, action: Json, shown: Shown) -> Outcome:
        shown.phase("completed")
        mark = self._marked(page.url)
        reply = told_lines(mark, page, numbers, note)
        return Outcome({"action": action}, reply, sources=[cited(mark, page.url, titled(page.title))])


def _having(wanted: str, lines: Sequence[str]) -> list[int]:
    return [number for number, line in enumerate(lines, 1) if wanted in line.casefold()]


def _failed(action: Json) -> Json:
    return {"status": "failed", "action": action}


def _queries(arguments: Json) -> list[str]:
    """Raises `ToolFailed`."""
    given: Any = arguments.get("queries", arguments.get("query"))
    queries = [given] if isinstance(given, str) else given
    if isinstance(queries, list):
        said = [" ".join(one.split())[:_QUERY_CHARS] for one in cast(list[Any], queries) if isinstance(one, str)]
        if wanted := [query for query in dict.fromkeys(said) if query]:
            return wanted[:_QUERIES]
    message = "`queries` must be a list of one or more strings."
    raise ToolFailed(message, _failed({"type": "search", "query": "", "queries": []}))


def _text(arguments: Json, name: str, action: Json) -> str:
    given = arguments.get(name)
    if isinstance(given, str) and given.strip():
        return given.strip()
    raise ToolFailed(f"`{name}` must be a string that is not empty.", _failed(action))


def _line(given: Any, count: int) -> int:
    """From 1 on, and within the page; also `L12`."""
    said = str(given).strip().lstrip("Ll")
    return min(max(1, int(said)), max(1, count)) if said.isascii() and said.isdecimal() and len(said) < 10 else 1
