"""Vectors of texts by a model server's `/v1/embeddings`: fits `nodes.file_search.port.Embedder`."""

import asyncio
from collections.abc import Collection, Sequence

import openai

from graph.errors import UpstreamError
from nodes.upstreams.registry import Registry

#: Texts of one request.
_TEXTS = 64
_TIMEOUT_S = 60.0


class UpstreamEmbedder:
    def __init__(self, registry: Registry, model: str, languages: Collection[str] = ()) -> None:
        """`languages`: those the model knows; empty: all."""
        self._registry = registry
        self._model = model
        self._languages = frozenset(languages)

    @property
    def space(self) -> str:
        return self._model

    @property
    def languages(self) -> Collection[str] | None:
        return self._languages or None

    async def embed(self, texts: Sequence[str], *, query: bool = False) -> list[bytes]:
        """See `port.Embedder`."""
        made = list[bytes]()
        for at in range(0, len(texts), _TEXTS):
            made += await self._made(list(texts[at : at + _TEXTS]))
        return made

    async def _made(self, texts: list[str]) -> list[bytes]:
        backend = await self._registry.serving(self._model)
        if backend is None:
            raise UpstreamError(f"No model server has the embedding model '{self._model}'.")
        client = await backend.client()
        try:
            with backend.busy():
                answer = await client.embeddings.create(model=self._model, input=texts, timeout=_TIMEOUT_S)
            found = [one.embedding for one in sorted(answer.data, key=lambda one: one.index)]
        except (openai.OpenAIError, AttributeError, TypeError, ValueError) as error:
            raise UpstreamError(f"The model server {backend.upstream.name} gave no vectors: {_why(error)}") from error
        if len(found) != len(texts):
            raise UpstreamError(f"The model server {backend.upstream.name} gave {len(found)} vectors of {len(texts)}.")
        return await asyncio.to_thread(normalised, found)


def normalised(vectors: Sequence[Sequence[float]]) -> list[bytes]:
    """Of length 1, as 32-bit floats, little-endian. Raises `UpstreamError` for what are no vectors."""
    import numpy as np

    try:
        found = np.asarray(vectors, dtype="<f4")
    except (TypeError, ValueError) as error:
        raise UpstreamError("The model server gave vectors of several lengths.") from error
    if found.ndim != 2 or not found.shape[1] or not np.isfinite(found).all():
        raise UpstreamError("The model server gave what are no vectors.")
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return [vector.tobytes() for vector in found / np.where(lengths == 0, 1, lengths)]


def _why(error: Exception) -> str:
    if isinstance(error, openai.APIStatusError):
        return f"it answered with HTTP status {error.status_code}."
    return "it cannot be reached." if isinstance(error, openai.APIConnectionError) else "its answer makes no sense."
