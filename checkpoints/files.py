"""Files of callers: fits `graph.files.Files`. Another owner's are not found, nor are those that have expired."""

# ruff: noqa: S608 - SQL is put together from constants of this package only

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from checkpoints.database import Database, Rows, Work
from checkpoints.page import Page, keyset
from checkpoints.places import Places, fasten, loosen
from checkpoints.storage import Storage
from checkpoints.vector_files import forget_file
from graph.errors import NotFound, RequestError
from graph.files import File
from graph.ids import new_id

_COLUMNS = "id, filename, purpose, size_bytes, created_at, expires_at"
#: Expired files that go at once.
_MANY = 100


@dataclass(frozen=True, slots=True)
class Named:
    """What a caller says of a file."""

    filename: str
    purpose: str
    #: Seconds after which it goes; None: it stays.
    expires_s: int | None = None


class Files:
    def __init__(self, database: Database, storage: Storage, limit_bytes: int, quota_bytes: int | None = None) -> None:
        """`limit_bytes`: of one file; `quota_bytes`: of all files of one owner."""
        self._database = database
        self._places = Places(database, storage)
        self._alive = f"(expires_at IS NULL OR expires_at > {database.clock})"
        self._quota_bytes = quota_bytes
        self.limit_bytes = limit_bytes

    # ------------------------------------------------------------ read

    async def find(self, owner: str, id: str) -> File | None:
        return await self._read(lambda rows: self._found(rows, owner, id))

    async def read(self, owner: str, id: str) -> AsyncGenerator[bytes]:
        """Raises `NotFound`."""
        sql = f"SELECT place FROM file WHERE id = ? AND owner = ? AND {self._alive}"
        found = await self._read(lambda rows: rows.execute(sql, (id, owner)).fetchone())
        if found is None:
            raise unknown_file(id)
        async for piece in self._places.storage.read(found[0]):
            yield piece

    async def page(self, owner: str, page: Page, purpose: str | None = None) -> Sequence[File] | None:
        """Files in the order they were made, one more than the page holds; None when `after` is not there."""

        def work(rows: Rows) -> list[File] | None:
            after = self._found(rows, owner, page.after) if page.after else None
            if page.after and after is None:
                return None
            since = _exactly(rows, after.id) if after else None
            beyond, given = keyset(page, since)
            wanted, purposes = (" AND purpose = ?", (purpose,)) if purpose else ("", ())
            sql = f"SELECT {_COLUMNS} FROM file WHERE owner = ? AND {self._alive}{wanted}{beyond}"
            return [_file_of(row) for row in rows.execute(sql, (owner, *purposes, *given)).fetchall()]

        return await self._read(work)

    # ------------------------------------------------------------ changed

    async def write(self, chunks: AsyncIterator[bytes], limit_bytes: int | None = None) -> tuple[str, int]:
        """Bytes that are going to be a file's: their place, and how many. Raises `RequestError`."""
        return await self._places.write(chunks, self.limit_bytes if limit_bytes is None else limit_bytes)

    async def drop(self, places: Sequence[str]) -> None:
        """Bytes that no file is going to have."""
        await self._places.delete(places)

    async def add(self, owner: str, named: Named, place: str, size_bytes: int) -> File:
        """A file of bytes that were written. Raises `RequestError` when the owner has no room for it."""
        return await self._write(lambda rows: self.added(rows, owner, named, place, size_bytes))

    def added(self, rows: Rows, owner: str, named: Named, place: str, size_bytes: int) -> File:
        self.check_quota(rows, owner, size_bytes)
        fasten(rows, place)
        clock = self._database.clock
        until = f"{clock} + ?" if named.expires_s is not None else "?"
        sql = (
            "INSERT INTO file (id, owner, filename, purpose, size_bytes, place, created_at, expires_at) "
            f"VALUES (?, ?, ?, ?, ?, ?, {clock}, {until}) RETURNING {_COLUMNS}"
        )
        # Source: CONTRACT of the Responses API, "IDs": the one prefix with a hyphen.
        id = new_id("file-")
        given = (id, owner, named.filename, named.purpose, size_bytes, place, named.expires_s)
        return _file_of(rows.execute(sql, given).fetchone())

    async def remove(self, owner: str, id: str) -> bool:
        """Forget a file, bytes and all, in every vector store, too; False when there is none."""
        clock = self._database.clock

        def work(rows: Rows) -> list[str]:
            sql = f"DELETE FROM file WHERE id = ? AND owner = ? AND {self._alive} RETURNING id, place"
            return _gone(rows, rows.execute(sql, (id, owner)).fetchall(), clock)

        places = await self._write(work)
        await self._places.delete(places)
        return bool(places)

    async def expire(self) -> int:
        """Forget what has expired, bytes and all; its number."""
        clock = self._database.clock

        def work(rows: Rows) -> list[str]:
            expired = f"SELECT id FROM file WHERE expires_at <= {clock} LIMIT {_MANY}"
            sql = f"DELETE FROM file WHERE id IN ({expired}) RETURNING id, place"
            return _gone(rows, rows.execute(sql).fetchall(), clock)

        count = 0
        while places := await self._write(work):
            await self._places.delete(places)
            count += len(places)
        return count

    def check_quota(self, rows: Rows, owner: str, size_bytes: int, param: str = "file") -> None:
        """Raises `RequestError` when the owner has no room for so many bytes more; parts of files count, too."""
        if self._quota_bytes is None:
            return
        sql = (
            "SELECT CAST(COALESCE(SUM(size_bytes), 0) AS BIGINT) FROM ("
            f"SELECT size_bytes FROM file WHERE owner = ? AND {self._alive} UNION ALL "
            "SELECT upload_part.size_bytes FROM upload_part JOIN upload ON upload.id = upload_id "
            "WHERE owner = ? AND status = 'pending') AS kept"
        )
        (used,) = rows.execute(sql, (owner, owner)).fetchone()
        if used + size_bytes > self._quota_bytes:
            message = f"Your files may have {self._quota_bytes} bytes together, and have {used}: delete some first."
            raise RequestError(message, param=param, code="storage_limit_exceeded")

    # ------------------------------------------------------------ rows

    def _found(self, rows: Rows, owner: str, id: str) -> File | None:
        sql = f"SELECT {_COLUMNS} FROM file WHERE id = ? AND owner = ? AND {self._alive}"
        row = rows.execute(sql, (id, owner)).fetchone()
        return _file_of(row) if row else None

    async def _read(self, work: Work[Any]) -> Any:
        return await asyncio.wrap_future(self._database.read(work))

    async def _write(self, work: Work[Any]) -> Any:
        return await asyncio.wrap_future(self._database.write(work))


def _gone(rows: Rows, found: Sequence[tuple[str, str]], clock: str) -> list[str]:
    """Files that have gone are in no vector store any more; where their bytes are, which are loose now."""
    for id, _ in found:
        forget_file(rows, id)
    places = [place for _, place in found]
    loosen(rows, places, clock)
    return places


def unknown_file(id: str, param: str | None = None) -> NotFound:
    return NotFound(f"No such File object: {id[:100]}", param=param or "id")


def _exactly(rows: Rows, id: str) -> tuple[float, str]:
    (created_at,) = rows.execute("SELECT created_at FROM file WHERE id = ?", (id,)).fetchone()
    return created_at, id


def _file_of(row: Sequence[Any]) -> File:
    id, filename, purpose, size_bytes, created_at, expires_at = row
    return File(id, filename, purpose, size_bytes, int(created_at), None if expires_at is None else int(expires_at))
