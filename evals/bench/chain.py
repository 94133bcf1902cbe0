"""One conversation of many turns: what a turn costs when there are a thousand before it."""

from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NamedTuple

import orjson

from evals.bench.bars import Bar
from evals.bench.client import RESPONSES, Connection, Question
from evals.bench.process import Process
from evals.bench.storage import stored_bytes

#: Turns over which a figure is taken.
_WINDOW = 20
_EARLY = 10
_FORKS = 16


class Turn(NamedTuple):
    id: str
    took_ms: float
    cpu_ms: float


class Chain:
    """Asks one server, turn upon turn."""

    def __init__(self, server: Process, database: Path) -> None:
        self._server = server
        self._database = database
        self._connection = Connection(server.port, RESPONSES)
        self.turns: list[Turn] = []

    async def grow(self, turns: int) -> None:
        for number in range(turns):
            previous = self.turns[-1].id if self.turns else None
            self.turns.append(await self.ask(f"Turn {number}: what does the harbour look like today?", previous))

    async def ask(self, text: str, previous: str | None) -> Turn:
        began, cpu_s = perf_counter(), self._server.cpu_s()
        body = await self._connection.ask(Question("say-50", text=text, previous=previous))
        took = (perf_counter() - began) * 1000
        return Turn(orjson.loads(body)["id"], took, (self._server.cpu_s() - cpu_s) * 1000)

    def close(self) -> None:
        self._connection.close()

    def stored(self) -> int:
        return stored_bytes(self._database)

    def cpu_ms(self, turn: int) -> float:
        """CPU of a turn, over those around turn number `turn`."""
        first = max(1, min(turn - _WINDOW // 2, len(self.turns) - _WINDOW))
        return median(one.cpu_ms for one in self.turns[first : first + _WINDOW])


async def growth(server: Process, database: Path, turns: int) -> tuple[Chain, list[Bar]]:
    chain = Chain(server, database)
    before = chain.stored()
    await chain.grow(turns)
    each = (chain.stored() - before) / turns
    early, late = chain.cpu_ms(_EARLY), chain.cpu_ms(turns)
    return chain, [
        Bar(f"CPU, turn {turns}", late / early, 1.3, f"× turn {_EARLY}", f"{early:.2f} → {late:.2f} ms"),
        Bar("stored bytes of a short turn", each / 1024, 3.5, "KB", f"{turns} turns, {each * turns / 1e6:.1f} MB"),
    ]


async def branch(server: Process, database: Path, ids: list[str]) -> list[Bar]:
    """After a restart: the first turn upon a long conversation, and one upon the middle of it."""
    chain = Chain(server, database)
    for _ in range(5):
        await chain.ask("Hello?", None)
    cold = await chain.ask("And now?", ids[-1])
    warm = await chain.ask("And now?", cold.id)
    before = chain.stored()
    forks = [await chain.ask("What if it had rained?", ids[len(ids) // 2]) for _ in range(_FORKS)]
    grown = (chain.stored() - before) / _FORKS
    chain.close()
    rebuilt = max(0.0, cold.took_ms - warm.took_ms)
    further = median(fork.took_ms for fork in forks[1:])
    return [
        Bar(
            f"cold rebuild of {len(ids)} turns", rebuilt, 50, "ms", f"{cold.took_ms:.1f} ms, {warm.took_ms:.1f} ms warm"
        ),
        Bar(f"fork at turn {len(ids) // 2}", forks[0].took_ms, 100, "ms", f"{further:.1f} ms for further ones"),
        Bar("stored bytes of a fork", grown / 1024, 8, "KB"),
    ]
