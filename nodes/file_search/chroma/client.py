"""What is asked of a Chroma server, over its REST interface (v2)."""

import struct
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

import httpx2

from graph.errors import Json

#: Exact enough for questions, at a bearable size: what the measurements were made with. All is written to disk with
#: every call: an index that a server puts out of its memory comes back without what was not, and nothing says so.
_HNSW = {
    "space": "cosine",
    "ef_construction": 100,
    "ef_search": 200,
    "max_neighbors": 16,
    "batch_size": 2,
    "sync_threshold": 2,
}
_TIMEOUT_S = 30.0
_DIED = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError)
_WRITES = ("/upsert", "/delete")
_PAGE = 1000


class ChromaFailed(Exception):
    """The server could not do it; the sentence says why."""


class Gone(ChromaFailed):
    """It does not have that collection."""


class Torn(ChromaFailed):
    """The server died over it, as it does over an index that was being written when it was killed before."""


class Address(Protocol):
    """Where the server is."""

    @property
    def ours(self) -> bool:
        """Whether nobody else has a say in it."""
        ...

    async def url(self) -> str:
        """Raises `ChromaFailed`."""
        ...

    def lost(self) -> None:
        """It does not answer there any more."""
        ...


class Fixed:
    """The address of a server of others."""

    ours = False

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    async def url(self) -> str:
        return self._url

    def lost(self) -> None:
        pass


class Chroma:
    """Vectors by the name of a collection, under ids that say which window of which edition they are of."""

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

    async def make(self, name: str) -> None:
        """An empty collection, unless it is there."""
        made = {"name": name, "get_or_create": True, "configuration": {"hnsw": _HNSW}}
        self._ids[name] = (await self._asked("POST", "", made))["id"]

    async def put(self, name: str, edition: int, vectors: Sequence[tuple[int, bytes]]) -> None:
        """Vectors by window. Raises `Gone`."""
        body = {
            "ids": [f"{edition}-{window}" for window, _ in vectors],
            "embeddings": [b64encode(vector).decode() for _, vector in vectors],
            "metadatas": [{"edition": edition}] * len(vectors),
        }
        await self._of(name, "POST", "/upsert", body)

    async def nearest(
        self, name: str, vector: bytes, limit: int, editions: Sequence[int] | None = None
    ) -> list[tuple[int, int, float]]:
        """Editions, windows and cosines, the highest first. Raises `Gone`."""
        where: Json = {"where": {"edition": {"$in": list(editions)}}} if editions is not None else {}
        asked = struct.unpack(f"<{len(vector) // 4}f", vector)
        body = {"query_embeddings": [asked], "n_results": limit, "include": ["distances"], **where}
        found = await self._of(name, "POST", "/query", body)
        told = [str(id).split("-") for id in found["ids"][0]]
        far = found["distances"][0]
        return [(int(edition), int(window), 1.0 - away) for (edition, window), away in zip(told, far, strict=True)]

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
        """What may be damaged is dropped: it is `Gone`."""
        try:
            return await self._of_id(name, method, path, body)
        except Torn as torn:
            await self.drop(name)
            raise Gone(str(torn)) from torn

    async def _of_id(self, name: str, method: str, path: str, body: Json | None) -> Any:
        if id := self._ids.pop(name, None):
            with suppress(Gone):  # another process may have made it anew
                answer = await self._asked(method, f"/{id}{path}", body)
                self._ids[name] = id
                return answer
        found = (await self._asked("GET", f"/{name}"))["id"]
        answer = await self._asked(method, f"/{found}{path}", body)
        self._ids[name] = found
        return answer

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
        """What only reads is asked once more where the server was lost. Raises `Torn`."""
        try:
            return await self._sent(method, path, body)
        except _DIED as died:
            if self._address.ours and path.endswith(_WRITES):
                raise Torn("Chroma died while it wrote.") from died
        except httpx2.ConnectError:
            pass
        try:
            return await self._sent(method, path, body)
        except _DIED as died:
            if self._address.ours and "/" in path[1:]:
                raise Torn("Chroma died twice over one question.") from died
            raise

    async def _sent(self, method: str, path: str, body: Json | None) -> httpx2.Response:
        url = f"{await self._address.url()}{self._path}{path}"
        try:
            return await self._http.request(method, url, json=body)
        except httpx2.TransportError:
            self._address.lost()
            raise


def _why(answer: httpx2.Response) -> str:
    return f"Chroma answered with HTTP status {answer.status_code}: {answer.text[:200]}"
