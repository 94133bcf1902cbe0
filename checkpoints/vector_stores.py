"""Vector stores as rows. Another owner's are not found. What their files come to is counted whenever it is asked."""

# ruff: noqa: S608 - SQL is put together from constants of this package only

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from checkpoints.approval import plain
from checkpoints.database import Database, Rows, Work
from checkpoints.page import Page, keyset
from graph.errors import Json
from graph.ids import new_id
from graph.vector_stores import Counts, VectorStore

_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Draft:
    """What a caller says of a store."""

    name: str = ""
    description: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    expires_days: int | None = None


def expired(clock: str, table: str = "vector_store") -> str:
    """SQL that is true of a store that has expired."""
    return f"({table}.expires_days IS NOT NULL AND {table}.used_at + {table}.expires_days * {_DAY_S} <= {clock})"


class VectorStores:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._columns = (
            "number, id, owner, name, description, metadata, created_at, used_at, expires_days, "
            f"{expired(database.clock)}"
        )

    # ------------------------------------------------------------ read

    async def find(self, owner: str, id: str) -> VectorStore | None:
        return await self._read(lambda rows: self.found(rows, owner, id))

    async def page(self, owner: str, page: Page) -> Sequence[VectorStore] | None:
        """Stores in the order they were made, one more than the page holds; None when where it begins is not there."""

        def work(rows: Rows) -> list[VectorStore] | None:
            wanted = page.turned
            after = self.found(rows, owner, wanted.after) if wanted.after else None
            if wanted.after and after is None:
                return None
            beyond, given = keyset(wanted, (after.created_at, after.id) if after else None)
            sql = f"SELECT {self._columns} FROM vector_store WHERE owner = ?{beyond}"
            return page.arranged(_stores(rows, rows.execute(sql, (owner, *given)).fetchall()))

        return await self._read(work)

    # ------------------------------------------------------------ changed

    async def create(self, owner: str, draft: Draft, id: str | None = None) -> VectorStore:
        """With an `id` that is there already, that store."""
        clock = self._database.clock
        named = id or new_id("vs_")
        sql = (
            "INSERT INTO vector_store (id, owner, name, description, metadata, created_at, used_at, expires_days) "
            f"VALUES (?, ?, ?, ?, ?, {clock}, {clock}, ?) ON CONFLICT (id) DO NOTHING"
        )
        given = (named, owner, draft.name, draft.description, _json(draft.metadata), draft.expires_days)

        def work(rows: Rows) -> VectorStore | None:
            rows.execute(sql, given)
            return self.found(rows, owner, named)

        return await self._write(work)

    async def update(self, owner: str, id: str, changes: Json) -> VectorStore | None:
        """`changes`: fields of `Draft`. It is used by that."""
        said = {key: _json(value) if key == "metadata" else value for key, value in changes.items()}
        fields = "".join(f", {key} = ?" for key in said if key in Draft.__dataclass_fields__)
        sql = f"UPDATE vector_store SET used_at = {self._database.clock}{fields} WHERE id = ? AND owner = ?"

        def work(rows: Rows) -> VectorStore | None:
            rows.execute(sql, (*said.values(), plain(id), owner))
            return self.found(rows, owner, id)

        return await self._write(work)

    async def touch(self, owner: str, ids: Sequence[str]) -> None:
        """They are used; those that have expired stay so."""
        clock = self._database.clock
        sql = f"UPDATE vector_store SET used_at = {clock} WHERE id = ? AND owner = ? AND NOT {expired(clock)}"

        def work(rows: Rows) -> None:
            for id in ids:
                rows.execute(sql, (plain(id), owner))

        await self._write(work)

    async def remove(self, owner: str, id: str) -> bool:
        """Forget it, its files and batches; what is indexed of them goes later. False when there is none."""

        def work(rows: Rows) -> bool:
            sql = "DELETE FROM vector_store WHERE id = ? AND owner = ? RETURNING number"
            found = rows.execute(sql, (plain(id), owner)).fetchone()
            if found:
                empty(rows, found[0])
            return found is not None

        return await self._write(work)

    # ------------------------------------------------------------ rows

    def found(self, rows: Rows, owner: str, id: str) -> VectorStore | None:
        sql = f"SELECT {self._columns} FROM vector_store WHERE id = ? AND owner = ?"
        row = rows.execute(sql, (plain(id), owner)).fetchone()
        return _stores(rows, [row])[0] if row else None

    async def _read(self, work: Work[Any]) -> Any:
        return await asyncio.wrap_future(self._database.read(work))

    async def _write(self, work: Work[Any]) -> Any:
        return await asyncio.wrap_future(self._database.write(work))


def empty(rows: Rows, store: int) -> None:
    """A store has gone: so have its files and batches."""
    batches = "SELECT id FROM vector_store_batch WHERE store = ?"
    rows.execute(f"DELETE FROM vector_store_batch_file WHERE batch_id IN ({batches})", (store,))
    for table in ("vector_store_batch", "vector_store_attribute", "vector_store_file"):
        rows.execute(f"DELETE FROM {table} WHERE store = ?", (store,))


def _stores(rows: Rows, found: Sequence[Any]) -> list[VectorStore]:
    numbers = [row[0] for row in found]
    marks = ", ".join("?" * len(numbers)) or "NULL"
    sql = (
        "SELECT store, status, COUNT(*), CAST(SUM(usage_bytes) AS BIGINT) FROM vector_store_file "
        f"WHERE store IN ({marks}) GROUP BY store, status"
    )
    counted: dict[int, dict[str, int]] = {}
    used: dict[int, int] = {}
    for store, status, files, usage_bytes in rows.execute(sql, numbers).fetchall():
        counted.setdefault(store, {})[status] = files
        used[store] = used.get(store, 0) + usage_bytes
    return [_store(row, Counts(**counted.get(row[0], {})), used.get(row[0], 0)) for row in found]


def _store(row: Sequence[Any], counts: Counts, usage_bytes: int) -> VectorStore:
    number, id, owner, name, description, metadata, created_at, used_at, days, gone = row
    said = orjson.loads(metadata)
    return VectorStore(
        id, owner, number, name, created_at, used_at, description, said, days, bool(gone), counts, usage_bytes
    )


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
