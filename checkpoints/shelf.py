"""The files of containers, rows and bytes together.

Bytes are written before a row names them, under a name that stands among the loose ones until then, and go after no
row names them any more: a process that dies at any moment leaves a whole file or none, and no bytes for ever.
"""

import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

from checkpoints.container import Bounds
from checkpoints.containers import Containers
from checkpoints.storage import Storage
from graph.containers import ContainerFile, Fresh, Lease
from graph.errors import LeaseLost, NotFound, RequestError
from graph.ids import new_id

#: Seconds after which bytes that no row names go: those being written, and replaced ones that somebody may be reading.
_LOOSE_S = 3600.0
#: Files of one container.
FILES = 1000
_SAVED_BYTES = 256 << 20


class Shelf:
    """Fits `nodes.container.port.Shelf`; what it does not say itself, `rows` does."""

    def __init__(self, rows: Containers, storage: Storage, limit_bytes: int, quota_bytes: int | None = None) -> None:
        """`limit_bytes`: of all files of one container; `quota_bytes`: of all files of one owner."""
        self.rows = rows
        self._bounds = Bounds(FILES, limit_bytes, quota_bytes)
        self.limit_bytes = limit_bytes
        self._storage = storage

    def read(self, file: ContainerFile) -> AsyncIterator[bytes]:
        return self._storage.read(file.key)

    # ------------------------------------------------------------ asked by callers

    async def add(self, owner: str, container_id: str, fresh: Fresh) -> ContainerFile:
        """Keep a file, instead of the one at its path if there is one. Raises `NotFound`, `RequestError`."""

        async with self._written(container_id, [fresh], self.limit_bytes) as written:
            return await self.rows.add(owner, written[0], self._bounds, [fresh.file_id] if fresh.file_id else [])

    async def remove(self, owner: str, container_id: str, file_id: str) -> bool:
        """Forget a file, bytes and all; False when there is none."""
        files = await self.rows.files(owner, container_id) or ()
        found = next((file for file in files if file.id == file_id), None)
        if found is None or not await self.rows.drop(owner, found):
            return False
        await self._delete([found.key])
        return True

    async def delete(self, owner: str, id: str) -> bool:
        """Forget a container and all that is in it; False when there is none."""
        places = await self.rows.remove(owner, id)
        if places is None:
            return False
        await self._delete(places)
        return True

    # ------------------------------------------------------------ done by who holds the container

    async def keep(self, lease: Lease, made: Sequence[Fresh]) -> Sequence[ContainerFile]:
        """Keep what a call has made, all of it or nothing: of two who change a file the later one wins, whether it is
        code or a caller. Raises `LeaseLost`, `RequestError`, and what the chunks raise."""
        brought = [fresh.file_id for fresh in made if fresh.file_id]
        async with self._written(lease.container.id, made, self.limit_bytes) as written:
            return await self.rows.settle(lease, written, self._bounds, brought)

    async def forget(self, lease: Lease, gone: Sequence[ContainerFile]) -> None:
        """Files that a call has removed. Raises `LeaseLost`."""
        await self.rows.forget(lease, gone)

    async def save(self, lease: Lease, saved: bytes | None) -> None:
        """Keep the variables instead of those kept before; None: there are none. Raises `LeaseLost`."""
        place = _place() if saved is not None else None
        if place and saved is not None:
            await self.rows.loosen([place])
            await self._storage.write(place, _once(saved), _SAVED_BYTES)
        before = await self.rows.save(lease, place)
        await self._delete([before] if before else [])

    async def saved(self, lease: Lease) -> bytes | None:
        """The variables that were kept."""
        if lease.saved is None:
            return None
        return b"".join([chunk async for chunk in self._storage.read(lease.saved)])

    # ------------------------------------------------------------ bytes

    async def tidy(self, older_than_s: float = _LOOSE_S) -> int:
        """Delete bytes that nobody needs any more; their number."""
        deleted = 0
        while places := await self.rows.loose(older_than_s):
            await self._delete(places)
            deleted += len(places)
        return deleted

    @asynccontextmanager
    async def _written(
        self, container_id: str, made: Sequence[Fresh], limit_bytes: int
    ) -> AsyncGenerator[list[ContainerFile]]:
        """The files with their bytes written down; they go again when what is done with them fails."""
        places = [_place() for _ in made]
        await self.rows.loosen(places)
        try:
            sizes = [
                await self._storage.write(place, fresh.chunks, limit_bytes)
                for place, fresh in zip(places, made, strict=True)
            ]
            yield [
                ContainerFile(new_id("cfile_"), container_id, fresh.path, size, fresh.source, 0, place)
                for place, fresh, size in zip(places, made, sizes, strict=True)
            ]
        except (LeaseLost, NotFound, RequestError):
            await self._delete(places)
            raise

    async def _delete(self, places: Sequence[str]) -> None:
        if places:
            await self._storage.delete(places)
            await self.rows.gone(places)


def _place() -> str:
    return f"cntr-{secrets.token_hex(16)}"


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
