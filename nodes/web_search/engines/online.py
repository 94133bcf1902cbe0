"""Engines that are asked over HTTP: SearXNG, Brave, Tavily and Exa.

Sources: docs.searxng.org, "Search API"; api-dashboard.search.brave.com, "Web Search API"; docs.tavily.com, "Search";
docs.exa.ai, "Search" (read 2026-11-22).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import httpx2
import orjson

from graph.errors import Json
from nodes.web_search.engines.places import Place
from nodes.web_search.engines.port import Asked, EngineFailed, Hit

#: Of an answer.
_LIMIT_BYTES = 4 * 2**20
_QUERY_CHARS = 400
#: Countries that Brave takes; it refuses others.
_BRAVES = (
    "AR AT AU BE BR CA CH CL CN DE DK ES FI FR GB GR HK ID IN IT JP KR MX MY NL NO NZ PH PL PT RU SA SE TR TW US ZA"
)


@dataclass(frozen=True, slots=True)
class Shape:
    """How one of them is asked, and where its hits stand."""

    path: str
    #: Query parameters for GET, or a body for POST.
    asks: Callable[[Asked], Json]
    #: Where the list of hits is.
    found: tuple[str, ...]
    text: str
    method: str = "GET"
    #: The key, and where the user is.
    headers: Callable[[str, Place], dict[str, str]] = field(default=lambda key, place: {})


def _searxng(asked: Asked) -> Json:
    locale = {"language": asked.place.locale} if asked.place.locale else {}
    return {"q": asked.worded, "format": "json", **locale}


def _brave(asked: Asked) -> Json:
    place = asked.place.country
    country = {"country": place if place in _BRAVES.split() else "ALL"} if place else {}
    return {"q": asked.worded[:_QUERY_CHARS], "count": min(asked.limit, 20), **country}


def _brave_headers(key: str, place: Place) -> dict[str, str]:
    where = {"city": place.city, "state-name": place.region, "country": place.country, "timezone": place.timezone}
    return {"x-subscription-token": key} | {f"x-loc-{name}": said for name, said in where.items() if said}


def _tavily(asked: Asked) -> Json:
    return {
        "query": asked.query[:_QUERY_CHARS],
        "max_results": min(asked.limit, 20),
        "include_domains": list(asked.domains.allowed),
        "exclude_domains": list(asked.domains.blocked),
    }


def _tavily_headers(key: str, place: Place) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def _exa(asked: Asked) -> Json:
    country = {"userLocation": asked.place.country} if asked.place.country else {}
    domains = asked.domains
    named = {"includeDomains": list(domains.allowed)} if domains.allowed else {}
    # It takes one of the two; what is blocked is sifted out afterwards, anyway.
    return {"query": asked.query, "numResults": asked.limit, "contents": {"text": {"maxCharacters": 2000}}} | (
        named | country
    )


SHAPES = {
    "searxng": Shape("/search", _searxng, ("results",), "content"),
    "brave": Shape(
        "/res/v1/web/search", _brave, ("web", "results"), "description",
        headers=_brave_headers,
    ),
    "tavily": Shape("/search", _tavily, ("results",), "content", "POST", headers=_tavily_headers),
    "exa": Shape("/search", _exa, ("results",), "text", "POST", headers=lambda key, place: {"x-api-key": key}),
}  # fmt: skip


class Online:
    """One engine at one address that the operator has named; redirects are not followed."""

    def __init__(self, name: str, url: str, key: str, client: httpx2.AsyncClient) -> None:
        self.name = name
        self._url = url.rstrip("/")
        self._key = key
        self._client = client

    async def search(self, asked: Asked) -> list[Hit]:
        shape = SHAPES[self.name]
        try:
            said = orjson.loads(await self._answer(shape, asked))
        except (httpx2.HTTPError, OSError):
            raise EngineFailed("could not be reached.") from None
        except orjson.JSONDecodeError:
            raise EngineFailed("gave an answer that is no JSON.") from None
        for name in shape.found:
            said = cast(Json, said).get(name) if isinstance(said, dict) else None
        found = cast(list[Any], said) if isinstance(said, list) else []
        return [hit for one in found if isinstance(one, dict) and (hit := _hit(cast(Json, one), shape.text))]

    async def _answer(self, shape: Shape, asked: Asked) -> bytes:
        asks = shape.asks(asked)
        given: dict[str, Any] = {"params": asks} if shape.method == "GET" else {"json": asks}
        headers = httpx2.Headers(shape.headers(self._key, asked.place), encoding="utf-8")
        async with self._client.stream(shape.method, self._url + shape.path, headers=headers, **given) as answer:
            if answer.status_code != 200:
                raise EngineFailed(f"answered with HTTP status {answer.status_code}.")
            said = bytearray()
            async for piece in answer.aiter_bytes(2**16):
                said += piece
                if len(said) > _LIMIT_BYTES:
                    raise EngineFailed("gave too long an answer.")
            return bytes(said)


def _hit(one: Json, text: str) -> Hit | None:
    """None where there is no page: SearXNG has such."""
    url, title, said = one.get("url"), one.get("title"), one.get(text)
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        return None
    return Hit(url, title if isinstance(title, str) else "", said if isinstance(said, str) else "")
