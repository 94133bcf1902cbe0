"""What it costs that a response outlives its caller: the same run in the foreground and in the background."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from evals.bench.background import Caller
from evals.bench.bars import Bar, Effort
from evals.bench.client import RESPONSES, Load, Question
from evals.bench.process import Process
from evals.bench.site import Site
from evals.bench.storage import prune_events, stored_bytes

#: Under way at once; as many as are made at once for one owner, unless the settings say otherwise.
_AT_ONCE = 16
_IDLE_S = 5.0


class Run(NamedTuple):
    """One kind of response, and what the background may add to it."""

    name: str
    question: Question
    stored_kb: float

    async def ask(self, port: int, count: int) -> None:
        await Load(port, RESPONSES).ask(self.question, _AT_ONCE, count // _AT_ONCE)

    async def ask_later(self, port: int, count: int) -> None:
        """One that is not streamed is read once when it has ended, so that its output was told here, too."""
        if self.question.stream:
            question = replace(self.question, more={**self.question.more, "background": True})
            await Load(port, RESPONSES).ask(question, _AT_ONCE, count // _AT_ONCE)
            return
        caller = Caller(port, _AT_ONCE)
        await caller.until_ended(await caller.queue(self.question, count))
        caller.close()


def runs(site: Site) -> list[Run]:
    return [
        Run("short turn", Question("say-50"), 32),
        Run("three tool steps", Question("tool-3", more={"tools": [site.tool]}), 80),
        Run("followed, 200 tokens", Question("say-200", stream=True), 96),
    ]


async def overheads(site: Site, server: Process, effort: Effort, store: str) -> list[Bar]:
    """The server's CPU only: PostgreSQL has its own."""
    found = runs(site)
    for run in found:  # past every lazy import, and the start of the engine
        await run.ask(server.port, 2 * _AT_ONCE)
        await run.ask_later(server.port, 2 * _AT_ONCE)
    return [*[await _overhead(server, run, effort, store) for run in found], await _idle(server, store)]


async def _overhead(server: Process, run: Run, effort: Effort, store: str) -> Bar:
    """Rounds are interleaved, as everywhere."""
    costs: list[list[float]] = [[], []]
    ways = (run.ask, run.ask_later)
    for turn in range(effort.rounds):
        for way in (0, 1) if turn % 2 else (1, 0):
            costs[way].append(await _cpu_ms(server, ways[way], effort.requests // 2))
    more = median(late - early for early, late in zip(*costs, strict=True))
    detail = f"{median(costs[0]):.1f} → {median(costs[1]):.1f} ms"
    return Bar(f"CPU of the background, {store}, {run.name}", more, 15, "ms more", detail)


async def _cpu_ms(server: Process, ask: Callable[[int, int], Awaitable[None]], count: int) -> float:
    before = server.cpu_s()
    await ask(server.port, count)
    return (server.cpu_s() - before) / count * 1000


async def _idle(server: Process, store: str) -> Bar:
    """What looking for work costs when there is none."""
    await asyncio.sleep(_IDLE_S)
    before = server.cpu_s()
    await asyncio.sleep(_IDLE_S)
    return Bar(f"CPU of an idle server, {store}", (server.cpu_s() - before) / _IDLE_S * 1000, 20, "ms a second")


async def stored(site: Site, run: Run, count: int) -> Bar:
    """What is on disk of a background run, of the same in the foreground, and when its events have gone."""
    name = f"stored {run.name}"
    database = site.database(name)
    sizes: list[int] = []
    with site.server(name) as server:
        for ask in (run.ask, run.ask, run.ask_later):  # the first makes pages that all others share
            await ask(server.port, count)
            sizes.append(stored_bytes(database))
    prune_events(database.parent)
    sizes.append(stored_bytes(database))
    plain, later, pruned = ((now - before) / count / 1024 for before, now in pairwise(sizes))
    detail = f"{plain:.1f} KB in the foreground, {later + pruned:.1f} KB without its events"
    return Bar(f"stored bytes of a background run, {run.name}", later, run.stored_kb, "KB", detail)
