"""What an index beside the database does not know yet: editions whose vectors it is to get, or to forget.

It may lag: a search looks at the vectors of editions that still stand here one by one. Whoever takes a row does what it
says and then removes it; done twice it comes to the same. What is said of one edition is done in its order.
"""

# ruff: noqa: S608 - SQL is put together from constants of this package only

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from checkpoints.database import Database, Rows, Work
from checkpoints.filtering import clause
from checkpoints.vector_stores import expired
from graph.vector_stores import Held, Move, Scope, Told

_FREE = "(o.worker IS NULL OR o.worker = ? OR NOT EXISTS (SELECT 1 FROM worker WHERE worker.id = o.worker))"
#: Not before what was said of it earlier is done.
_NEXT = (
    "NOT EXISTS (SELECT 1 FROM search_outbox p WHERE p.edition = o.edition AND p.space = o.space "
    "AND p.number < o.number)"
)
#: Stores with so many windows that the index is worth its while; what was there once is removed in any case.
_LARGE = "SELECT e.store FROM search_edition e GROUP BY e.store HAVING SUM(e.windows) > ?"
_CURRENT = "FROM vector_store_file f JOIN search_edition e ON e.number = f.edition WHERE e.space IS NOT NULL"
_KNOWN = "NOT EXISTS (SELECT 1 FROM search_outbox o WHERE o.edition = e.number AND o.gone = 0)"
#: Seconds after which rows are looked through again though there are no new ones: a process may have died over one.
_AGAIN_S = 15.0


class Outbox:
    def __init__(self, database: Database, worker: str) -> None:
        self._database = database
        self._worker = worker
        #: The newest row when none was to be done, and until when that is believed.
        self._idle = (-1, 0.0)

    async def take(self, least: int, beyond: int = 0) -> Move | None:
        """The oldest that waits after the row `beyond`, of stores with more than `least` windows."""
        newest = await self._read(lambda rows: rows.execute("SELECT MAX(number) FROM search_outbox").fetchone()[0])
        if newest is None or (newest == self._idle[0] and time.monotonic() < self._idle[1]):
            return None
        sql = (
            f"SELECT o.number, o.store, o.edition, o.space, o.gone, o.worker FROM search_outbox o WHERE "
            f"o.number > ? AND {_FREE} "
            f"AND (o.gone = 1 OR o.store IN ({_LARGE})) AND {_NEXT} ORDER BY o.number LIMIT 1"
        )
        given = (beyond, self._worker, least)
        found = await self._read(lambda rows: rows.execute(sql, given).fetchone())
        if found is None:
            self._idle = (-1 if beyond else newest, time.monotonic() + _AGAIN_S)
            return None
        number, store, edition, space, gone, before = found
        sql = f"UPDATE search_outbox AS o SET worker = ? WHERE o.number = ? AND {_FREE}"
        mine = await self._write(lambda rows: rows.execute(sql, (self._worker, number, self._worker)).rowcount)
        died = before not in (None, self._worker)
        return Move(number, store, edition, space, bool(gone), died) if mine else None

    async def vectors(self, move: Move, beyond: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """Windows after `beyond`, with their vectors."""
        sql = (
            'SELECT "window", vector FROM search_vector WHERE edition = ? AND space = ? AND "window" > ? '
            f'ORDER BY "window" LIMIT {limit:d}'
        )
        given = (move.edition, move.space, beyond)
        return await self._read(lambda rows: rows.execute(sql, given).fetchall())

    async def done(self, move: Move) -> None:
        sql = "DELETE FROM search_outbox WHERE number = ?"
        await self._write(lambda rows: rows.execute(sql, (move.number,)).rowcount)

    async def waiting(self) -> int:
        """Rows there are."""
        return await self._read(lambda rows: rows.execute("SELECT COUNT(*) FROM search_outbox").fetchone()[0])

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

    async def expected(self) -> Sequence[Told]:
        """What the index was told."""
        sql = (
            f"SELECT e.store, e.space, CAST(SUM(e.windows) AS BIGINT) {_CURRENT} AND {_KNOWN} GROUP BY e.store, e.space"
        )
        return await self._read(lambda rows: [Told(*row) for row in rows.execute(sql).fetchall()])

    async def count(self, store: int, space: str) -> int:
        """Vectors that the index was told of; all of them are gone through."""
        sql = (
            "SELECT COUNT(*) FROM search_vector v WHERE v.space = ? AND v.edition IN "
            f"(SELECT e.number {_CURRENT} AND e.store = ? AND e.space = ? AND {_KNOWN})"
        )
        return await self._read(lambda rows: rows.execute(sql, (space, store, space)).fetchone()[0])

    async def anew(self, store: int | None = None) -> int:
        """The index is to get everything again, of one store or of all, also what it is being told; how many
        editions."""
        one, given = ("", ()) if store is None else (" AND {}store = ?", (store,))

        def work(rows: Rows) -> int:
            rows.execute(f"DELETE FROM search_outbox WHERE gone = 0{one.format('')}", given)
            told = f"SELECT e.store, e.number, e.space, 0 {_CURRENT}{one.format('e.')}"
            return rows.execute(f"INSERT INTO search_outbox (store, edition, space, gone) {told}", given).rowcount

        return await self._write(work)

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
