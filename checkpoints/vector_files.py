"""Files in vector stores as rows: what waits to be made searchable is `in_progress`."""

# ruff: noqa: S608 - SQL is put together from constants of this package only

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from checkpoints.approval import plain
from checkpoints.database import Database, Rows, Work
from checkpoints.feed import Feed
from checkpoints.page import Page
from graph.errors import NotFound
from graph.ids import new_id
from graph.vector_stores import Attributes, Batch, Chunking, Counts, FileStatus, StoreFile

#: Files that come together are listed in their order.
_APART_S = 1e-6
#: What those watch who make files searchable.
WAITING = "vector_store_file"
_COLUMNS = (
    "f.file_id, s.id, f.filename, f.created_at, f.status, f.chunk_tokens, f.chunk_overlap, f.attributes, "
    "f.usage_bytes, f.error_code, f.error_message"
)
_FROM = "FROM vector_store_file f JOIN vector_store s ON s.number = f.store"


class Wanted(NamedTuple):
    """A file to be put into a store."""

    file_id: str
    attributes: Attributes
    chunking: Chunking = Chunking()


class VectorFiles:
    def __init__(self, database: Database, feed: Feed) -> None:
        self._database = database
        self._feed = feed
        self._alive = f"(expires_at IS NULL OR expires_at > {database.clock})"

    # ------------------------------------------------------------ read

    async def find(self, owner: str, store_id: str, file_id: str) -> StoreFile | None:
        sql = f"SELECT {_COLUMNS} {_FROM} WHERE s.id = ? AND s.owner = ? AND f.file_id = ?"
        given = (plain(store_id), owner, plain(file_id))
        row = await self._read(lambda rows: rows.execute(sql, given).fetchone())
        return _file(row) if row else None

    async def page(
        self, owner: str, store_id: str, page: Page, status: FileStatus | None = None, batch_id: str | None = None
    ) -> Sequence[StoreFile] | None:
        """Files in the order they were put there, one more than the page holds; None when where it begins is not
        there."""
        wanted = page.turned
        where, given = "s.id = ? AND s.owner = ?", [plain(store_id), owner]
        if batch_id:
            where += " AND f.file_id IN (SELECT file_id FROM vector_store_batch_file WHERE batch_id = ?)"
            given.append(plain(batch_id))

        def work(rows: Rows) -> list[StoreFile] | None:
            after: Sequence[Any] | None = ()
            if wanted.after:
                sql = f"SELECT f.created_at, f.file_id {_FROM} WHERE {where} AND f.file_id = ?"
                after = rows.execute(sql, (*given, plain(wanted.after))).fetchone()
                if after is None:
                    return None
            beyond, order = _keyset(wanted)
            now = " AND f.status = ?" if status else ""
            sql = f"SELECT {_COLUMNS} {_FROM} WHERE {where}{now}{beyond} {order}"
            found = rows.execute(sql, (*given, *([status] if status else ()), *after)).fetchall()
            return page.arranged([_file(row) for row in found])

        return await self._read(work)

    async def check(self, owner: str, files: Sequence[Wanted], param: str) -> None:
        """Raises `NotFound` for a file that is not there; `param`: the field of the request that names them."""

        def work(rows: Rows) -> None:
            for at, file in enumerate(files):
                if self._named(rows, owner, file.file_id) is None:
                    where = {"file_ids": f"file_ids[{at}]", "files": f"files[{at}].file_id"}.get(param, param)
                    raise unknown_file(file.file_id, where)

        await self._read(work)

    # ------------------------------------------------------------ changed

    async def attach(self, owner: str, store_id: str, files: Sequence[Wanted]) -> None:
        """Put files into a store; one that is there is made searchable anew, and found as it was meanwhile.

        Raises `NotFound` for a store or a file that is not there.
        """
        await self._write(lambda rows: self._attached(rows, owner, store_id, files))
        self._feed.tell(WAITING)

    async def batch(self, owner: str, store_id: str, files: Sequence[Wanted]) -> str:
        """The same for many, under one id. Raises `NotFound`."""
        id = new_id("vsfb_")

        def work(rows: Rows) -> None:
            store = self._attached(rows, owner, store_id, files)
            sql = f"INSERT INTO vector_store_batch (id, store, created_at, cancelled) VALUES (?, ?, {self._clock}, 0)"
            rows.execute(sql, (id, store))
            for file_id in dict.fromkeys(file.file_id for file in files):
                rows.execute("INSERT INTO vector_store_batch_file (batch_id, file_id) VALUES (?, ?)", (id, file_id))

        await self._write(work)
        self._feed.tell(WAITING)
        return id

    async def attributes(self, owner: str, store_id: str, file_id: str, attributes: Attributes) -> bool:
        """What filters see of it from now on; False when there is none."""

        def work(rows: Rows) -> bool:
            store = _number(rows, owner, store_id)
            sql = "UPDATE vector_store_file SET attributes = ? WHERE store = ? AND file_id = ?"
            if not rows.execute(sql, (_json(attributes), store, plain(file_id))).rowcount:
                return False
            _note(rows, store, plain(file_id), attributes)
            return True

        return await self._write(work)

    async def remove(self, owner: str, store_id: str, file_id: str) -> bool:
        """Searches find it no more; False when there is none."""

        def work(rows: Rows) -> bool:
            store = _number(rows, owner, store_id)
            return bool(_dropped(rows, "store = ? AND file_id = ?", (store, plain(file_id))))

        return await self._write(work)

    # ------------------------------------------------------------ batches

    async def find_batch(self, owner: str, store_id: str, id: str) -> Batch | None:
        sql = (
            "SELECT b.created_at, b.cancelled, b.store FROM vector_store_batch b "
            "JOIN vector_store s ON s.number = b.store WHERE b.id = ? AND s.id = ? AND s.owner = ?"
        )

        def work(rows: Rows) -> Batch | None:
            found = rows.execute(sql, (plain(id), plain(store_id), owner)).fetchone()
            if found is None:
                return None
            return Batch(id, store_id, found[0], bool(found[1]), _counts(rows, id, found[2]))

        return await self._read(work)

    async def cancel_batch(self, owner: str, store_id: str, id: str) -> bool:
        """Those of its files that are not searchable yet will not be; False when there is none."""
        batch = "SELECT file_id FROM vector_store_batch_file WHERE batch_id = ?"
        sql = (
            "UPDATE vector_store_file SET status = 'cancelled', making = NULL, worker = NULL "
            f"WHERE store = ? AND status = 'in_progress' AND file_id IN ({batch})"
        )

        def work(rows: Rows) -> bool:
            store = _number(rows, owner, store_id)
            cancelled = "UPDATE vector_store_batch SET cancelled = 1 WHERE id = ? AND store = ?"
            if not rows.execute(cancelled, (plain(id), store)).rowcount:
                return False
            rows.execute(sql, (store, plain(id)))
            return True

        return await self._write(work)

    # ------------------------------------------------------------ rows

    @property
    def _clock(self) -> str:
        return self._database.clock

    def _attached(self, rows: Rows, owner: str, store_id: str, files: Sequence[Wanted]) -> int:
        store = _number(rows, owner, store_id)
        rows.execute(f"UPDATE vector_store SET used_at = {self._clock} WHERE number = ?", (store,))
        for at, file in enumerate(files):
            filename = self._named(rows, owner, file.file_id)
            if filename is None:
                raise unknown_file(file.file_id, "file_id")
            self._put(rows, (store, owner, filename, at * _APART_S), file)
        return store

    def _named(self, rows: Rows, owner: str, file_id: str) -> str | None:
        sql = f"SELECT filename FROM file WHERE id = ? AND owner = ? AND {self._alive}"
        found = rows.execute(sql, (plain(file_id), owner)).fetchone()
        return found[0] if found else None

    def _put(self, rows: Rows, place: tuple[int, str, str, float], file: Wanted) -> None:
        store, owner, filename, later_s = place
        sql = (
            "INSERT INTO vector_store_file (store, file_id, owner, filename, created_at, status, usage_bytes, "
            f"attributes, chunk_tokens, chunk_overlap, tries) VALUES (?, ?, ?, ?, {self._clock} + ?, 'in_progress', 0, "
            "?, ?, ?, 0) ON CONFLICT (store, file_id) DO UPDATE SET status = excluded.status, error_code = NULL, "
            "error_message = NULL, attributes = excluded.attributes, chunk_tokens = excluded.chunk_tokens, "
            "chunk_overlap = excluded.chunk_overlap, making = NULL, worker = NULL, tries = 0"
        )
        said = (_json(file.attributes), *file.chunking)
        rows.execute(sql, (store, file.file_id, owner, filename, later_s, *said))
        _note(rows, store, file.file_id, file.attributes)

    async def _read(self, work: Work[Any]) -> Any:
        return await asyncio.wrap_future(self._database.read(work))

    async def _write(self, work: Work[Any]) -> Any:
        return await asyncio.wrap_future(self._database.write(work))


def forget_file(rows: Rows, file_id: str) -> None:
    """A file has gone from the Files API: it is in no store any more."""
    _dropped(rows, "file_id = ?", (file_id,))


def _dropped(rows: Rows, where: str, given: Sequence[Any]) -> int:
    rows.execute(f"DELETE FROM vector_store_attribute WHERE {where}", given)
    return rows.execute(f"DELETE FROM vector_store_file WHERE {where}", given).rowcount


def _number(rows: Rows, owner: str, store_id: str) -> int:
    found = rows.execute("SELECT number FROM vector_store WHERE id = ? AND owner = ?", (plain(store_id), owner))
    if (row := found.fetchone()) is None:
        raise unknown_store(store_id)
    return row[0]


def _keyset(page: Page) -> tuple[str, str]:
    sign = ">" if page.order == "asc" else "<"
    beyond = f" AND (f.created_at, f.file_id) {sign} (?, ?)" if page.after else ""
    return beyond, f"ORDER BY f.created_at {page.order}, f.file_id {page.order} LIMIT {page.limit + 1:d}"


def unknown_file(id: str, param: str) -> NotFound:
    return NotFound(f"No such File object: {id[:100]}", param=param)


def unknown_store(id: str) -> NotFound:
    return NotFound(f"Vector store with id '{id[:100]}' not found.", param="vector_store_id")


def _counts(rows: Rows, batch_id: str, store: int) -> Counts:
    """Files that have left the store count as cancelled."""
    sql = (
        "SELECT COALESCE(f.status, 'cancelled'), COUNT(*) FROM vector_store_batch_file b LEFT JOIN vector_store_file f "
        "ON f.file_id = b.file_id AND f.store = ? WHERE b.batch_id = ? GROUP BY COALESCE(f.status, 'cancelled')"
    )
    return Counts(**dict(rows.execute(sql, (store, batch_id)).fetchall()))


def _note(rows: Rows, store: int, file_id: str, attributes: Attributes) -> None:
    rows.execute("DELETE FROM vector_store_attribute WHERE store = ? AND file_id = ?", (store, file_id))
    sql = "INSERT INTO vector_store_attribute (store, key, file_id, words, number, truth) VALUES (?, ?, ?, ?, ?, ?)"
    for key, value in {plain(key): value for key, value in attributes.items()}.items():
        words = plain(value) if isinstance(value, str) else None
        truth = int(value) if isinstance(value, bool) else None
        number = float(value) if words is None and truth is None else None
        rows.execute(sql, (store, key, file_id, words, number, truth))


def _file(row: Sequence[Any]) -> StoreFile:
    file_id, store_id, filename, created_at, status, tokens, overlap, attributes, usage, code, message = row
    chunking, said = Chunking(tokens, overlap), orjson.loads(attributes)
    return StoreFile(file_id, store_id, filename, created_at, status, chunking, said, usage, code, message)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
