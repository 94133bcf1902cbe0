"""Puts a language's passages into a vector store of a running server, and asks for them."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from openai import AsyncOpenAI

from evals.retrieval.figures import Rank
from evals.retrieval.texts import Passage

_AT_ONCE = 4
_LIMIT_S = 300


class Way(NamedTuple):
    """How much vectors count in a search, and how much words."""

    embedding: float
    text: float


WAYS = {"lexical": Way(0, 1), "embeddings": Way(1, 0), "hybrid": Way(0.5, 0.5)}


class Shelf:
    """A vector store with a file for each passage."""

    def __init__(self, client: AsyncOpenAI, store_id: str, files: dict[str, str]) -> None:
        """`files`: file id → passage."""
        self._client = client
        self._store_id = store_id
        self._files = files

    async def ranks(self, way: Way, asked: Sequence[tuple[str, str]]) -> list[Rank]:
        """Of pairs of a passage's id and a question, where the passage stood."""
        turns = asyncio.Semaphore(_AT_ONCE)

        async def one(passage: str, question: str) -> Rank:
            async with turns:
                found = await self.found(way, question)
            return found.index(passage) + 1 if passage in found else None

        return await asyncio.gather(*(one(passage, question) for passage, question in asked))

    async def found(self, way: Way, question: str) -> list[str]:
        """Ids of passages, the best first."""
        weights = {"embedding_weight": way.embedding, "text_weight": way.text}
        page = await self._client.vector_stores.search(
            self._store_id,
            query=question,
            max_num_results=10,
            extra_body={"ranking_options": {"hybrid_search": weights}},
        )
        return [self._files[hit.file_id] for hit in page.data]


@asynccontextmanager
async def shelved(client: AsyncOpenAI, name: str, texts: Sequence[Passage]) -> AsyncGenerator[Shelf]:
    """Everything is deleted afterwards."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def upload(passage: Passage) -> str:
        async with turns:
            content = (f"{passage.id}.txt", passage.text.encode())
            return (await client.files.create(file=content, purpose="assistants")).id

    files = dict(zip(await asyncio.gather(*(upload(one) for one in texts)), (one.id for one in texts), strict=True))
    store = await client.vector_stores.create(name=name)
    try:
        await _filled(client, store.id, list(files))
        yield Shelf(client, store.id, files)
    finally:
        await client.vector_stores.delete(store.id)
        for file_id in files:
            await client.files.delete(file_id)


async def _filled(client: AsyncOpenAI, store_id: str, file_ids: list[str]) -> None:
    async with asyncio.timeout(_LIMIT_S):
        batch = await client.vector_stores.file_batches.create(store_id, file_ids=file_ids)
        while batch.status == "in_progress":
            await asyncio.sleep(0.1)
            batch = await client.vector_stores.file_batches.retrieve(batch.id, vector_store_id=store_id)
    if batch.file_counts.completed != len(file_ids):
        raise RuntimeError(f"Not all files could be made searchable: {batch.file_counts}.")
