"""Windows of files, found by words and by vectors: fits `nodes.file_search.port.Index`.

Only windows of the edition that a file's row names are ever found, so that a file appears whole, changes whole, and is
gone with its row. What no row names is swept.
"""

# ruff: noqa: S608 - SQL is put together from constants of this package only

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import orjson

from checkpoints import bm25
from checkpoints.approval import plain
from checkpoints.database import Database, Rows, Work
from checkpoints.editions import Editions
from checkpoints.filtering import Clause, clause
from checkpoints.many import in_turn, insert, marks
from checkpoints.outbox import forget
from checkpoints.place import COLUMNS, place_of
from checkpoints.vector_stores import expired
from graph.errors import LeaseLost
from graph.vector_stores import Job, Lexical, Place, Scope, Window

#: Values of one `IN`.
_MANY = 500
#: Vectors held in memory at once.
_HELD = 10_000
#: Windows that are deleted at once, and editions that are looked for at once.
_SWEPT, _LISTED = 100, 100
_DEAD = (
    "NOT EXISTS (SELECT 1 FROM vector_store_file f WHERE f.edition = e.number OR (f.making = e.number "
    "AND f.store = e.store AND f.file_id = e.file_id)) "
    "AND (e.worker IS NULL OR NOT EXISTS (SELECT 1 FROM worker WHERE worker.id = e.worker))"
)


class Windows:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._editions = Editions()

    # ------------------------------------------------------------ written

    async def add(self, job: Job, position: int, windows: Sequence[Window], space: str | None) -> None:
        lexicon = self._database.lexicon

        def work(rows: Rows) -> None:
            sql = "SELECT 1 FROM vector_store_file WHERE store = ? AND file_id = ? AND making = ?"
            if rows.execute(sql, (job.store, job.file_id, job.edition)).fetchone() is None:
                raise LeaseLost(job.file_id)
            ids = _inserted(rows, job.edition, position, windows)
            marked = {id: [f"{job.store}x{word}" for word in w.words] for id, w in zip(ids, windows, strict=True)}
            lexicon.add(rows, marked)
            vectors = [(job.edition, space, id, w.vector) for id, w in zip(ids, windows, strict=True) if w.vector]
            insert(rows, 'search_vector (edition, space, "window", vector)', vectors if space else ())

        await self._write(work)

    async def sweep(self) -> int:
        """Forget what no file's row names any more, a little at a time; the number of editions that went."""
        sql, count = f"SELECT e.number FROM search_edition e WHERE {_DEAD} ORDER BY e.number LIMIT {_LISTED}", 0
        while dead := await self._read(lambda rows: rows.execute(sql).fetchall()):
            for (number,) in dead:
                more = True
                while more:
                    more = await self._write(partial(self._swept, number))
                count += more is not None
        return count

    def _swept(self, number: int, rows: Rows) -> bool | None:
        """Whether there is more of it; None when it was none to be swept."""
        sql = f"SELECT e.store, e.space FROM search_edition e WHERE e.number = ? AND {_DEAD}"
        found = rows.execute(sql, (number,)).fetchone()
        if found is None:
            return None
        sql = f"SELECT id FROM search_window WHERE edition = ? LIMIT {_SWEPT}"
        ids = [id for (id,) in rows.execute(sql, (number,)).fetchall()]
        if ids:
            self._database.lexicon.remove(rows, ids)
            these = marks(ids)
            rows.execute(f'DELETE FROM search_vector WHERE edition = ? AND "window" IN ({these})', (number, *ids))
            rows.execute(f"DELETE FROM search_window WHERE id IN ({these})", ids)
            return True
        store, space = found
        rows.execute("DELETE FROM search_edition WHERE number = ?", (number,))
        if space:
            forget(rows, store, number, space)
        return False

    # ------------------------------------------------------------ found

    async def languages(self, scope: Scope) -> Sequence[str]:
        within = self._within(scope)
        sql = f"SELECT e.languages, e.windows {within.sql}"
        counted: Counter[str] = Counter()
        for languages, windows in await self._read(lambda rows: rows.execute(sql, within.given).fetchall()):
            counted.update(dict.fromkeys(orjson.loads(languages), windows))
        return [language for language, _ in counted.most_common()]

    async def count(self, scope: Scope) -> int:
        within = self._within(scope)
        sql = f"SELECT CAST(COALESCE(SUM(e.windows), 0) AS BIGINT) {within.sql}"
        return (await self._read(lambda rows: rows.execute(sql, within.given).fetchone()))[0]

    async def lexical(self, scope: Scope, words: Collection[str]) -> Lexical:
        within = self._within(scope)
        sql = f"SELECT e.number, e.store, e.windows, e.words {within.sql}"

        def work(rows: Rows) -> Lexical:
            found = rows.execute(sql, within.given).fetchall()
            known = self._editions.known(rows, [row[0] for row in found])
            stores, lexicon = sorted({row[1] for row in found}), self._database.lexicon
            spelt = [[f"{store}x{word}" for store in stores] for word in words]
            telling = bm25.telling(rows, lexicon, spelt, _windows(rows, stores))
            return bm25.scored(rows, lexicon, known, telling)

        return await self._read(work)

    async def nearest(
        self, scope: Scope, space: str, vector: bytes, limit: int, only: Collection[int] | None = None
    ) -> Sequence[tuple[int, float]]:
        within = self._within(scope)
        sql = f"SELECT e.number, e.windows {within.sql}"

        def work(rows: Rows) -> Sequence[tuple[int, float]]:
            best: dict[int, float] = {}
            found = [row for row in rows.execute(sql, within.given).fetchall() if only is None or row[0] in only]
            for editions in _grouped(found):
                some = f'SELECT "window", vector FROM search_vector WHERE space = ? AND edition IN ({marks(editions)})'
                best |= _cosines(vector, rows.execute(some, (space, *editions)).fetchall())
                best = dict(sorted(best.items(), key=lambda pair: (-pair[1], pair[0]))[:limit])
            return list(best.items())

        return await self._read(work)

    async def cosines(self, space: str, vector: bytes, windows: Sequence[int]) -> Mapping[int, float]:
        sql = (
            "SELECT w.id, v.vector FROM search_window w JOIN search_vector v ON v.edition = w.edition AND v.space = ? "
            'AND v."window" = w.id WHERE w.id IN ({})'
        )

        def work(rows: Rows) -> dict[int, float]:
            found: dict[int, float] = {}
            for ids in in_turn(windows, _MANY):
                found |= _cosines(vector, rows.execute(sql.format(marks(ids)), (space, *ids)).fetchall())
            return found

        return await self._read(work)

    async def places(self, scope: Scope, windows: Sequence[int]) -> Sequence[Place]:
        within = self._within(scope)

        def work(rows: Rows) -> list[Place]:
            found = list[Place]()
            for ids in in_turn(windows, _MANY):
                # In two steps: planners would go through all windows of the scope, or once a file through these.
                sql = f"SELECT id, edition, position FROM search_window WHERE id IN ({marks(ids)})"
                stand = rows.execute(sql, ids).fetchall()
                numbers = sorted({edition for _, edition, _ in stand})
                sql = f"SELECT {COLUMNS} {within.sql} AND e.number IN ({marks(numbers)})"
                editions = {row[0]: row for row in rows.execute(sql, (*within.given, *numbers)).fetchall()}
                found += [place_of(window, editions[window[1]]) for window in stand if window[1] in editions]
            return found

        return await self._read(work)

    async def whole(self, owner: str, store_id: str, file_id: str) -> str:
        """All that is found of one file; empty when nothing is."""
        within = self._within(Scope(owner, [store_id]), "JOIN search_window w ON w.edition = e.number")
        sql = f"SELECT w.text {within.sql} AND f.file_id = ? ORDER BY w.position"
        given = (*within.given, plain(file_id))
        found = await self._read(lambda rows: rows.execute(sql, given).fetchall())
        return "".join(text for (text,) in found)

    async def text(self, edition: int, begin: int, end: int) -> str:
        sql = "SELECT text FROM search_window WHERE edition = ? AND position >= ? AND position < ? ORDER BY position"
        found = await self._read(lambda rows: rows.execute(sql, (edition, begin, end)).fetchall())
        return "".join(text for (text,) in found)

    def _within(self, scope: Scope, join: str = "", given: Sequence[Any] = ()) -> Clause:
        """Editions `e` that searches find, of files `f` in stores `s`, as far as the scope goes."""
        clock = self._database.clock
        filters = clause(scope.filters)
        ids = [plain(id) for id in scope.store_ids]
        sql = (
            "FROM vector_store s JOIN vector_store_file f ON f.store = s.number "
            f"JOIN search_edition e ON e.number = f.edition {join} "
            f"WHERE s.owner = ? AND s.id IN ({marks(ids)}) AND NOT {expired(clock, 's')} "
            f"AND NOT EXISTS (SELECT 1 FROM file WHERE file.id = f.file_id AND file.expires_at <= {clock}) "
            f"AND f.status IN ('completed', 'in_progress') AND {filters.sql}"
        )
        return Clause(sql, [*given, scope.owner, *ids, *filters.given])

    async def _read(self, work: Work[Any]) -> Any:
        return await asyncio.wrap_future(self._database.read(work))

    async def _write(self, work: Work[Any]) -> Any:
        return await asyncio.wrap_future(self._database.write(work))


def _windows(rows: Rows, stores: Sequence[int]) -> int:
    sql = f"SELECT CAST(COALESCE(SUM(windows), 0) AS BIGINT) FROM search_edition WHERE store IN ({marks(stores)})"
    return rows.execute(sql, stores).fetchone()[0]


def _inserted(rows: Rows, edition: int, position: int, windows: Sequence[Window]) -> list[int]:
    """Their ids, in their order."""
    values = [(edition, position + at, len(one.words), one.text) for at, one in enumerate(windows)]
    found = insert(rows, "search_window (edition, position, length, text)", values, "RETURNING position, id")
    return [id for _, id in sorted(found)]


def _grouped(editions: Sequence[tuple[int, int]]) -> Iterator[list[int]]:
    """Editions with about so many windows together as are held in memory at once."""
    group, held = list[int](), 0
    for edition, windows in editions:
        if group and (held + windows > _HELD or len(group) == _MANY):
            yield group
            group, held = [], 0
        group.append(edition)
        held += windows
    if group:
        yield group


def _cosines(vector: bytes, found: Sequence[tuple[int, bytes]]) -> dict[int, float]:
    """Of vectors of length 1, those that have as many numbers as `vector`."""
    import numpy as np

    kept = [(id, other) for id, other in found if len(other) == len(vector)]
    if not kept:
        return {}
    asked = np.frombuffer(vector, dtype="<f4")
    others = np.frombuffer(b"".join(other for _, other in kept), dtype="<f4").reshape(len(kept), -1)
    return dict(zip([id for id, _ in kept], (others @ asked).tolist(), strict=True))
