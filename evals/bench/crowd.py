"""Many background responses at once, and many who follow them."""

import asyncio
import time
from collections.abc import Sequence

from evals.bench.background import Caller, Follower, most_at_once
from evals.bench.bars import Bar
from evals.bench.client import Question
from evals.bench.process import Process
from evals.bench.site import Site

#: Makes a server take on whatever is queued.
WIDE = ("--background-runs", "1000", "--background-runs-per-owner", "1000")
_CALLERS = 32


async def crowd(site: Site, server: Process, count: int, question: Question, how: str) -> list[Bar]:
    """All of them complete, or it raises."""
    question.more["tools"] = [site.tool]
    caller = Caller(server.port, _CALLERS)
    await caller.until_ended(await caller.queue(question, _CALLERS))
    await most_at_once(site.model.port)
    before, cpu_s, began = server.memory_kb(), server.cpu_s(), time.perf_counter()
    ids = await caller.queue(question, count)
    queued_s = time.perf_counter() - began
    await caller.until_ended(ids, 0.5)
    took_s, cpu_s = time.perf_counter() - began, server.cpu_s() - cpu_s
    caller.close()
    most = await most_at_once(site.model.port)
    detail = f"{count} completed in {took_s:.1f} s, queued in {queued_s:.1f} s, {most} asked the model at once"
    left = f"{(server.memory_kb() - before) / 1024:.0f} MB more afterwards than before"
    return [
        Bar(f"CPU of a run of three tool steps, {how}", cpu_s / count * 1000, 60, "ms", detail),
        Bar(f"most memory, {how}", server.peak_kb() / 1024, 512, "MB", left),
    ]


async def followers(server: Process, count: int) -> list[Bar]:
    """What a run in the background holds while its model says little, and what a stream that follows it does."""
    caller = Caller(server.port, _CALLERS)
    await _followed(server, await caller.queue(Question("say-4-d100"), count))
    await asyncio.sleep(2)
    before = server.memory_kb()
    ids = await caller.queue(Question("say-40-d500"), count)
    await caller.until_begun(ids)
    caller.close()
    made = server.memory_kb()
    reading = asyncio.create_task(_followed(server, ids))
    await asyncio.sleep(4)
    held = server.memory_kb()
    await reading
    return [
        Bar("memory of a background run", (made - before) / count, 400, "KB", f"{count} runs"),
        Bar("memory of a stream that follows one", (held - made) / count, 150, "KB", f"{count} streams, to the end"),
    ]


async def _followed(server: Process, ids: Sequence[str]) -> None:
    readers = [Follower(server.port) for _ in ids]
    await asyncio.gather(*(reader.follow(id) for reader, id in zip(readers, ids, strict=True)))
    for reader in readers:
        reader.close()
