"""Several engines in order: the first that answers; one that fails again and again is left alone for a while."""

import asyncio
import time
from collections.abc import Callable, Sequence

from graph.errors import ToolFailed
from nodes.web_search.engines.port import Asked, Engine, EngineFailed, Hit

#: Failures in a row after which an engine is not asked, and for how long.
_FAILURES, _PAUSE_S = 3, 30.0


class Several:
    def __init__(
        self, engines: Sequence[Engine], timeout_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engines = engines
        self._timeout_s = timeout_s
        self._clock = clock
        self._failures: dict[str, int] = {}
        self._paused: dict[str, float] = {}

    async def search(self, asked: Asked) -> list[Hit]:
        """Hits of the domains asked for. Raises `ToolFailed` when no engine answers."""
        reasons = list[str]()
        for engine in self._engines:
            if self._paused.get(engine.name, 0.0) > self._clock():
                reasons.append(f"{engine.name} is left alone for a while, for it has failed several times.")
                continue
            try:
                hits = await self._asked(engine, asked)
                return [hit for hit in hits if asked.domains.let(hit.url)][: asked.limit]
            except EngineFailed as failed:
                reasons.append(f"{engine.name} {failed.reason}")
        raise ToolFailed(f"No search engine answers: {' '.join(reasons)} Nothing is known of what the web says.")

    async def _asked(self, engine: Engine, asked: Asked) -> list[Hit]:
        try:
            async with asyncio.timeout(self._timeout_s):
                hits = await engine.search(asked)
        except TimeoutError:
            self._failed(engine.name)
            raise EngineFailed(f"did not answer within {self._timeout_s:g} s.") from None
        except EngineFailed:
            self._failed(engine.name)
            raise
        self._failures[engine.name] = 0
        return hits

    def _failed(self, name: str) -> None:
        self._failures[name] = self._failures.get(name, 0) + 1
        if self._failures[name] >= _FAILURES:
            self._paused[name] = self._clock() + _PAUSE_S
