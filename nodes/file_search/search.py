"""A question → the passages of files that answer it best: by words, by vectors where there are any, and by both."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from graph.errors import UpstreamError
from graph.vector_stores import Passage, Place, Scope
from nodes.file_search.chunks import Chunk, chosen
from nodes.file_search.fusion import Ranking, fused
from nodes.file_search.port import Embedder, Index, Neighbours
from nodes.file_search.words import asked_words, language_of

logger = logging.getLogger(__name__)

#: Windows that words and vectors each may bring.
_CANDIDATES = 300
#: Windows that are looked up.
_BEST = 2 * _CANDIDATES
#: Of a question: more are not looked up.
_WORDS = 100
#: Languages of a scope in which the words of a question are stemmed.
_LANGUAGES = 6


class Search:
    """Another owner's stores hold nothing."""

    def __init__(
        self,
        index: Index,
        embedder: Embedder | None = None,
        neighbours: Neighbours | None = None,
        exact_windows: int = 5000,
    ) -> None:
        """`exact_windows`: so many are looked at one by one, before `neighbours` are asked."""
        self._index = index
        self._embedder = embedder
        self._neighbours = neighbours
        self._exact_windows = exact_windows

    async def find(self, scope: Scope, queries: Sequence[str], ranking: Ranking, limit: int) -> Sequence[Passage]:
        """At most `limit`, the best first. Of several queries the best score of a passage counts."""
        languages = (await self._index.languages(scope))[:_LANGUAGES]
        vectors = await self._vectors(queries, languages, ranking)
        scores, places = await self._looked(scope, queries, vectors, languages, ranking)
        if len(places) < min(len(scores), _BEST):  # a file was made anew meanwhile: its windows are others now
            scores, places = await self._looked(scope, queries, vectors, languages, ranking)
        kept = [chunk for chunk in chosen(places, scores, limit) if chunk.score >= ranking.threshold]
        return await asyncio.gather(*map(self._passage, kept))

    async def _looked(
        self,
        scope: Scope,
        queries: Sequence[str],
        vectors: Sequence[bytes | None],
        languages: Sequence[str],
        ranking: Ranking,
    ) -> tuple[Mapping[int, float], Sequence[Place]]:
        """Scores of windows, and where the best of them are."""
        scores: dict[int, float] = {}
        for query, vector in zip(queries, vectors, strict=True):
            for window, score in (await self._scores(scope, query, vector, languages, ranking)).items():
                scores[window] = max(score, scores.get(window, 0.0))
        best = sorted(scores, key=lambda window: (-scores[window], window))[:_BEST]
        return scores, await self._index.places(scope, best)

    async def _vectors(
        self, queries: Sequence[str], languages: Sequence[str], ranking: Ranking
    ) -> Sequence[bytes | None]:
        """Of those that the embedder can read; when it cannot be asked, of none. What does not tell its language is
        taken to be of the one that most texts are of."""
        nothing: list[bytes | None] = [None] * len(queries)
        known = self._embedder.languages if self._embedder else None
        most = next(iter(languages), "")
        read = [at for at, query in enumerate(queries) if known is None or (language_of(query) or most) in (*known, "")]
        if self._embedder is None or not ranking.weights.embedding or not read:
            return nothing
        try:
            made = await self._embedder.embed([queries[at] for at in read], query=True)
        except UpstreamError as error:
            logger.warning("Files are searched by words alone", extra={"why": error.message})
            return nothing
        for at, vector in zip(read, made, strict=True):
            nothing[at] = vector
        return nothing

    async def _scores(
        self, scope: Scope, query: str, vector: bytes | None, languages: Sequence[str], ranking: Ranking
    ) -> Mapping[int, float]:
        words = list(dict.fromkeys(asked_words(query, languages or [language_of(query)])))[:_WORDS]
        lexical = await self._index.lexical(scope, words)
        if vector is None or self._embedder is None:
            return fused(lexical, None, ranking.weights)
        cosines = dict(await self._nearest(scope, self._embedder.space, vector))
        best = sorted(lexical.scores, key=lambda window: -lexical.scores[window])[:_CANDIDATES]
        missing = [window for window in best if window not in cosines]
        cosines.update(await self._index.cosines(self._embedder.space, vector, missing))
        return fused(lexical, cosines or None, ranking.weights)

    async def _nearest(self, scope: Scope, space: str, vector: bytes) -> Sequence[tuple[int, float]]:
        if self._neighbours and await self._index.count(scope) > self._exact_windows:
            found = await self._neighbours.nearest(scope, space, vector, _CANDIDATES)
            if found is not None:
                return found
        return await self._index.nearest(scope, space, vector, _CANDIDATES)

    async def _passage(self, chunk: Chunk) -> Passage:
        place = chunk.place
        text = await self._index.text(place.edition, chunk.begin, chunk.end)
        named = (place.store_id, place.file_id, place.filename, place.attributes)
        return Passage(*named, chunk.score, text.strip(), chunk.begin, chunk.end)
