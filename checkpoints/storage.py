"""Bytes of files: a folder of this machine, or whatever fsspec can reach, under keys that we make up.

What is there under a key is whole: it is written elsewhere first, or shown by the store only when its last byte is in.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import fsspec  # pyright: ignore[reportMissingTypeStubs]
from fsspec.implementations.local import LocalFileSystem  # pyright: ignore[reportMissingTypeStubs]

from checkpoints.database import Unusable
from graph.errors import NotFound, RequestError

T = TypeVar("T")

#: Bytes of one piece that is read, and of those that are written together.
PIECE_BYTES = 1 << 20
#: Reads and writes at once.
_THREADS = 8
#: What is being written locally stands here; older than this it was left by a process that died.
_PARTS, _PART_S = ".parts", 24 * 3600.0


class Storage:
    """Every call that waits for a disk or a network does so in a thread of its own pool."""

    def __init__(self, system: Any, root: str) -> None:
        """`system`: a file system of fsspec's; `root`: where in it."""
        self._system = system
        self._root = root.rstrip("/")
        self._local = isinstance(system, LocalFileSystem)
        self._threads = ThreadPoolExecutor(_THREADS, "storage")

    @classmethod
    def at(cls, url: str) -> Self:
        """`url`: a path, or a URL of fsspec's such as `s3://bucket/prefix`. Raises `Unusable` when its driver is
        missing."""
        try:
            system, root = cast(tuple[Any, str], fsspec.url_to_fs(url))  # pyright: ignore[reportUnknownMemberType]
        except ImportError as error:
            hint = "uv sync --extra s3" if url.startswith("s3") else "installing the package that fsspec names"
            raise Unusable(f"The storage '{url.partition('?')[0]}' needs a driver: {hint}. ({error})") from error
        except ValueError as error:
            raise Unusable(f"The storage '{url.partition('?')[0]}' cannot be used: {error}") from error
        return cls(system, root)

    async def write(self, key: str, chunks: AsyncIterator[bytes], limit_bytes: int) -> int:
        """Keep the chunks under a key; says how many bytes they are. Raises `RequestError` when they are too many.

        Nothing is left of what did not come to its end.
        """
        file = await self._do(self._begin, key)
        try:
            size = await self._fill(file, chunks, limit_bytes)
        except BaseException:
            await asyncio.shield(self._do(self._discard, file))
            raise
        await self._do(self._finish, file, key)
        return size

    async def read(self, key: str, start: int = 0) -> AsyncGenerator[bytes]:
        """From the byte `start` on, in pieces of at most `PIECE_BYTES`. Raises `NotFound`."""
        try:
            file = await self._do(self._opened, key)
        except FileNotFoundError as error:
            raise NotFound("The bytes of this file are not there any more.") from error
        try:
            await self._do(file.seek, start)
            while piece := await self._do(file.read, PIECE_BYTES):
                yield piece
        finally:
            await asyncio.shield(self._do(file.close))

    async def delete(self, keys: Sequence[str]) -> None:
        """What is not there is no matter."""
        for key in keys:
            await self._do(self._remove, key)

    async def sweep(self) -> int:
        """Remove what processes that died have left half written; says how many. Other stores do that themselves."""
        return await self._do(self._sweep) if self._local else 0

    def close(self) -> None:
        self._threads.shutdown(wait=False)

    async def _fill(self, file: Any, chunks: AsyncIterator[bytes], limit_bytes: int) -> int:
        size, waiting = 0, bytearray()
        async for chunk in chunks:
            size += len(chunk)
            if size > limit_bytes:
                raise RequestError(
                    f"The file is too large: it may have at most {limit_bytes} bytes.", code="file_too_large"
                )
            waiting += chunk
            if len(waiting) >= PIECE_BYTES:
                await self._do(file.write, bytes(waiting))
                waiting.clear()
        await self._do(file.write, bytes(waiting))
        return size

    async def _do(self, work: Callable[..., T], *given: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *given)

    # ------------------------------------------------------------ in threads

    def _place(self, key: str) -> str:
        """Spread over folders, which get slow when they are large."""
        return f"{self._root}/{key[-2:]}/{key}"

    def _begin(self, key: str) -> Any:
        if not self._local:
            return self._system.open(self._place(key), "wb", autocommit=False)
        parts = Path(self._root, _PARTS)
        parts.mkdir(parents=True, exist_ok=True)
        return Path(parts, secrets.token_hex(12)).open("wb")

    def _finish(self, file: Any, key: str) -> None:
        file.close()
        if not self._local:
            file.commit()
            return
        place = Path(self._place(key))
        place.parent.mkdir(exist_ok=True)
        Path(file.name).replace(place)

    def _discard(self, file: Any) -> None:
        if self._local:
            file.close()
            Path(file.name).unlink(missing_ok=True)
        else:
            file.discard()

    def _opened(self, key: str) -> Any:
        return self._system.open(self._place(key), "rb")

    def _remove(self, key: str) -> None:
        try:
            self._system.rm_file(self._place(key))
        except FileNotFoundError:
            return

    def _sweep(self) -> int:
        parts = Path(self._root, _PARTS)
        old = [part for part in parts.glob("*") if time.time() - part.stat().st_mtime > _PART_S]
        for part in old:
            part.unlink(missing_ok=True)
        return len(old)
