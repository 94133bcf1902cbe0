"""What a search and an opened page cost beyond the engine, the fetch, and the extraction of the text."""

import asyncio
import itertools
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import Any

import orjson
import trafilatura

from evals.bench.bars import Bar, Effort
from evals.bench.client import RESPONSES, Connection, Question, WrongAnswer
from evals.bench.pages import page
from evals.bench.process import Process
from evals.bench.site import Site

_SIZES = (3, 20, 142, 236)
_BEGUN = b"event: response.web_search_call.searching\n"
_ENDED = b"event: response.web_search_call.completed\n"
_TOOLS = {"tools": [{"type": "web_search"}]}
#: What a user leaves between two pages at least: the time a model takes to write a call.
_PAUSE_S = 0.2


class Watching(Connection):
    """Tells how long the call of a streamed response took, as its reader sees it."""

    took_ms = 0.0

    def __init__(self, port: int) -> None:
        super().__init__(port, RESPONSES)
        self._begun = 0.0

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        if _BEGUN in body:
            self._begun = perf_counter()
        if _ENDED in body:
            self.took_ms = (perf_counter() - self._begun) * 1000

    async def call(self, name: str, **arguments: Any) -> float:
        """Milliseconds that the call took."""
        text = orjson.dumps({"name": name, "arguments": arguments}).decode()
        body = await self.ask(Question("use-1", stream=True, text=text, more=_TOOLS))
        if body.count(_ENDED) != 1:
            raise WrongAnswer(f"one {name} was expected: {body[-500:]!r}")
        return self.took_ms


@dataclass(slots=True)
class Figures:
    """The least of each is what counts: an extraction takes so long that others' work on the machine is in most."""

    whole_ms: list[float] = field(default_factory=list[float])
    fetching_ms: list[float] = field(default_factory=list[float])
    extracting_ms: list[float] = field(default_factory=list[float])

    @property
    def added_ms(self) -> float:
        return min(self.whole_ms) - min(self.fetching_ms) - min(self.extracting_ms)


def flags(pages: Process) -> list[str]:
    """Of a server that searches and reads there."""
    address = f"http://127.0.0.1:{pages.port}"
    return ["--web-search-engines", "searxng", "--web-search-searxng-url", address,
            "--web-search-allowed-hosts", "127.0.0.1"]  # fmt: skip


async def web(site: Site, server: Process, pages: Process, effort: Effort) -> list[Bar]:
    connection, numbers = Watching(server.port), itertools.count()
    await connection.call("open_page", url=f"http://127.0.0.1:{pages.port}/3/first")
    bars = [await _searches(connection, pages, effort)]
    for size in _SIZES:
        figures = Figures()
        for _ in range(effort.rounds * 3):
            await _opened(connection, pages.port, f"/{size}/quay{next(numbers)}", figures)
        detail = f"{min(figures.whole_ms):.1f} ms, of which trafilatura {min(figures.extracting_ms):.1f} ms"
        bars.append(Bar(f"web, opening a page of {size} KB adds", figures.added_ms, 20, "ms", detail))
    connection.close()
    return bars


async def _searches(connection: Watching, pages: Process, effort: Effort) -> Bar:
    took = list[float]()
    for at in range(effort.rounds * 3):
        whole = await connection.call("web_search", queries=[f"quay {at}"])
        took.append(whole - await _fetched(pages.port, "/search"))
    return Bar("web, a search adds", median(took), 20, "ms", f"{len(took)} searches")


async def _opened(connection: Watching, port: int, path: str, figures: Figures) -> None:
    await asyncio.sleep(_PAUSE_S)
    figures.whole_ms.append(await connection.call("open_page", url=f"http://127.0.0.1:{port}{path}"))
    figures.fetching_ms.append(await _fetched(port, path))
    figures.extracting_ms.append(_extracted(path))


async def _fetched(port: int, path: str) -> float:
    """The same from here, over a connection of its own."""
    began = perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
    writer.close()
    return (perf_counter() - began) * 1000


def _extracted(path: str) -> float:
    """The same without a process of its own."""
    _, size, about = path.split("/")
    markup = page(int(size), about)
    began = perf_counter()
    trafilatura.extract(markup, output_format="markdown", include_tables=True, with_metadata=False)
    return (perf_counter() - began) * 1000
