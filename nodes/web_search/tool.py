"""The `web_search` hosted tool: lets the model search the web and read its pages.

Source: CONTRACT of the Responses API, "web_search".
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Self

import httpx2
from pydantic import SecretStr

from graph.errors import Json
from graph.marks import sources_of
from graph.ports import Function, Opening
from nodes.documents.parser import Documents
from nodes.fetching import Extent, Fetcher
from nodes.premises import Premises
from nodes.reach import Reach
from nodes.web_search.declaration import TYPES, checked, domains
from nodes.web_search.engines.duck import Duck
from nodes.web_search.engines.online import Online
from nodes.web_search.engines.places import Place
from nodes.web_search.engines.port import Engine
from nodes.web_search.engines.several import Several
from nodes.web_search.function import KIND, functions
from nodes.web_search.pages.cache import Cache
from nodes.web_search.pages.disk import Disk
from nodes.web_search.pages.pages import Pages, Wanted
from nodes.web_search.pages.robots import Robots
from nodes.web_search.web import SIZES, Web

#: Of the largest page that is read, unpacked.
_PAGE_BYTES = 10 * 2**20


_JSON = {"accept": "application/json"}


class WebSearch:
    kind = KIND
    types: Sequence[str] = TYPES

    def __init__(self, engines: Several, pages: Pages, documents: Documents, client: httpx2.AsyncClient | None) -> None:
        """`client` is closed with the tool."""
        self._engines = engines
        self._pages = pages
        self._documents = documents
        self._client = client

    @classmethod
    def from_settings(cls, values: Mapping[str, Any], premises: Premises) -> Self:
        """`values` are the settings that begin with `web_search_`."""
        timeout_s = values["timeout_s"]
        # Made only where it is used: it reads certificates, which is a tenth of a start.
        asking = set(values["engines"]) != {"ddgs"}
        client = httpx2.AsyncClient(timeout=timeout_s, trust_env=False, headers=_JSON) if asking else None
        engines = Several([_engine(name, values, client) for name in values["engines"]], timeout_s)
        reach = Reach(allowed=values["allowed_hosts"])
        fetcher = Fetcher(reach, Extent(_PAGE_BYTES, timeout_s))
        disk = Disk(premises.directory / "pages.db", values["cache_bytes"]) if values["cache_bytes"] else None
        cache = Cache(values["cache_chars"], values["cache_ttl_s"], disk)
        pages = Pages(fetcher, premises.documents, cache, Robots(fetcher) if values["robots"] else None)
        return cls(engines, pages, premises.documents, client)

    def check(self, tool: Json, param: str) -> Json:
        return checked(tool, param)

    async def open(self, tools: Sequence[Json], opening: Opening) -> Sequence[Function]:
        taken, made = set(opening.taken), list[Function]()
        if tools:
            await self._documents.warm()
        for tool in tools:
            made += functions(self._web(tool, opening), _naming(taken))
        return made

    def _web(self, tool: Json, opening: Opening) -> Web:
        said = checked(tool, opening.param(tool))
        wanted = Wanted(
            opening.owner,
            domains(said.get("filters"), f"{opening.param(tool)}.filters"),
            cached=said.get("external_web_access") is False,
            stored=opening.stored,
        )
        size = SIZES[said["search_context_size"]]
        notes = {mark: note["url"] for mark, note in sources_of(opening.entries).items() if "url" in note}
        return Web(self._engines, self._pages, wanted, size, Place.of(said["user_location"]), opening.marks, notes)

    async def close(self) -> None:
        if self._client:
            await self._client.aclose()
        await self._pages.close()


def _naming(taken: set[str]) -> Callable[[str], str]:
    def named(wanted: str) -> str:
        name = _free(wanted, taken)
        taken.add(name)
        return name

    return named


def _free(wanted: str, taken: Collection[str]) -> str:
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name


def _engine(name: str, values: Mapping[str, Any], client: httpx2.AsyncClient | None) -> Engine:
    if name == "ddgs" or client is None:
        return Duck(values["timeout_s"], values["ddgs_backends"])
    key: SecretStr | None = values.get(f"{name}_key")
    return Online(name, values[f"{name}_url"], key.get_secret_value() if key else "", client)
