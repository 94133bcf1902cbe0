"""Vector stores and their search are put together here, of settings and of what the house has."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass

from checkpoints import Store
from checkpoints.ingestion import Ingestions
from checkpoints.renewals import Renewals
from checkpoints.vector_files import VectorFiles
from checkpoints.vector_stores import VectorStores
from checkpoints.windows import Windows
from graph.errors import StoreUnavailable
from graph.files import Files
from nodes.documents.parser import Parser
from nodes.file_search.chroma.draining import Draining
from nodes.file_search.ingestion import Ingestion
from nodes.file_search.local import LocalEmbedder
from nodes.file_search.making import Bounds, Maker
from nodes.file_search.model import NoModel, model_in
from nodes.file_search.port import Embedder, Index, Neighbours
from nodes.file_search.renewing import Renewing
from nodes.file_search.reranking import Reranked
from nodes.file_search.search import Search
from nodes.upstreams.embeddings import UpstreamEmbedder
from nodes.upstreams.registry import Registry
from nodes.upstreams.rerank import UpstreamReranker
from server.beside import beside
from server.settings import BadSetting, Settings

_LOCAL = "local"
#: What is removed within this time is swept together.
_GATHER_S = 1.0


@dataclass(frozen=True, slots=True)
class Searching:
    stores: VectorStores
    files: VectorFiles
    windows: Windows
    search: Search
    ingestion: Ingestion
    embedder: Embedder | None
    draining: Draining | None
    _stale: asyncio.Event

    @asynccontextmanager
    async def keeping(self) -> AsyncGenerator[None]:
        """Make files searchable meanwhile."""
        sweeping = asyncio.create_task(self._sweep())
        try:
            async with self.ingestion.keeping(), self.draining.keeping() if self.draining else nullcontext():
                yield
        finally:
            sweeping.cancel()
            await asyncio.wait([sweeping])
            if isinstance(self.embedder, LocalEmbedder):
                await self.embedder.close()

    def sweep_soon(self) -> None:
        """Something was removed: searches find it no more, and what is indexed of it may go."""
        self._stale.set()

    async def _sweep(self) -> None:
        while await self._stale.wait():
            await asyncio.sleep(_GATHER_S)
            self._stale.clear()
            with suppress(StoreUnavailable):
                await self.windows.sweep()

    async def tidy(self) -> int:
        """Forget what is indexed of files that have gone."""
        return await self.windows.sweep()


def searching(settings: Settings, store: Store, files: Files, parser: Parser, models: Registry) -> Searching:
    """Nothing is started yet. Raises `BadSetting`."""
    embedder, windows = _embedder(settings, models), Windows(store.database)
    bounds = Bounds(files=settings.file_search_files, chars=settings.file_search_file_chars)
    jobs = Ingestions(store.database, store.feed, store.workers.id)
    stale = asyncio.Event()
    stale.set()  # by processes that died
    renewing = Renewing(Renewals(store.database, store.workers.id), embedder) if embedder else None
    neighbours, draining = beside(settings, store, windows) if embedder else (None, None)
    return Searching(
        stores=VectorStores(store.database),
        files=VectorFiles(store.database, store.feed),
        windows=windows,
        search=_search(settings, models, windows, embedder, neighbours),
        ingestion=Ingestion(Maker(jobs, windows, files, parser, embedder, bounds), renewing, stale.set),
        embedder=embedder,
        draining=draining,
        _stale=stale,
    )


def _search(
    settings: Settings, models: Registry, index: Index, embedder: Embedder | None, neighbours: Neighbours | None
) -> Search:
    exact = settings.file_search_exact_windows
    if model := settings.file_search_rerank:
        return Reranked(index, embedder, neighbours, exact, UpstreamReranker(models, model))
    return Search(index, embedder, neighbours, exact)


def _embedder(settings: Settings, models: Registry) -> Embedder | None:
    name, languages = settings.file_search_embedding, settings.file_search_embedding_languages
    if not name:
        return None
    if name != _LOCAL:
        return UpstreamEmbedder(models, name, languages)
    try:
        return LocalEmbedder(model_in(settings.directory), languages)
    except NoModel as error:
        raise BadSetting(f"file_search_embedding: {error}") from error
