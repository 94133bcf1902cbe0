"""Uploaded files that are too long to be told to a model are searched: fits `nodes.documents.resolver.LongFiles`.

Each gets a vector store, which its owner sees among his own and which expires when it is not used for a week.
"""

import asyncio
from contextlib import suppress
from hashlib import sha256

from checkpoints.vector_files import VectorFiles, Wanted
from checkpoints.vector_stores import Draft, VectorStores
from graph.errors import Json, NotFound

_DAYS = 7
#: A request waits half a minute for its file to be searchable; then the model may find less at first.
_LOOKS, _LOOK_S = 600, 0.05


class LongFiles:
    def __init__(self, stores: VectorStores, files: VectorFiles) -> None:
        self._stores = stores
        self._files = files

    async def searchable(self, owner: str, file_id: str, filename: str) -> Json | None:
        """See `resolver.LongFiles`."""
        # The same file is the same store.
        id = f"vs_{sha256(f'{owner} {file_id}'.encode()).hexdigest()[:48]}"
        store = await self._stores.create(owner, Draft(filename, expires_days=_DAYS), id)
        if store.expired:
            await self._stores.update(owner, id, {})
        with suppress(NotFound):
            if await self._files.find(owner, id, file_id) is None:
                await self._files.attach(owner, id, [Wanted(file_id, {})])
            if await self._settled(owner, id, file_id) != "failed":
                return {"type": "file_search", "vector_store_ids": [id]}
        return None

    async def _settled(self, owner: str, store_id: str, file_id: str) -> str:
        """The status it has come to, or has after a while."""
        for _ in range(_LOOKS):
            found = await self._files.find(owner, store_id, file_id)
            if found is None or found.status != "in_progress":
                return found.status if found else "failed"
            await asyncio.sleep(_LOOK_S)
        return "in_progress"
