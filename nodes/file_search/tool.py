"""The `file_search` hosted tool: lets the model search vector stores of the caller.

Source: CONTRACT of the Responses API, "file_search".
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from graph.errors import Json, RequestError
from graph.ports import Function, Opening
from graph.vector_stores import Scope
from nodes.file_search.declaration import checked, ranking
from nodes.file_search.function import NAME, SearchFunction
from nodes.file_search.port import Stores
from nodes.file_search.search import Search
from nodes.premises import Premises


class FileSearch:
    """Keeps nothing: what is found is kept by others."""

    kind = NAME
    types: Sequence[str] = (NAME,)

    def __init__(self, search: Search, stores: Stores) -> None:
        self._search = search
        self._stores = stores

    @classmethod
    def from_settings(cls, values: Mapping[str, Any], premises: Premises) -> Self:
        """`values` are the settings that begin with `file_search_`; what they say is in `premises` already."""
        return cls(premises.search, premises.stores)

    def check(self, tool: Json, param: str) -> Json:
        return checked(tool, param)

    async def open(self, tools: Sequence[Json], opening: Opening) -> Sequence[Function]:
        functions = list[Function]()
        for tool in tools:
            param = opening.param(tool)
            functions.append(await self._function(checked(tool, param), param, opening, len(functions)))
        return functions

    async def _function(self, tool: Json, param: str, opening: Opening, number: int) -> Function:
        for at, id in enumerate(tool["vector_store_ids"]):
            store = await self._stores.find(opening.owner, id)
            where = f"{param}.vector_store_ids[{at}]"
            if store is None:
                message = f"Vector store with id '{id[:100]}' not found."
                raise RequestError(message, param=where, code="vector_store_not_found")
            if store.expired:
                message = f"Vector store with id '{id[:100]}' has expired."
                raise RequestError(message, param=where, code="vector_store_expired")
        await self._stores.touch(opening.owner, tool["vector_store_ids"])
        scope = Scope(opening.owner, tool["vector_store_ids"], tool["filters"])
        rank = ranking(tool["ranking_options"], param)
        return SearchFunction(_free(opening, number), self._search, scope, rank, tool["max_num_results"], opening.marks)

    async def close(self) -> None:
        pass


def _free(opening: Opening, begin: int) -> str:
    """A name nobody else has."""
    name, number = NAME if not begin else f"{NAME}_{begin + 1}", begin + 1
    while name in opening.taken:
        number += 1
        name = f"{NAME}_{number}"
    return name
