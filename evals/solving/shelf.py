"""Files and vector stores on a server: made when a case first wants them, shared by all that want the same."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Self

from openai import APIError, AsyncOpenAI
from openai.types.file_create_params import ExpiresAfter
from openai.types.vector_store_create_params import ExpiresAfter as StoreExpiresAfter

from evals.suite.schema import Upload
from evals.unfit import Unfit

_INDEX_S, _LOOK_S = 300, 0.1
#: Of removing one thing, and all.
_GONE_S, _ALL_GONE_S = 10, 60
#: When the server itself removes what a killed run has left.
_FILE_LEFT: ExpiresAfter = {"anchor": "created_at", "seconds": 86_400}
_STORE_LEFT: StoreExpiresAfter = {"anchor": "last_active_at", "days": 1}


class Shelf:
    """Of one run; what is on it is removed with it."""

    def __init__(self, client: AsyncOpenAI, directory: Path, stack: AsyncExitStack) -> None:
        self._client = client
        self._directory = directory
        self._stack = stack
        self._ids: dict[Hashable, str] = {}
        self._turns: defaultdict[Hashable, asyncio.Lock] = defaultdict(asyncio.Lock)

    @classmethod
    @asynccontextmanager
    async def opened(cls, client: AsyncOpenAI, directory: str) -> AsyncGenerator[Self]:
        stack = AsyncExitStack()
        try:
            yield cls(client, Path(directory), stack)
        finally:
            with suppress(TimeoutError):
                await asyncio.wait_for(stack.aclose(), _ALL_GONE_S)

    async def file(self, upload: Upload) -> str:
        """Its id. Raises `Unfit`, and `APIError` when the server does not take it."""
        named = content(upload, self._directory)
        purpose = "vision" if upload.use == "image" else "user_data"

        async def made() -> str:
            id = (await self._client.files.create(file=named, purpose=purpose, expires_after=_FILE_LEFT)).id
            self._stack.push_async_callback(gone, self._client, f"/files/{id}")
            return id

        return await self._once((purpose, *named), made)

    async def store(self, name: str, files: list[str]) -> str:
        """Id of a vector store in which these files are found. Raises `Unfit`, and `APIError`."""
        return await self._once(tuple(files), lambda: self._indexed(name, files))

    async def _once(self, key: Hashable, make: Callable[[], Awaitable[str]]) -> str:
        async with self._turns[key]:
            if key not in self._ids:
                self._ids[key] = await make()
        return self._ids[key]

    async def _indexed(self, name: str, files: list[str]) -> str:
        about = f"eval {name}"[:100]
        store = await self._client.vector_stores.create(name=about, file_ids=files, expires_after=_STORE_LEFT)
        self._stack.push_async_callback(gone, self._client, f"/vector_stores/{store.id}")
        looks = int(_INDEX_S / _LOOK_S)
        while store.status == "in_progress" and (looks := looks - 1):
            await asyncio.sleep(_LOOK_S)
            store = await self._client.vector_stores.retrieve(store.id)
        if store.file_counts.completed < len(files):
            counts = ", ".join(f"{count} {state}" for state, count in store.file_counts.to_dict().items() if count)
            raise Unfit(f"Not all files of the case {name!r} could be made searchable: {counts}.")
        return store.id


async def gone(client: AsyncOpenAI, path: str) -> None:
    """Remove something; soon, or not at all: whoever waits for that has waited enough."""
    try:
        await client.with_options(timeout=_GONE_S, max_retries=0).delete(path, cast_to=object)
    except APIError:
        return  # removed with what it was in, or with the server


def content(upload: Upload, directory: Path) -> tuple[str, bytes]:
    """Name and bytes of a file. Raises `Unfit`."""
    if upload.content is not None:
        return upload.name or "file.txt", upload.content.encode()
    path = directory / (upload.path or "")
    try:
        return upload.name or path.name, path.read_bytes()
    except OSError as error:
        raise Unfit(f"The file {path} of the suite cannot be read: {error.strerror}.") from error
