"""Where bytes are: written before a row names them, and deleted after no row does.

A place stands among the loose ones from before its first byte until a row names it, and again when that row goes: a
process that dies at any moment leaves a whole file or none, and no bytes for ever.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence

from checkpoints.container import fasten, forget, loosen
from checkpoints.database import Database, Rows
from checkpoints.storage import Storage

__all__ = ["Places", "fasten", "loosen"]


class Places:
    def __init__(self, database: Database, storage: Storage) -> None:
        self._database = database
        self.storage = storage

    async def write(self, chunks: AsyncIterator[bytes], limit_bytes: int) -> tuple[str, int]:
        """Bytes that go again unless a row comes to name their place; the place, and how many they are. Raises
        `RequestError` when they are too many."""
        place = f"file-{secrets.token_hex(16)}"
        clock = self._database.clock
        await asyncio.wrap_future(self._database.write(lambda rows: loosen(rows, [place], clock)))
        try:
            return place, await self.storage.write(place, chunks, limit_bytes)
        except BaseException:
            await asyncio.shield(self.delete([place]))
            raise

    async def delete(self, places: Sequence[str]) -> None:
        """Bytes that no row names; if this does not come to its end they go later."""

        def work(rows: Rows) -> int:
            return forget(rows, places)

        if places:
            await self.storage.delete(places)
            await asyncio.wrap_future(self._database.write(work))
