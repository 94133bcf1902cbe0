"""The bars: what is measured, and what it may come to."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple

from evals.bench.client import CHAT, RESPONSES, Load, Question
from evals.bench.process import Process


class Bar(NamedTuple):
    """One figure, and the most it may be."""

    name: str
    value: float
    limit: float
    unit: str
    detail: str = ""

    @property
    def holds(self) -> bool:
        return self.value <= self.limit


@dataclass(frozen=True, slots=True)
class Effort:
    """How long is measured."""

    rounds: int = 7
    #: CPU of one server in one round is that of about this many requests.
    requests: int = 192
    turns: int = 1000
    idle_streams: int = 128
    #: Background responses at once, and streams that follow them.
    crowd: int = 1000
    followers: int = 256
    #: Windows that are searched, and vector stores that there are.
    windows: int = 10_000
    stores: int = 500


QUICK = Effort(rounds=3, requests=64, turns=200, idle_streams=64, crowd=100, followers=64, windows=2000, stores=50)


@dataclass(slots=True)
class Servers:
    """What is compared, all running at once."""

    ours: Process
    floors: dict[str, Process] = field(default_factory=dict[str, Process])


class Cost(NamedTuple):
    cpu_ms: float
    p50_ms: float


class Case(NamedTuple):
    """One way to load a server."""

    name: str
    question: Question
    at_once: int
    limit: float


CASES = (
    Case("streamed, 200 tokens, one at a time", Question("say-200", stream=True), 1, 1.5),
    Case("streamed, 200 tokens, 32 at once", Question("say-200", stream=True), 32, 1.5),
    Case("streamed, a packet a token, 16 at once", Question("say-200-d10", stream=True), 16, 1.0),
    Case("not streamed, 50 tokens, one at a time", Question("say-50"), 1, 2.0),
    Case("not streamed, 50 tokens, 32 at once", Question("say-50"), 32, 2.0),
)


async def cost(process: Process, load: Load, case: Case, requests: int) -> Cost:
    """CPU a request."""
    times = 3 if "-d" in case.question.model else max(1, requests // case.at_once)
    before = process.cpu_s()
    took = await load.ask(case.question, case.at_once, times)
    return Cost((process.cpu_s() - before) / len(took) * 1000, median(took))


async def ratios(servers: Servers, effort: Effort, say: Callable[[str], None]) -> list[Bar]:
    """Every case against the floor. Rounds are interleaved, and ratios taken within a round, so that drift hits all."""
    await warm_up(servers)
    return [await _ratio(servers, case, effort, say) for case in CASES]


async def warm_up(servers: Servers) -> None:
    """Past every lazy import, and with connections open."""
    for question in (Question("say-20"), Question("say-20", stream=True)):
        await Load(servers.ours.port, RESPONSES).ask(question, 4, 10)
        for floor in servers.floors.values():
            await Load(floor.port, CHAT).ask(question, 4, 10)


async def _ratio(servers: Servers, case: Case, effort: Effort, say: Callable[[str], None]) -> Bar:
    say(case.name)
    found: dict[str, list[Cost]] = {"ours": []}
    for turn in range(effort.rounds):
        asks = [("ours", servers.ours, RESPONSES), *((name, floor, CHAT) for name, floor in servers.floors.items())]
        for name, process, api in asks[turn % len(asks) :] + asks[: turn % len(asks)]:
            one = await cost(process, Load(process.port, api), case, effort.requests)
            found.setdefault(name, []).append(one)
    ratio = median(ours.cpu_ms / floor.cpu_ms for ours, floor in zip(found["ours"], found["httpx"], strict=True))
    told = [f"{name} {median(c.cpu_ms for c in costs):.2f} ms" for name, costs in found.items()]
    latency = median(one.p50_ms for one in found["ours"])
    return Bar(f"CPU, {case.name}", ratio, case.limit, "× httpx", f"{', '.join(told)}; p50 {latency:.1f} ms")


async def memory(ours: Process, effort: Effort) -> Bar:
    """What an open stream holds while its model says little."""
    load = Load(ours.port, RESPONSES)
    await load.ask(Question("say-4-d500", stream=True), effort.idle_streams, 1)
    before = ours.memory_kb()
    slow = asyncio.create_task(load.ask(Question("say-4-d2000", stream=True), effort.idle_streams, 1))
    await asyncio.sleep(5)
    held = ours.memory_kb() - before
    await slow
    return Bar("memory of an open idle stream", held / effort.idle_streams, 150, "KB", f"{effort.idle_streams} streams")


def starts(empty: Process, again: Sequence[Process]) -> list[Bar]:
    """How soon `/health` answers; the best of several, because a busy machine only ever adds."""
    best = min(again, key=lambda one: one.ready_s)
    return [
        Bar(f"start to /health, {name}", one.ready_s, 2, "s", f"{one.ready_cpu_s:.2f} s CPU")
        for name, one in (("new data directory", empty), ("known data directory", best))
    ]
