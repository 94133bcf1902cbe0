"""How well texts answer a question, by a model server's `/v1/rerank`: fits `nodes.file_search.port.Reranker`.

Source: the interface that Cohere and Jina have, as vLLM and llama.cpp serve it.
"""

from collections.abc import Sequence
from typing import Any, cast

import openai

from graph.errors import Json, UpstreamError
from nodes.upstreams.registry import Registry

_TIMEOUT_S = 30.0


class UpstreamReranker:
    def __init__(self, registry: Registry, model: str) -> None:
        self._registry = registry
        self._model = model

    async def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """See `port.Reranker`."""
        backend = await self._registry.serving(self._model)
        if backend is None:
            raise UpstreamError(f"No model server has the reranking model '{self._model}'.")
        client = await backend.client()
        body = {"model": self._model, "query": query, "documents": list(texts), "top_n": len(texts)}
        try:
            with backend.busy():
                options: Any = {"timeout": _TIMEOUT_S}
                answer = await client.post("/rerank", body=body, cast_to=object, options=options)
            return _scores(answer, len(texts))
        except openai.OpenAIError as error:
            raise UpstreamError(f"The model server {backend.upstream.name} could not rerank.") from error
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise UpstreamError(f"The model server {backend.upstream.name} reranked in a way of its own.") from error


def _scores(answer: object, count: int) -> list[float]:
    found = cast(list[Json], cast(Json, answer)["results"])
    scores = {one["index"]: float(one["relevance_score"]) for one in found}
    return [scores[at] for at in range(count)]
