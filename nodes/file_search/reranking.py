"""A search whose passages a model puts in their order: it reads question and passage together."""

import logging
import math
from collections.abc import Sequence

from graph.errors import UpstreamError
from graph.vector_stores import Passage, Scope
from nodes.file_search.fusion import Ranking
from nodes.file_search.port import Embedder, Index, Neighbours, Reranker
from nodes.file_search.search import Search

logger = logging.getLogger(__name__)

#: Passages that are put in order, at least.
_POOL = 30


class Reranked(Search):
    def __init__(
        self,
        index: Index,
        embedder: Embedder | None,
        neighbours: Neighbours | None,
        exact_windows: int,
        reranker: Reranker,
    ) -> None:
        super().__init__(index, embedder, neighbours, exact_windows)
        self._reranker = reranker

    async def find(self, scope: Scope, queries: Sequence[str], ranking: Ranking, limit: int) -> Sequence[Passage]:
        """As `Search.find`; scores are the model's, unless it cannot be asked or is not wanted."""
        if not ranking.rerank:
            return await super().find(scope, queries, ranking, limit)
        pool = await super().find(scope, queries, ranking._replace(threshold=0.0), max(limit, _POOL))
        ordered = sorted(await self._scored(queries, pool), key=lambda passage: -passage.score)
        return [passage for passage in ordered if passage.score >= ranking.threshold][:limit]

    async def _scored(self, queries: Sequence[str], pool: Sequence[Passage]) -> Sequence[Passage]:
        texts = [passage.text for passage in pool]
        try:
            scores = [await self._reranker.scores(query, texts) for query in queries] if texts else []
        except UpstreamError as error:
            logger.warning("What was found is not put in order", extra={"why": error.message})
            return pool
        best = [max(each) for each in zip(*scores, strict=True)]
        return [passage._replace(score=score) for passage, score in zip(pool, _between(best), strict=True)]


def _between(scores: Sequence[float]) -> Sequence[float]:
    """Between 0 and 1: some models give logits."""
    if all(0 <= score <= 1 for score in scores):
        return scores
    return [1 / (1 + math.exp(-max(-50.0, min(50.0, score)))) for score in scores]
