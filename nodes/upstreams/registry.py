"""Which model is where."""

import asyncio
from collections.abc import Sequence
from typing import Any

from graph.errors import Json, RequestError
from graph.ids import now
from graph.ports import Model
from nodes.upstreams.upstream import Patience, Upstream


class Registry:
    """Fits `Models`. First slice: one upstream, any name."""

    def __init__(self, upstreams: Sequence[Upstream] = (), *, patience: Patience | None = None) -> None:
        self._upstreams = list(upstreams)
        self._patience = patience or Patience()
        self._client: Any = None
        self._models: dict[str, Model] = {}

    async def find(self, name: str) -> Model:
        if not self._upstreams:
            raise RequestError(f"The model '{name}' does not exist.", param="model", code="model_not_found")
        if name not in self._models:
            self._models[name] = await asyncio.to_thread(self._make, name)
        return self._models[name]

    def _make(self, name: str) -> Model:
        from nodes.upstreams import adapter, chat_model

        upstream = self._upstreams[0]
        if self._client is None:
            self._client = chat_model.open_client(upstream, self._patience)
        return adapter.ChatModel(chat_model.chat_model(self._client, upstream, name), upstream, self._patience)

    async def listed(self) -> list[Json]:
        return [{"id": m, "object": "model", "created": now(), "owned_by": "upstream"} for m in self._models]

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
