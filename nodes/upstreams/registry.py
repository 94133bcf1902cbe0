"""Which model is where: the union of what all upstreams have, and the built-in model."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from graph.errors import Json, RequestError
from graph.ids import now
from graph.ports import Model
from nodes.upstreams.backend import Backend
from nodes.upstreams.balance import Balanced
from nodes.upstreams.demo import NAME as DEMO
from nodes.upstreams.demo import Demo
from nodes.upstreams.discovery import OWNER
from nodes.upstreams.upstream import Patience, Upstream

#: How often servers are looked for again while none is known.
_REDISCOVER_S = 10.0


class Registry:
    """Fits `Models`. Without `upstreams` those that `discover` finds are used, and the model `demo` is always there."""

    def __init__(
        self,
        upstreams: Sequence[Upstream] = (),
        *,
        discover: Callable[[], Awaitable[Sequence[Upstream]]] | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._patience = patience or Patience()
        self._discover = discover
        self._backends = [Backend(upstream, self._patience) for upstream in upstreams]
        self._discovered_at = float("-inf")
        self._discovering = asyncio.Lock()
        self._demo = Demo()
        self._started = now()
        self._warming: asyncio.Task[None] | None = None

    def warm(self) -> None:
        """Begin, in the background, what the first request would wait for: imports, discovery, lists of models."""
        if self._warming is None or self._warming.done():
            self._warming = asyncio.get_running_loop().create_task(self._lists())

    async def upstreams(self) -> list[Upstream]:
        """Those in use."""
        return [backend.upstream for backend in await self._known()]

    async def find(self, name: str) -> Model:
        """See `Models`. What a single upstream does not list is asked of it all the same: it may know better."""
        if name == DEMO and not self._backends:
            return self._demo
        backends = [one for one in await self._known() if one.upstream.kind == "chat"]
        if len(backends) == 1 and not backends[0].upstream.models and name != DEMO:
            return Balanced(name, backends)
        if having := await self._having(name, backends):
            return Balanced(name, having)
        if name == DEMO:
            return self._demo
        raise RequestError(f"The model '{name}' does not exist.{self._hint()}", param="model", code="model_not_found")

    async def serving(self, name: str) -> Backend | None:
        """A server that has the model, whatever it is for; the least busy of several."""
        backends = await self._known()
        having = await self._having(name, backends) or (backends if len(backends) == 1 else [])
        return min(having, key=Backend.burden, default=None)

    async def listed(self) -> list[Json]:
        """See `Models`. `demo` is named only when there is nothing else."""
        await self._lists()
        found: dict[str, Json] = {}
        for backend in self._backends:
            for name, entry in (backend.listed or {}).items():
                found.setdefault(name, self._entry(name, entry, backend.upstream.name))
        return list(found.values()) or [self._entry(DEMO, {}, OWNER)]

    async def close(self) -> None:
        if self._warming is not None:
            self._warming.cancel()
            await asyncio.wait([self._warming])
        for backend in self._backends:
            await backend.close()

    async def _having(self, name: str, backends: Sequence[Backend]) -> list[Backend]:
        """Those that list `name`, old lists being renewed in the background; else those that could not be asked."""
        if any(one.list_is_old for one in backends):
            self.warm()
        if not any(one.has(name) for one in backends) or any(one.is_unasked for one in backends):
            await _list_all(backends, for_unknown=True)
        having = [one for one in backends if one.has(name)]
        return having or [one for one in backends if name != DEMO and one.may_have(name)]

    async def _known(self) -> list[Backend]:
        """The upstreams, after looking for some when there are none."""
        if self._backends or self._discover is None:
            return self._backends
        async with self._discovering:
            loop = asyncio.get_running_loop()
            if not self._backends and loop.time() - self._discovered_at > _REDISCOVER_S:
                self._backends = [Backend(one, self._patience) for one in await self._discover()]
                self._discovered_at = loop.time()
        return self._backends

    async def _lists(self) -> None:
        await _list_all(await self._known(), for_unknown=False)

    def _entry(self, name: str, entry: Json, owner: str) -> Json:
        created = entry.get("created")
        return {
            "id": name,
            "object": "model",
            "created": created if isinstance(created, int) else self._started,
            "owned_by": entry.get("owned_by") or owner,
        }

    def _hint(self) -> str:
        if self._backends:
            return ""
        return " No model server is configured or found; the built-in model is called 'demo'."


async def _list_all(backends: Sequence[Backend], *, for_unknown: bool) -> None:
    await asyncio.gather(*(backend.list_models(for_unknown=for_unknown) for backend in backends))
