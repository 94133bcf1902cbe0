"""What file search costs, by words alone: making files searchable, and finding what is in them."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any

import orjson
from openai import AsyncOpenAI

from evals.bench.bars import Bar, Effort
from evals.bench.client import Wire
from evals.bench.process import Process
from evals.bench.site import Site
from evals.bench.texts import Texts

Say = Callable[[str], None]
_FILES = 100
#: Made-up words are of more tokens than real ones: so many are about 200.
_WINDOW_WORDS = 58
_LAG_EVERY_S = 0.005
_LIMIT_S = 1800
_AT_ONCE = 8
_HALF = {"type": "and", "filters": [
    {"type": "eq", "key": "half", "value": "one"},
    {"type": "gte", "key": "number", "value": 0},
]}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    #: Words of a question, and how common they are: the commonest is 0.
    words: int
    ranks: tuple[int, int]
    filters: dict[str, Any] | None = None


CASES = (
    Case("four words", 4, (20, 5000)),
    Case("four words, filtered", 4, (20, 5000), _HALF),
    Case("six of the commonest", 6, (0, 20)),
    Case("six of the commonest, filtered", 6, (0, 20), _HALF),
)


class Library:
    """Files and stores of a server under measurement."""

    def __init__(self, client: AsyncOpenAI) -> None:
        self._client = client
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def uploaded(self, name: str, text: str) -> str:
        async with self._turns:
            return (await self._client.files.create(file=(name, text.encode()), purpose="assistants")).id

    async def store(self, name: str) -> str:
        async with self._turns:
            return (await self._client.vector_stores.create(name=name)).id

    async def filled(self, store_id: str, files: Sequence[dict[str, Any]]) -> None:
        """When all of them can be found."""
        batch = await self._client.vector_stores.file_batches.create(store_id, files=files)  # type: ignore[arg-type]
        async with asyncio.timeout(_LIMIT_S):
            while batch.status == "in_progress":
                await asyncio.sleep(0.1)
                batch = await self._client.vector_stores.file_batches.retrieve(batch.id, vector_store_id=store_id)
        if batch.file_counts.completed != len(files):
            raise RuntimeError(f"Not all files could be made searchable: {batch.file_counts}.")


@asynccontextmanager
async def library(server: Process) -> AsyncGenerator[Library]:
    async with AsyncOpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key="none") as client:
        yield Library(client)


async def search(site: Site, effort: Effort, say: Say) -> list[Bar]:
    texts = Texts()
    with site.server("search") as server:
        async with library(server) as shelves:
            store = await shelves.store("one")
            say(f"{_FILES} files of {effort.windows // _FILES} windows made searchable")
            bars = await _filling(server, shelves, store, _made(texts, effort.windows))
            count = windows(site.database("search"))
            for case in CASES:
                say(f"searches of {count} windows: {case.name}")
                bars.append(await _searched(server, texts, store, case, count))
            bars.append(await _beside(server, texts, store, CASES[2]))
    with site.server("stores") as server:
        async with library(server) as shelves:
            say(f"{effort.stores} stores")
            return [*bars, await _stores(server, shelves, texts, effort.stores)]


async def large(site: Site, say: Say) -> list[Bar]:
    """Ten times as many windows: what a search costs then."""
    texts = Texts(2)
    with site.server("large") as server:
        async with library(server) as shelves:
            store = await shelves.store("large")
            for part in range(10):
                say(f"{part * 10_000} windows of 100000 made searchable")
                await _filling(server, shelves, store, _made(texts, 10_000))
            count = windows(site.database("large"))
            bars = [await _searched(server, texts, store, case, count, limit_ms=500) for case in CASES]
            return [*bars, Bar(f"Memory with {count} windows", server.memory_kb() / 1024, 300, "MB")]


def windows(database: Path) -> int:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as rows:
        return rows.execute("SELECT COUNT(*) FROM search_window").fetchone()[0]


def _made(texts: Texts, count: int) -> list[str]:
    return [texts.text(count // _FILES * _WINDOW_WORDS) for _ in range(_FILES)]


async def _filling(server: Process, shelves: Library, store: str, made: Sequence[str]) -> list[Bar]:
    """How long it takes, and how long the server keeps others waiting meanwhile."""
    ids = await asyncio.gather(*(shelves.uploaded(f"{at}.txt", text) for at, text in enumerate(made)))
    files = [
        {"file_id": id, "attributes": {"half": ("one", "other")[at % 2], "number": at}} for at, id in enumerate(ids)
    ]
    lags, done = list[float](), asyncio.Event()
    watching = asyncio.create_task(_watch(server, lags, done))
    began, cpu = perf_counter(), server.cpu_s()
    await shelves.filled(store, files)
    took, cpu = perf_counter() - began, server.cpu_s() - cpu
    done.set()
    await watching
    detail = f"p50 {median(lags):.1f} ms, most {max(lags):.0f} ms; {took:.1f} s, {cpu / took:.0%} of a processor"
    size = sum(map(len, made)) / 2**20
    return [
        Bar("Others wait while files go in, p99", quantiles(lags, n=100)[98], 20, "ms", detail),
        Bar("A megabyte of text made searchable", took / size, 10, "s", f"{size:.1f} MB, {len(made)} files"),
    ]


async def _watch(server: Process, lags: list[float], done: asyncio.Event) -> None:
    """Milliseconds that `/health` takes, again and again."""
    wire = Wire(server.port)
    while not done.is_set():
        began = perf_counter()
        await wire.send(b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        lags.append((perf_counter() - began) * 1000)
        await asyncio.sleep(_LAG_EVERY_S)
    wire.close()


async def _searched(server: Process, texts: Texts, store: str, case: Case, count: int, limit_ms: float = 50) -> Bar:
    wire, took = Wire(server.port), list[float]()
    cpu = server.cpu_s()
    for _ in range(120):
        asked = orjson.dumps({"query": texts.question(case.words, case.ranks), "filters": case.filters})
        began = perf_counter()
        await wire.send(_post(f"/v1/vector_stores/{store}/search", asked))
        took.append((perf_counter() - began) * 1000)
    wire.close()
    cpu = (server.cpu_s() - cpu) / len(took) * 1000
    warm = took[20:]
    detail = f"p50 {median(warm):.1f} ms, CPU {cpu:.1f} ms, first {took[0]:.0f} ms"
    return Bar(f"Search of {count} windows, p95: {case.name}", quantiles(warm, n=20)[18], limit_ms, "ms", detail)


async def _beside(server: Process, texts: Texts, store: str, case: Case) -> Bar:
    """How long others wait while searches follow one another."""
    lags, done = list[float](), asyncio.Event()
    watching = asyncio.create_task(_watch(server, lags, done))
    await _searched(server, texts, store, case, 0)
    done.set()
    await watching
    detail = f"p50 {median(lags):.1f} ms, most {max(lags):.0f} ms"
    return Bar(f"Others wait while it is searched, p99: {case.name}", quantiles(lags, n=100)[98], 20, "ms", detail)


def _post(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


async def _stores(server: Process, shelves: Library, texts: Texts, count: int) -> Bar:
    """Memory that a server holds on to when it has filled and searched many stores, after the first of them."""
    file_id = await shelves.uploaded("small.txt", texts.text(4 * _WINDOW_WORDS))
    await _used(server, shelves, texts, file_id, 1)
    before = server.memory_kb()
    await _used(server, shelves, texts, file_id, count)
    return Bar(f"Memory that {count} stores add", (server.memory_kb() - before) / 1024, 100, "MB")


async def _used(server: Process, shelves: Library, texts: Texts, file_id: str, count: int) -> None:
    stores = await asyncio.gather(*(shelves.store(f"store {at}") for at in range(count)))
    for some in range(0, count, _AT_ONCE):
        turn = stores[some : some + _AT_ONCE]
        await asyncio.gather(*(shelves.filled(store, [{"file_id": file_id}]) for store in turn))
    wire = Wire(server.port)
    for store in stores:
        await wire.send(_post(f"/v1/vector_stores/{store}/search", orjson.dumps({"query": texts.question(4)})))
    wire.close()
