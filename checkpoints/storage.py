"""Bytes of files: a folder of this machine, or whatever fsspec can reach, under keys that we make up.

What is there under a key is whole: it is written elsewhere first, or shown by the store only when its last byte is in.
"""

import asyncio
import fcntl
import logging
import os
import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import fsspec  # pyright: ignore[reportMissingTypeStubs]
from fsspec.implementations.local import LocalFileSystem  # pyright: ignore[reportMissingTypeStubs]

from checkpoints.database import Unusable
from graph.errors import NotFound, RequestError, StoreUnavailable

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Bytes of one piece that is read, and of those that are written together.
PIECE_BYTES = 1 << 20
#: Reads and writes at once.
_THREADS = 8
#: What is being written locally stands here.
_PARTS = ".parts"


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
            s3 = url.startswith(("s3:", "s3a:"))
            fix = "`uv sync --extra s3` or `pip install 'graphnexus[s3]'`" if s3 else str(error)
            raise Unusable(f"{_named(url)} needs a driver: {fix}") from error
        except ValueError as error:
            raise Unusable(f"{_named(url)} cannot be used: {error}") from error
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
        file = None
        try:
            file = await self._do(self._opened, key)
            await self._do(file.seek, start)
            while piece := await self._do(file.read, PIECE_BYTES):
                yield piece
        except FileNotFoundError as error:  # some stores say so only when they are read
            raise NotFound("The bytes of this file are not there any more.") from error
        finally:
            if file is not None:
                await asyncio.shield(self._do(file.close))

    async def delete(self, keys: Sequence[str]) -> None:
        """What is not there is no matter."""
        for key in keys:
            await self._do(self._remove, key)

    async def sweep(self) -> int:
        """Remove what processes that died have left half written; says how many. Other stores do that themselves.

        What somebody is writing is locked by them, in whatever process, and goes on.
        """
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
        """Raises `FileNotFoundError`, and `StoreUnavailable` for whatever else a disk or a service says."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *given)
        except FileNotFoundError:
            raise
        except Exception as error:  # each driver has its own
            logger.warning("The storage of files failed: %s: %s", type(error).__name__, str(error)[:200])
            raise StoreUnavailable("The storage of files cannot be used just now.") from error

    # ------------------------------------------------------------ in threads

    def _place(self, key: str) -> str:
        """Spread over folders, which get slow when they are large."""
        return f"{self._root}/{key[-2:]}/{key}"

    def _begin(self, key: str) -> Any:
        if not self._local:
            return self._system.open(self._place(key), "wb", autocommit=False)
        parts = Path(self._root, _PARTS)
        parts.mkdir(parents=True, exist_ok=True)
        while True:
            file = Path(parts, secrets.token_hex(12)).open("wb")  # noqa: SIM115 (open until it is whole)
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_nlink:
                return file
            file.close()  # swept between the two

    def _finish(self, file: Any, key: str) -> None:
        if not self._local:
            file.close()
            file.commit()
            return
        place = Path(self._place(key))
        place.parent.mkdir(exist_ok=True)
        with file:
            file.flush()
            os.fsync(file.fileno())  # a row is going to say that it is whole
            Path(file.name).replace(place)

    def _discard(self, file: Any) -> None:
        if self._local:
            Path(file.name).unlink(missing_ok=True)
            file.close()
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
        return sum(_swept(part) for part in Path(self._root, _PARTS).glob("*"))


def _named(url: str) -> str:
    """Without the secrets that may stand in it."""
    return re.sub(r"//[^/@]*@", "//", url.partition("?")[0])


def _swept(part: Path) -> bool:
    """Remove a file that nobody is writing; one that cannot be removed stays."""
    try:
        with part.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()
    except OSError:
        return False
    return True
