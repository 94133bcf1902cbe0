"""Vectors nearest to one, found by Chroma and held against the database: fits `nodes.file_search.port.Neighbours`."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence

from graph.vector_stores import Scope
from nodes.file_search.chroma.client import Chroma, ChromaFailed, Gone
from nodes.file_search.chroma.naming import Naming
from nodes.file_search.port import Index, Moves

logger = logging.getLogger(__name__)

#: Editions that Chroma can be told to keep to, which takes it long.
_EDITIONS = 300
#: How much more it is asked for when too few of its answers may be shown.
_MORE, _MOST = 4, 5000
#: Seconds after which looking at every vector is faster.
_PATIENCE_S = 3.0

Known = Mapping[int, Sequence[int]]


class ChromaNeighbours:
    def __init__(self, chroma: Chroma, naming: Naming, moves: Moves, index: Index) -> None:
        self._chroma = chroma
        self._naming = naming
        self._moves = moves
        self._index = index

    async def nearest(self, scope: Scope, space: str, vector: bytes, limit: int) -> Sequence[tuple[int, float]] | None:
        known: dict[int, list[int]] = defaultdict(list)
        waits = list[int]()
        for store, edition, waiting in await self._moves.held(scope, space):
            (waits if waiting else known[store]).append(edition)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                found = await self._shown(scope, space, vector, limit, {store: e for store, e in known.items() if e})
        except (ChromaFailed, TimeoutError) as failed:
            why = str(failed) or "It did not answer in time."
            logger.warning("Chroma could not be asked: every vector is looked at", extra={"why": why})
            return None
        if found is None:
            return None
        if waits:
            found |= dict(await self._index.nearest(scope, space, vector, limit, waits))
        return sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]

    async def _shown(
        self, scope: Scope, space: str, vector: bytes, limit: int, known: Known
    ) -> dict[int, float] | None:
        """Of editions that Chroma has; None when it does not find enough of those that may be shown."""
        editions = {edition for some in known.values() for edition in some}
        asked = limit * _MORE if scope.filters else limit
        while True:
            keep = asked > _MOST
            answers = await asyncio.gather(
                *(
                    self._of(store, space, vector, limit if keep else asked, some if keep else None)
                    for store, some in known.items()
                )
            )
            if any(answer is None for answer in answers):
                return None
            found = {
                window: cosine for answer in answers for edition, window, cosine in answer or () if edition in editions
            }
            if keep or len(found) >= limit or all(len(answer or ()) < asked for answer in answers):
                return await self._there(scope, found, limit)
            asked *= _MORE

    async def _there(self, scope: Scope, found: Mapping[int, float], limit: int) -> dict[int, float]:
        """The best of them, less those that went meanwhile."""
        best = sorted(found, key=lambda window: -found[window])[:limit]
        return {place.window: found[place.window] for place in await self._index.places(scope, sorted(best))}

    async def _of(
        self, store: int, space: str, vector: bytes, limit: int, editions: Sequence[int] | None
    ) -> list[tuple[int, int, float]] | None:
        """None when Chroma cannot keep to so many editions, or has lost the store: it is told all of it anew."""
        if editions is not None and len(editions) > _EDITIONS:
            return None
        try:
            return await self._chroma.nearest(await self._naming.name(store, space), vector, limit, editions)
        except Gone:
            await self._moves.anew(store)
            return None
