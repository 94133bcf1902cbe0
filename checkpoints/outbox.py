"""What an index beside the database does not know yet: editions whose vectors it is to get, or to forget.

It may lag: a search looks at the vectors of editions that still stand here one by one. Whoever takes a row does what it
says and then removes it; done twice it comes to the same.
"""

# ruff: noqa: S608 - SQL is put together from constants of this package only

import asyncio
from collections.abc import Sequence
from typing import Any

from checkpoints.database import Database, Rows, Work
from checkpoints.filtering import clause
from checkpoints.vector_stores import expired
from graph.vector_stores import Held, Move, Scope

_FREE = "(o.worker IS NULL OR o.worker = ? OR NOT EXISTS (SELECT 1 FROM worker WHERE worker.id = o.worker))"
#: Stores with so many windows that the index is worth its while; what was there once is removed in any case.
_LARGE = "SELECT e.store FROM search_edition e GROUP BY e.store HAVING SUM(e.windows) > ?"
_CURRENT = "FROM vector_store_file f JOIN search_edition e ON e.number = f.edition WHERE e.space IS NOT NULL"


class Outbox:
    def __init__(self, database: Database, worker: str) -> None:
        self._database = database
        self._worker = worker

    async def take(self, least: int) -> Move | None:
        """The oldest that waits, of stores with more than `least` windows."""
        sql = (
            f"SELECT o.number, o.store, o.edition, o.space, o.gone FROM search_outbox o WHERE {_FREE} "
            f"AND (o.gone = 1 OR o.store IN ({_LARGE})) ORDER BY o.number LIMIT 1"
        )
        given = (self._worker, least)
        found = await self._read(lambda rows: rows.execute(sql, given).fetchone())
        if found is None:
            return None
        number, store, edition, space, gone = found
        sql = f"UPDATE search_outbox AS o SET worker = ? WHERE o.number = ? AND {_FREE}"
        mine = await self._write(lambda rows: rows.execute(sql, (self._worker, number, self._worker)).rowcount)
        return Move(number, store, edition, space, bool(gone)) if mine else None

    async def vectors(self, move: Move, beyond: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """Windows after `beyond`, with their vectors."""
        sql = (
            'SELECT "window", vector FROM search_vector WHERE edition = ? AND space = ? AND "window" > ? '
            f'ORDER BY "window" LIMIT {limit:d}'
        )
        given = (move.edition, move.space, beyond)
        return await self._read(lambda rows: rows.execute(sql, given).fetchall())

    async def done(self, move: Move) -> bool:
        """False when it was taken back meanwhile."""
        sql = "DELETE FROM search_outbox WHERE number = ?"
        return bool(await self._write(lambda rows: rows.execute(sql, (move.number,)).rowcount))

    async def lives(self, store: int) -> bool:
        sql = "SELECT 1 FROM vector_store WHERE number = ?"
        return bool(await self._read(lambda rows: rows.execute(sql, (store,)).fetchone()))

    async def held(self, scope: Scope, space: str) -> Sequence[Held]:
        """The editions with such vectors that the scope lets be found."""
        filters = clause(scope.filters)
        marks = ", ".join("?" * len(scope.store_ids)) or "NULL"
        waits = "EXISTS (SELECT 1 FROM search_outbox o WHERE o.edition = e.number AND o.space = ? AND o.gone = 0)"
        sql = (
            f"SELECT e.store, e.number, {waits} FROM vector_store s JOIN vector_store_file f ON f.store = s.number "
            "JOIN search_edition e ON e.number = f.edition AND e.space = ? WHERE s.owner = ? "
            f"AND s.id IN ({marks}) AND NOT {expired(self._database.clock, 's')} "
            f"AND f.status IN ('completed', 'in_progress') AND {filters.sql}"
        )
        given = (space, space, scope.owner, *scope.store_ids, *filters.given)
        found = await self._read(lambda rows: rows.execute(sql, given).fetchall())
        return [Held(store, edition, bool(waiting)) for store, edition, waiting in found]

    async def expected(self) -> Sequence[tuple[int, str, int]]:
        """Stores, spaces, and how many vectors the index should have of them."""
        sql = (
            f"SELECT e.store, e.space, CAST(SUM(e.windows) AS BIGINT) {_CURRENT} AND NOT EXISTS (SELECT 1 FROM "
            "search_outbox o WHERE o.edition = e.number AND o.gone = 0) GROUP BY e.store, e.space"
        )
        return await self._read(lambda rows: [tuple(row) for row in rows.execute(sql).fetchall()])

    async def anew(self, store: int | None = None) -> int:
        """The index is to get everything again, of one store or of all; how many editions."""
        one = "" if store is None else " AND e.store = ?"
        sql = (
            f"INSERT INTO search_outbox (store, edition, space, gone) SELECT e.store, e.number, e.space, 0 {_CURRENT}"
            f"{one} AND NOT EXISTS (SELECT 1 FROM search_outbox o WHERE o.edition = e.number AND o.gone = 0)"
        )
        return await self._write(lambda rows: rows.execute(sql, () if store is None else (store,)).rowcount)

    async def _read(self, work: Work[Any]) -> Any:
        return await asyncio.wrap_future(self._database.read(work))

    async def _write(self, work: Work[Any]) -> Any:
        return await asyncio.wrap_future(self._database.write(work))


def forget(rows: Rows, store: int, edition: int, space: str) -> None:
    """An edition goes: if the index was never told of it, it need not be."""
    sql = "DELETE FROM search_outbox WHERE edition = ? AND gone = 0 AND worker IS NULL"
    if not rows.execute(sql, (edition,)).rowcount:
        sql = "INSERT INTO search_outbox (store, edition, space, gone) VALUES (?, ?, ?, 1)"
        rows.execute(sql, (store, edition, space))
