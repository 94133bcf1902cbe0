"""Files in vector stores as rows: what waits to be made searchable is `in_progress`."""

# ruff: noqa: S608 - SQL is put together from constants of this package only

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from checkpoints.approval import plain
from checkpoints.database import Database, Rows, Work
from checkpoints.feed import Feed
from checkpoints.many import in_turn, insert, marks
from checkpoints.page import Page
from graph.errors import NotFound
from graph.ids import new_id
from graph.vector_stores import Attributes, Batch, Chunking, Counts, FileStatus, StoreFile

#: Values of one `IN`.
_MANY = 500
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

        names = await self._read(lambda rows: self._named(rows, owner, files))
        for at, file in enumerate(files):
            if file.file_id not in names:
                where = {"file_ids": f"file_ids[{at}]", "files": f"files[{at}].file_id"}.get(param, param)
                raise unknown_file(file.file_id, where)

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
            members = [(id, file_id) for file_id in dict.fromkeys(file.file_id for file in files)]
            insert(rows, "vector_store_batch_file (batch_id, file_id)", members)

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
            _note(rows, store, {plain(file_id): attributes})
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
        """Those of its files that are not searchable will not be, and the others stay as they were; False when there
        is none."""
        batch = "SELECT file_id FROM vector_store_batch_file WHERE batch_id = ?"
        sql = (
            "UPDATE vector_store_file SET making = NULL, worker = NULL, "
            "status = CASE WHEN edition IS NULL THEN 'cancelled' ELSE 'completed' END "
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
        given = list({file.file_id: file for file in files}.values())  # of one that is named twice, the last
        names = self._named(rows, owner, given)
        for file in given:
            if file.file_id not in names:
                raise unknown_file(file.file_id, "file_id")
        self._put(rows, store, owner, [(file, names[file.file_id]) for file in given])
        _note(rows, store, {file.file_id: file.attributes for file in given})
        return store

    def _named(self, rows: Rows, owner: str, files: Sequence[Wanted]) -> dict[str, str]:
        """Names of those that are there, by id."""
        names: dict[str, str] = {}
        for some in in_turn([plain(file.file_id) for file in files], _MANY):
            sql = f"SELECT id, filename FROM file WHERE owner = ? AND {self._alive} AND id IN ({marks(some)})"
            names |= dict(rows.execute(sql, (owner, *some)).fetchall())
        return names

    def _put(self, rows: Rows, store: int, owner: str, files: Sequence[tuple[Wanted, str]]) -> None:
        now = rows.execute(f"SELECT {self._clock}").fetchone()[0]
        values = [
            (store, file.file_id, owner, filename, now + at * _APART_S, "in_progress", 0, _json(file.attributes),
             *file.chunking, 0)
            for at, (file, filename) in enumerate(files)
        ]  # fmt: skip
        into = (
            "vector_store_file (store, file_id, owner, filename, created_at, status, usage_bytes, attributes, "
            "chunk_tokens, chunk_overlap, tries)"
        )
        anew = (
            "ON CONFLICT (store, file_id) DO UPDATE SET status = excluded.status, error_code = NULL, "
            "error_message = NULL, attributes = excluded.attributes, chunk_tokens = excluded.chunk_tokens, "
            "chunk_overlap = excluded.chunk_overlap, making = NULL, worker = NULL, tries = 0"
        )
        insert(rows, into, values, anew)

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


def _note(rows: Rows, store: int, said: Mapping[str, Attributes]) -> None:
    """Attributes by file."""
    for some in in_turn(list(said), _MANY):
        sql = f"DELETE FROM vector_store_attribute WHERE store = ? AND file_id IN ({marks(some)})"
        rows.execute(sql, (store, *some))
    values = [(store, *noted, file_id) for file_id, attributes in said.items() for noted in _noted(attributes)]
    insert(rows, "vector_store_attribute (store, key, words, number, truth, file_id)", values)


def _noted(attributes: Attributes) -> Iterator[tuple[str, str | None, float | None, int | None]]:
    for key, value in {plain(key): value for key, value in attributes.items()}.items():
        if isinstance(value, str):
            yield key, plain(value), None, None
        elif isinstance(value, bool):
            yield key, None, None, int(value)
        else:
            yield key, None, float(value), None


def _file(row: Sequence[Any]) -> StoreFile:
    file_id, store_id, filename, created_at, status, tokens, overlap, attributes, usage, code, message = row
    chunking, said = Chunking(tokens, overlap), orjson.loads(attributes)
    return StoreFile(file_id, store_id, filename, created_at, status, chunking, said, usage, code, message)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
