"""What is asked of a Chroma server, over its REST interface (v2)."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

import httpx2

from graph.errors import Json

#: Exact enough for questions, at a bearable size: what the measurements were made with.
_HNSW = {"space": "cosine", "ef_construction": 100, "ef_search": 200, "max_neighbors": 16}
_TIMEOUT_S = 30.0
_PAGE = 1000


class ChromaFailed(Exception):
    """The server could not do it; the sentence says why."""


class Gone(ChromaFailed):
    """It does not have that collection."""


class Address(Protocol):
    """Where the server is."""

    async def url(self) -> str:
        """Raises `ChromaFailed`."""
        ...

    def lost(self) -> None:
        """It does not answer there any more."""
        ...


class Fixed:
    """The address of a server of others."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    async def url(self) -> str:
        return self._url

    def lost(self) -> None:
        pass


class Chroma:
    """Vectors by the name of a collection; ids are numbers."""

    def __init__(self, address: Address, token: str | None = None, database: str = "default_database") -> None:
        self._address = address
        self._path = f"/api/v2/tenants/default_tenant/databases/{database}/collections"
        headers = {"x-chroma-token": token} if token else {}
        self._http = httpx2.AsyncClient(headers=headers, timeout=_TIMEOUT_S, trust_env=False)
        #: Name → id, which changes when a collection is made anew.
        self._ids: dict[str, str] = {}

    async def names(self) -> list[str]:
        found = list[str]()
        while True:
            page: list[Json] = await self._asked("GET", f"?limit={_PAGE}&offset={len(found)}")
            found += [one["name"] for one in page]
            if len(page) < _PAGE:
                return found

    async def count(self, name: str) -> int:
        """Raises `Gone`."""
        return await self._of(name, "GET", "/count")

    async def put(self, name: str, vectors: Mapping[int, Sequence[float]], edition: int) -> None:
        """The collection is made when it is not there."""
        if name not in self._ids:
            made = {"name": name, "get_or_create": True, "configuration": {"hnsw": _HNSW}}
            self._ids[name] = (await self._asked("POST", "", made))["id"]
        noted = [{"edition": edition}] * len(vectors)
        body = {"ids": [str(id) for id in vectors], "embeddings": list(vectors.values()), "metadatas": noted}
        await self._of(name, "POST", "/upsert", body)

    async def nearest(
        self, name: str, vector: Sequence[float], limit: int, editions: Sequence[int] | None = None
    ) -> list[tuple[int, float]]:
        """Ids and cosines, the highest first. Raises `Gone`."""
        where: Json = {"where": {"edition": {"$in": list(editions)}}} if editions is not None else {}
        body = {"query_embeddings": [vector], "n_results": limit, "include": ["distances"], **where}
        found = await self._of(name, "POST", "/query", body)
        return [(int(id), 1.0 - far) for id, far in zip(found["ids"][0], found["distances"][0], strict=True)]

    async def forget(self, name: str, edition: int) -> None:
        """Raises `Gone`."""
        await self._of(name, "POST", "/delete", {"where": {"edition": edition}})

    async def drop(self, name: str) -> None:
        self._ids.pop(name, None)
        with suppress(Gone):
            await self._asked("DELETE", f"/{name}")

    async def close(self) -> None:
        await self._http.aclose()

    async def _of(self, name: str, method: str, path: str, body: Json | None = None) -> Any:
        if name not in self._ids:
            self._ids[name] = (await self._asked("GET", f"/{name}"))["id"]
        try:
            return await self._asked(method, f"/{self._ids[name]}{path}", body)
        except ChromaFailed:
            self._ids.pop(name, None)
            raise

    async def _asked(self, method: str, path: str, body: Json | None = None) -> Any:
        try:
            answer = await self._answer(method, path, body)
            if answer.status_code == 404:
                raise Gone(_why(answer))
            if not answer.is_success:
                raise ChromaFailed(_why(answer))
            return answer.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise ChromaFailed(f"Chroma cannot be asked: {str(error) or type(error).__name__}.") from error

    async def _answer(self, method: str, path: str, body: Json | None) -> httpx2.Response:
        """Asked once more where the server was lost: nothing that is asked is different the second time."""
        url = f"{await self._address.url()}{self._path}{path}"
        try:
            return await self._http.request(method, url, json=body)
        except httpx2.TransportError:
            self._address.lost()
        url = f"{await self._address.url()}{self._path}{path}"
        return await self._http.request(method, url, json=body)


def _why(answer: httpx2.Response) -> str:
    return f"Chroma answered with HTTP status {answer.status_code}: {answer.text[:200]}"
