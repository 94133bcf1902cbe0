"""Vectors nearest to one, found by Chroma and held against the database: fits `nodes.file_search.port.Neighbours`."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence

from graph.vector_stores import Scope
from nodes.file_search.chroma.client import Chroma, ChromaFailed, Gone
from nodes.file_search.chroma.naming import Naming, numbers
from nodes.file_search.port import Index, Moves

logger = logging.getLogger(__name__)

#: Editions that Chroma is told to keep to; with more, what it finds is looked through here.
_EDITIONS = 300
#: How much more it is asked for each time that too few of its answers may be shown.
_MORE, _MOST = 4, 5000


class ChromaNeighbours:
    def __init__(self, chroma: Chroma, naming: Naming, moves: Moves, index: Index) -> None:
        self._chroma = chroma
        self._naming = naming
        self._moves = moves
        self._index = index

    async def nearest(self, scope: Scope, space: str, vector: bytes, limit: int) -> Sequence[tuple[int, float]] | None:
        held = await self._moves.held(scope, space)
        known: dict[int, list[int]] = defaultdict(list)
        for store, edition, waiting in held:
            if not waiting:
                known[store].append(edition)
        waits = [one.edition for one in held if one.waiting]
        try:
            found = await self._known(scope, space, vector, limit, known)
        except ChromaFailed as failed:
            logger.warning("Chroma could not be asked: every vector is looked at", extra={"why": str(failed)})
            return None
        if found is None:
            return None
        if waits:
            found |= dict(await self._index.nearest(scope, space, vector, limit, waits))
        return sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]

    async def _known(
        self, scope: Scope, space: str, vector: bytes, limit: int, known: Mapping[int, Sequence[int]]
    ) -> dict[int, float] | None:
        """Of editions that Chroma has; None when it does not find enough of those that may be shown."""
        asked = limit
        while asked <= _MOST:
            answers = await asyncio.gather(*(self._of(store, space, vector, asked, known[store]) for store in known))
            if any(answer is None for answer in answers):
                return None
            found = {window: cosine for answer in answers for window, cosine in answer or ()}
            places = await self._index.places(scope, sorted(found))
            kept = {place.window: found[place.window] for place in places}
            if len(kept) >= limit or all(len(answer or ()) < asked for answer in answers):
                return kept
            asked *= _MORE
        return None

    async def _of(
        self, store: int, space: str, vector: bytes, limit: int, editions: Sequence[int]
    ) -> list[tuple[int, float]] | None:
        """None when Chroma has lost the store: it is told everything anew."""
        try:
            only = editions if len(editions) <= _EDITIONS else None
            return await self._chroma.nearest(await self._naming.name(store, space), numbers(vector), limit, only)
        except Gone:
            await self._moves.anew(store)
            return None
