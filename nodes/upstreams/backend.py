"""An upstream in use: its connections, what it lists, how busy it is."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from graph.errors import Json
from nodes.upstreams.again import NotNow
from nodes.upstreams.upstream import Patience, Upstream

if TYPE_CHECKING:
    import openai

    from nodes.upstreams.adapter import ChatModel

logger = logging.getLogger(__name__)

#: Names that are kept with what was learned of them; callers can make up any number.
_LIMIT_MODELS = 512
#: How often a list is asked for again because of a name that is not in it.
_RELIST_S = 5.0


class Backend:
    """Imports the model libraries, which takes a second, when it is first used; off the loop."""

    def __init__(self, upstream: Upstream, patience: Patience) -> None:
        self.upstream = upstream
        self._patience = patience
        self._client: openai.AsyncOpenAI | None = None
        self._opening = asyncio.Lock()
        self._models: OrderedDict[str, ChatModel] = OrderedDict()
        self._outstanding = 0
        self._shunned_until = 0.0
        #: What it lists, by name; None while it could not be asked.
        self.listed: dict[str, Json] | None = None
        self._listed_at = float("-inf")
        self._listing = asyncio.Lock()
        if upstream.models:
            self.listed = {name: {"id": name} for name in upstream.models}

    # ------------------------------------------------------------ asking it

    async def model(self, name: str) -> "ChatModel":
        if name in self._models:
            self._models.move_to_end(name)
            return self._models[name]
        client = await self.client()
        from nodes.upstreams.adapter import ChatModel

        made = await asyncio.to_thread(ChatModel, client, self.upstream, name, self._patience)
        model = self._models.setdefault(name, made)
        if len(self._models) > _LIMIT_MODELS:
            self._models.popitem(last=False)
        return model

    async def client(self) -> "openai.AsyncOpenAI":
        """Its connections, opened at the first use."""
        async with self._opening:
            if self._client is None:
                self._client = await asyncio.to_thread(self._open)
            return self._client

    def _open(self) -> "openai.AsyncOpenAI":
        from nodes.upstreams.adapter import open_client

        return open_client(self.upstream, self._patience)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    # ------------------------------------------------------------ how busy it is

    @contextmanager
    def busy(self) -> Generator[None]:
        self._outstanding += 1
        try:
            yield
        finally:
            self._outstanding -= 1

    def burden(self) -> tuple[bool, int]:
        """For sorting: servers that were not there just now come last, then the busier ones."""
        return time.monotonic() < self._shunned_until, self._outstanding

    def shun(self, error: NotNow) -> None:
        """Pass it over for a moment."""
        self._shunned_until = time.monotonic() + self._patience.broken_s
        if error.unreachable:
            logger.info("A model server cannot be reached", extra={"upstream": self.upstream.name})

    # ------------------------------------------------------------ what it has

    def has(self, name: str) -> bool:
        return name in (self.listed or ())

    def may_have(self, name: str) -> bool:
        """Whether only asking it can tell."""
        return self.listed is None or name in self.listed

    def context_tokens(self, name: str) -> int | None:
        """The context length where the list tells it: vLLM, OpenRouter, llama.cpp."""
        entry = (self.listed or {}).get(name) or {}
        meta = cast(Json, entry.get("meta") or {})
        found = entry.get("max_model_len") or entry.get("context_length") or meta.get("n_ctx")
        return found if isinstance(found, int) else None

    @property
    def is_unasked(self) -> bool:
        return not self.upstream.models and self._listed_at == float("-inf")

    @property
    def list_is_old(self) -> bool:
        return not self.upstream.models and time.monotonic() - self._listed_at > self._patience.list_ttl_s

    async def list_models(self, *, for_unknown: bool = False) -> None:
        """Bring `listed` up to date; keeps the last list when the server cannot be asked."""
        if self.upstream.models:
            return
        async with self._listing:
            soon = for_unknown or self.listed is None
            if time.monotonic() - self._listed_at < (_RELIST_S if soon else self._patience.list_ttl_s):
                return
            fetched = await self._fetch()
            self._listed_at = time.monotonic()
            self.listed = self.listed if fetched is None else fetched

    async def _fetch(self) -> dict[str, Json] | None:
        client = await self.client()
        from nodes.upstreams.chat_model import get_json

        found = await get_json(client, "/models", self._patience.list_timeout_s)
        entries: Any = cast(Json, found).get("data") if isinstance(found, dict) else None
        if not isinstance(entries, list):
            logger.debug("A model server did not list its models", extra={"upstream": self.upstream.name})
            return None
        dicts = [cast(Json, entry) for entry in cast(list[Any], entries) if isinstance(entry, dict)]
        return {entry["id"]: entry for entry in dicts if isinstance(entry.get("id"), str)}
