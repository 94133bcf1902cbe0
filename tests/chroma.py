"""The Chroma server of a server of ours, as tests look into it."""

from pathlib import Path
from typing import Any

import httpx2
from openai import OpenAI

from tests.ingesting import children, put, settled
from tests.process import Server
from tests.told import eventually
from tests.vectors import Vectors, alike

MODEL = "bag"
#: More windows than this, and Chroma is asked.
EXACT = 10
_VECTORS = {"hybrid_search": {"embedding_weight": 1, "text_weight": 0}}


def searching(path: Path, vectors: Vectors, *flags: str, **environment: str) -> Server:
    few = {"GRAPHNEXUS_FILE_SEARCH_EXACT_WINDOWS": str(EXACT)}
    return Server(path, vectors.url, "--file-search-embedding", MODEL, *flags, **few, **environment)


def bound(server: Server) -> OpenAI:
    return OpenAI(base_url=server.url, api_key="sk-test", max_retries=0)


def text(at: int, of: str = "store") -> str:
    return f"number{at} of {of}{at} is about thing{at} and matter{at}"


def filled(client: OpenAI, files: int, of: str = "store") -> tuple[str, dict[str, str]]:
    """A store with so many files of one window each."""
    store_id, ids = put(client, {f"{at}.txt": text(at, of).encode() for at in range(files)})
    settled(client, store_id)
    return store_id, ids


def nearest(client: OpenAI, store_id: str, query: str, **asked: Any) -> list[str]:
    """Names of the files whose texts are nearest by their vectors alone: the question has none of their words."""
    other = " ".join(alike(word) for word in query.split())
    found = client.vector_stores.search(store_id, query=other, ranking_options=_VECTORS, **asked)  # pyright: ignore
    return [hit.filename for hit in found]


def all_found(client: OpenAI, store_id: str, files: int, of: str = "store") -> bool:
    return all(nearest(client, store_id, text(at, of))[:1] == [f"{at}.txt"] for at in range(files))


def servers(*ours: Server) -> list[int]:
    """Processes that are Chroma."""
    return [child for server in ours for child in children(server.pid, "chroma/serving.py")]


def directory(server: Server) -> Path:
    return server.data_dir / "kept" / "chroma"


def asked(server: Server, method: str, path: str, body: Any = None) -> Any:
    url = (directory(server) / "address").read_text()
    base = f"{url}/api/v2/tenants/default_tenant/databases/default_database/collections"
    answer = httpx2.request(method, base + path, json=body, trust_env=False)
    return answer.raise_for_status().json()


def kept(server: Server) -> list[int]:
    """Vectors of each collection."""
    return sorted(asked(server, "GET", f"/{one['id']}/count") for one in asked(server, "GET", ""))


def told(server: Server, *counts: int) -> None:
    """Waits until Chroma has so many."""
    errors = (OSError, httpx2.HTTPError, ZeroDivisionError)
    eventually(lambda: 1 / (kept(server) == sorted(counts)), errors)  # pyright: ignore[reportArgumentType]
