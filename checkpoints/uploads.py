"""Files that come in parts: each part is bytes of its own until all of them are put together."""

# ruff: noqa: S608 - SQL is put together from constants of this package only

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from checkpoints.database import Database, Rows, Work
from checkpoints.files import Files, Named
from checkpoints.places import Places, fasten, loosen
from checkpoints.storage import Storage
from graph.errors import NotFound, RequestError
from graph.files import File
from graph.ids import new_id

#: Seconds that an upload may take. Source: API reference, "Create upload".
_LASTS_S = 3600
#: Uploads that have expired and go at once; parts of one upload.
_MANY, _PARTS = 100, 10_000
_COLUMNS = "id, filename, purpose, size_bytes, file_expires_s, status, created_at, expires_at, file_id"
Status = Literal["pending", "completed", "cancelled", "expired"]


@dataclass(frozen=True, slots=True)
class Upload:
    id: str
    named: Named
    size_bytes: int
    status: Status
    created_at: int
    expires_at: int
    file_id: str | None


class UploadPart(NamedTuple):
    id: str
    upload_id: str
    created_at: int


class _Piece(NamedTuple):
    place: str
    size_bytes: int


class Uploads:
    """Another owner's are not found."""

    def __init__(self, database: Database, storage: Storage, files: Files, limit_bytes: int) -> None:
        """`limit_bytes`: of one whole file."""
        self.limit_bytes = limit_bytes
        self._database = database
        self._places = Places(database, storage)
        self._files = files
        clock = database.clock
        expired = f"CASE WHEN status = 'pending' AND expires_at <= {clock} THEN 'expired' ELSE status END"
        self._columns = _COLUMNS.replace("status", expired)
        self._pending = f"status = 'pending' AND expires_at > {clock}"

    async def create(self, owner: str, named: Named, size_bytes: int, media_type: str) -> Upload:
        clock = self._database.clock
        sql = (
            "INSERT INTO upload (id, owner, filename, purpose, media_type, size_bytes, file_expires_s, status, "
            f"created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', {clock}, {clock} + {_LASTS_S}) "
            f"RETURNING {_COLUMNS}"
        )
        name = (new_id("upload_"), owner, named.filename, named.purpose)
        given = (*name, media_type, size_bytes, named.expires_s)
        return _upload_of(await self._write(lambda rows: rows.execute(sql, given).fetchone()))

    async def find(self, owner: str, id: str) -> Upload:
        """Raises `NotFound`."""
        sql = f"SELECT {self._columns} FROM upload WHERE id = ? AND owner = ?"
        row = await self._read(lambda rows: rows.execute(sql, (id, owner)).fetchone())
        if row is None:
            raise NotFound(f"No such Upload object: {id[:100]}", param="id")
        return _upload_of(row)

    async def add(self, owner: str, id: str, pieces: AsyncIterator[bytes], limit_bytes: int) -> UploadPart:
        """Keep a part; parts may come in any order, several at once. Raises `NotFound`, `RequestError`."""
        self.check_pending(await self.find(owner, id))
        place, size = await self._places.write(pieces, limit_bytes)
        try:
            return await self._write(lambda rows: self._added(rows, owner, id, _Piece(place, size)))
        except RequestError:
            await self._places.delete([place])
            raise

    async def complete(self, owner: str, id: str, part_ids: Sequence[str], md5: str | None) -> File:
        """Put the parts together, in the order named. Raises `NotFound`, `RequestError`."""
        upload = await self.find(owner, id)
        self.check_pending(upload)
        pieces = await self._pieces(id, part_ids)
        total = sum(piece.size_bytes for piece in pieces)
        if total != upload.size_bytes:
            message = f"The parts have {total} bytes together; {upload.size_bytes} were announced."
            raise RequestError(message, param="part_ids", code="invalid_value")
        digest = hashlib.md5(usedforsecurity=False)
        place, size = await self._files.write(self._together(pieces, digest), total)
        try:
            if md5 is not None and digest.hexdigest() != md5.lower():
                raise RequestError("The file does not have this MD5 sum.", param="md5", code="invalid_value")
            return await self._write(lambda rows: self._completed(rows, owner, upload, _Piece(place, size)))
        except RequestError:
            await self._files.drop([place])
            raise
        finally:
            await self._tidy(id)

    async def cancel(self, owner: str, id: str) -> Upload:
        """Raises `NotFound`, `RequestError`."""
        self.check_pending(await self.find(owner, id))
        sql = f"UPDATE upload SET status = 'cancelled' WHERE id = ? AND {self._pending}"
        await self._write(lambda rows: rows.execute(sql, (id,)).rowcount)
        await self._tidy(id)
        return await self.find(owner, id)

    async def expire(self) -> int:
        """Free what parts of uploads take that nobody has completed; forget old uploads. Their number."""
        clock = self._database.clock
        sql = f"SELECT id FROM upload WHERE expires_at <= {clock} LIMIT {_MANY}"
        count = 0
        while found := await self._read(lambda rows: rows.execute(sql).fetchall()):
            for (id,) in found:
                await self._places.delete(await self._write(lambda rows, id=id: self._forgotten(rows, id)))
            count += len(found)
        return count

    @staticmethod
    def check_pending(upload: Upload) -> None:
        """Raises `RequestError`."""
        if upload.status != "pending":
            raise RequestError(f"The upload is {upload.status}.", param="upload_id", code="invalid_value")

    # ------------------------------------------------------------ rows

    def _added(self, rows: Rows, owner: str, id: str, piece: _Piece) -> UploadPart:
        sql = f"UPDATE upload SET status = status WHERE id = ? AND {self._pending}"
        if not rows.execute(sql, (id,)).rowcount:
            raise RequestError("The upload is not pending any more.", param="upload_id", code="invalid_value")
        self._check_room(rows, id, piece.size_bytes)
        self._files.check_quota(rows, owner, piece.size_bytes, "data")
        fasten(rows, piece.place)
        sql = (
            "INSERT INTO upload_part (id, upload_id, size_bytes, created_at, place) "
            f"VALUES (?, ?, ?, {self._database.clock}, ?) RETURNING created_at"
        )
        part = new_id("part_")
        (created_at,) = rows.execute(sql, (part, id, piece.size_bytes, piece.place)).fetchone()
        return UploadPart(part, id, int(created_at))

    def _check_room(self, rows: Rows, id: str, size_bytes: int) -> None:
        sql = (
            "SELECT COUNT(*), CAST(COALESCE(SUM(upload_part.size_bytes), 0) AS BIGINT), "
            "(SELECT size_bytes FROM upload WHERE id = ?) FROM upload_part WHERE upload_id = ?"
        )
        count, had, announced = rows.execute(sql, (id, id)).fetchone()
        if had + size_bytes > announced:
            message = f"The parts have more bytes than were announced: {announced - had} were left for this one."
            raise RequestError(message, param="data", code="invalid_value")
        if count >= _PARTS:
            raise RequestError(f"An upload may have at most {_PARTS} parts.", param="data", code="invalid_value")

    def _completed(self, rows: Rows, owner: str, upload: Upload, whole: _Piece) -> File:
        sql = f"UPDATE upload SET status = 'completed' WHERE id = ? AND {self._pending}"
        if not rows.execute(sql, (upload.id,)).rowcount:
            raise RequestError("The upload is not pending any more.", param="upload_id", code="invalid_value")
        file = self._files.added(rows, owner, upload.named, whole.place, whole.size_bytes)
        rows.execute("UPDATE upload SET file_id = ? WHERE id = ?", (file.id, upload.id))
        return file

    def _forgotten(self, rows: Rows, id: str) -> list[str]:
        """The upload goes, and its parts with it: their places."""
        rows.execute("DELETE FROM upload WHERE id = ?", (id,))
        return self._loosened(rows, id)

    def _loosened(self, rows: Rows, id: str) -> list[str]:
        gone = rows.execute("DELETE FROM upload_part WHERE upload_id = ? RETURNING place", (id,)).fetchall()
        places = [place for (place,) in gone]
        loosen(rows, places, self._database.clock)
        return places

    async def _tidy(self, id: str) -> None:
        """Free the parts of an upload that is not pending any more."""
        sql = f"SELECT 1 FROM upload WHERE id = ? AND {self._pending}"

        def work(rows: Rows) -> list[str]:
            return [] if rows.execute(sql, (id,)).fetchone() else self._loosened(rows, id)

        await self._places.delete(await self._write(work))

    async def _pieces(self, id: str, part_ids: Sequence[str]) -> list[_Piece]:
        sql = "SELECT id, place, size_bytes FROM upload_part WHERE upload_id = ?"
        found = await self._read(lambda rows: rows.execute(sql, (id,)).fetchall())
        known = {part: _Piece(place, size) for part, place, size in found}
        left = set(known)
        for at, part in enumerate(part_ids):
            if part not in left:
                message = f"There is no part '{part[:100]}' of this upload, or it is named twice."
                raise RequestError(message, param=f"part_ids[{at}]", code="invalid_value")
            left.remove(part)
        return [known[part] for part in part_ids]

    async def _together(self, pieces: Sequence[_Piece], digest: Any) -> AsyncGenerator[bytes]:
        for piece in pieces:
            async for content in self._places.storage.read(piece.place):
                await asyncio.to_thread(digest.update, content)
                yield content

    async def _read(self, work: Work[Any]) -> Any:
        return await asyncio.wrap_future(self._database.read(work))

    async def _write(self, work: Work[Any]) -> Any:
        return await asyncio.wrap_future(self._database.write(work))


def _upload_of(row: Sequence[Any]) -> Upload:
    id, filename, purpose, size_bytes, file_expires_s, status, created_at, expires_at, file_id = row
    named = Named(filename, purpose, file_expires_s)
    return Upload(id, named, size_bytes, status, int(created_at), int(expires_at), file_id)
