"""Files that are searchable and have vectors of another embedder than today's: fits `nodes.file_search.port.Renewals`.

Their windows stay; they get new vectors beside the old, which go when the new ones are whole.
"""

# ruff: noqa: S608 - SQL is put together from constants of this package only

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from checkpoints.database import Database, Rows, Work
from checkpoints.outbox import forget
from graph.errors import LeaseLost
from graph.vector_stores import Renewal

_FREE = "(e.worker IS NULL OR NOT EXISTS (SELECT 1 FROM worker WHERE worker.id = e.worker))"
_FOUND = "FROM search_edition e JOIN vector_store_file f ON f.edition = e.number"
#: Vectors that are deleted at once.
_MANY = 200


class Renewals:
    def __init__(self, database: Database, worker: str) -> None:
        self._database = database
        self._worker = worker

    async def take(self, space: str) -> Renewal | None:
        """A file whose vectors are not of this space, until this process dies or has let go of it."""
        other = f"{_FOUND} WHERE f.status = 'completed' AND (e.space IS NULL OR e.space <> ?) AND {_FREE}"
        sql = f"SELECT e.number {other} ORDER BY e.number LIMIT 1"
        found = await self._read(lambda rows: rows.execute(sql, (space,)).fetchone())
        if found is None:
            return None
        took = (
            f"UPDATE search_edition AS e SET worker = ? WHERE e.number = ? AND {_FREE} RETURNING number, store, space"
        )
        row = await self._write(lambda rows: rows.execute(took, (self._worker, found[0])).fetchone())
        return Renewal(row[0], row[1], row[2], space) if row else None

    async def texts(self, renewal: Renewal, beyond: int, limit: int) -> Sequence[tuple[int, str]]:
        """Windows after the window `beyond`, in their order."""
        sql = f"SELECT id, text FROM search_window WHERE edition = ? AND id > ? ORDER BY id LIMIT {limit:d}"
        given = (renewal.edition, beyond)
        return await self._read(lambda rows: rows.execute(sql, given).fetchall())

    async def add(self, renewal: Renewal, vectors: Mapping[int, bytes]) -> None:
        """Of windows; a second time does nothing. Raises `LeaseLost`."""
        sql = (
            'INSERT INTO search_vector (edition, space, "window", vector) VALUES (?, ?, ?, ?) '
            'ON CONFLICT (edition, space, "window") DO NOTHING'
        )

        def work(rows: Rows) -> None:
            self._hold(rows, renewal)
            for window, vector in vectors.items():
                rows.execute(sql, (renewal.edition, renewal.space, window, vector))

        await self._write(work)

    async def complete(self, renewal: Renewal) -> None:
        """The new vectors are those of the file. Raises `LeaseLost`."""
        await self._write(lambda rows: self._completed(rows, renewal))
        while await self._write(lambda rows: _dropped(rows, renewal)):
            pass

    async def leave(self, renewal: Renewal) -> None:
        sql = "UPDATE search_edition SET worker = NULL WHERE number = ? AND worker = ?"
        given = (renewal.edition, self._worker)
        await self._write(lambda rows: rows.execute(sql, given).rowcount)

    def _completed(self, rows: Rows, renewal: Renewal) -> None:
        self._hold(rows, renewal)
        grown = _bytes(rows, renewal.edition, renewal.space) - _bytes(rows, renewal.edition, renewal.before)
        sql = "UPDATE search_edition SET space = ?, worker = NULL WHERE number = ?"
        rows.execute(sql, (renewal.space, renewal.edition))
        sql = "UPDATE vector_store_file SET usage_bytes = usage_bytes + ? WHERE edition = ?"
        rows.execute(sql, (grown, renewal.edition))
        if renewal.before:
            forget(rows, renewal.store, renewal.edition, renewal.before)
        sql = "INSERT INTO search_outbox (store, edition, space, gone) VALUES (?, ?, ?, 0)"
        rows.execute(sql, (renewal.store, renewal.edition, renewal.space))

    def _hold(self, rows: Rows, renewal: Renewal) -> None:
        sql = f"SELECT 1 {_FOUND} WHERE e.number = ? AND e.worker = ?"
        if rows.execute(sql, (renewal.edition, self._worker)).fetchone() is None:
            raise LeaseLost(str(renewal.edition))

    async def _read(self, work: Work[Any]) -> Any:
        return await asyncio.wrap_future(self._database.read(work))

    async def _write(self, work: Work[Any]) -> Any:
        return await asyncio.wrap_future(self._database.write(work))


def _bytes(rows: Rows, edition: int, space: str | None) -> int:
    sql = "SELECT CAST(COALESCE(SUM(LENGTH(vector)), 0) AS BIGINT) FROM search_vector WHERE edition = ? AND space = ?"
    return rows.execute(sql, (edition, space)).fetchone()[0] if space else 0


def _dropped(rows: Rows, renewal: Renewal) -> int:
    """How many of the old vectors went."""
    some = f'SELECT "window" FROM search_vector WHERE edition = ? AND space = ? LIMIT {_MANY}'
    sql = f'DELETE FROM search_vector WHERE edition = ? AND space = ? AND "window" IN ({some})'
    old = (renewal.edition, renewal.before)
    return rows.execute(sql, (*old, *old)).rowcount if renewal.before else 0
