"""Files that wait to be made searchable, and the processes that do it: fits `nodes.file_search.port.Jobs`.

A file in progress is taken by one process at a time, for as long as that is alive by `checkpoints.workers`. What it
makes stands under an edition of its own, which searches find when the file's row names it, and never before.
"""

# ruff: noqa: S608 - SQL is put together from constants of this package only

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import orjson

from checkpoints.database import Database, Rows, Work
from checkpoints.feed import Feed
from checkpoints.vector_files import WAITING
from graph.vector_stores import Chunking, Edition, ErrorCode, Job

#: True of a file that nobody living is making searchable.
_FREE = "(f.worker IS NULL OR NOT EXISTS (SELECT 1 FROM worker WHERE worker.id = f.worker))"
_DUE = f"FROM vector_store_file f WHERE f.status = 'in_progress' AND {_FREE}"
#: Processes that may die over one file.
_TRIES = 3
_GIVEN_UP = "The server stopped several times while it made this file searchable."
_MINE = "store = ? AND file_id = ? AND making = ? AND status = 'in_progress'"


class Ingestions:
    def __init__(self, database: Database, feed: Feed, worker: str) -> None:
        self._database = database
        self._feed = feed
        self._worker = worker

    def watch(self) -> AbstractContextManager[asyncio.Event]:
        return self._feed.watch(WAITING)

    async def take(self, limit: int) -> Sequence[Job]:
        turn = "ROW_NUMBER() OVER (PARTITION BY f.owner ORDER BY f.created_at, f.file_id)"
        sql = f"SELECT f.store, f.file_id, {turn} AS turn {_DUE} ORDER BY turn, f.created_at LIMIT {limit:d}"
        # Many may wait: they are put in their order where that holds up nobody who writes.
        waiting = [
            (store, file_id) for store, file_id, _ in await self._read(lambda rows: rows.execute(sql).fetchall())
        ]
        return await self._write(lambda rows: self._taken(rows, waiting)) if waiting else []

    def _taken(self, rows: Rows, waiting: Sequence[tuple[int, str]]) -> list[Job]:
        tried = f"SELECT f.tries {_DUE} AND f.store = ? AND f.file_id = ?"
        jobs = list[Job]()
        for store, file_id in waiting:
            found = rows.execute(tried, (store, file_id)).fetchone()
            if found and found[0] >= _TRIES:
                _failed(rows, store, file_id, "server_error", _GIVEN_UP)
            elif found and (job := self._take(rows, store, file_id)):
                jobs.append(job)
        return jobs

    def _take(self, rows: Rows, store: int, file_id: str) -> Job | None:
        sql = (
            "INSERT INTO search_edition (store, file_id, worker, windows, words, chunk_windows, shared_windows, "
            "languages) VALUES (?, ?, ?, 0, 0, 1, 0, '[]') RETURNING number"
        )
        (edition,) = rows.execute(sql, (store, file_id, self._worker)).fetchone()
        sql = (
            "UPDATE vector_store_file AS f SET making = ?, worker = ?, tries = tries + 1 "
            f"WHERE f.store = ? AND f.file_id = ? AND f.status = 'in_progress' AND {_FREE} "
            "RETURNING owner, filename, chunk_tokens, chunk_overlap, "
            "(SELECT id FROM vector_store WHERE number = store), edition IS NOT NULL"
        )
        found = rows.execute(sql, (edition, self._worker, store, file_id)).fetchone()
        if found is None:  # another was faster
            rows.execute("DELETE FROM search_edition WHERE number = ?", (edition,))
            return None
        owner, filename, tokens, overlap, store_id, again = found
        return Job(edition, owner, store_id, store, file_id, filename, Chunking(tokens, overlap), bool(again))

    async def wanted(self, job: Job) -> bool:
        sql = f"SELECT 1 FROM vector_store_file WHERE {_MINE}"
        return bool(await self._read(lambda rows: rows.execute(sql, _key(job)).fetchone()))

    async def complete(self, job: Job, edition: Edition) -> bool:
        return await self._write(lambda rows: _completed(rows, job, edition))

    async def fail(self, job: Job, code: ErrorCode, message: str) -> bool:
        def work(rows: Rows) -> bool:
            sql = f"SELECT 1 FROM vector_store_file WHERE {_MINE}"
            mine = rows.execute(sql, _key(job)).fetchone() is not None
            if mine:
                _failed(rows, job.store, job.file_id, code, message)
            _let_go(rows, job)
            return mine

        return await self._write(work)

    async def leave(self, job: Job) -> None:
        """It does not count as tried."""

        def work(rows: Rows) -> None:
            sql = f"UPDATE vector_store_file SET making = NULL, worker = NULL, tries = tries - 1 WHERE {_MINE}"
            rows.execute(sql, _key(job))
            _let_go(rows, job)

        await self._write(work)
        self._feed.tell(WAITING)

    async def _read(self, work: Work[Any]) -> Any:
        return await asyncio.wrap_future(self._database.read(work))

    async def _write(self, work: Work[Any]) -> Any:
        return await asyncio.wrap_future(self._database.write(work))


def _key(job: Job) -> tuple[int, str, int]:
    return job.store, job.file_id, job.edition


def _completed(rows: Rows, job: Job, edition: Edition) -> bool:
    sql = f"SELECT edition FROM vector_store_file WHERE {_MINE}"
    before = rows.execute(sql, _key(job)).fetchone()
    _let_go(rows, job)
    if before is None:
        return False
    count = "SELECT COUNT(*), CAST(COALESCE(SUM(length), 0) AS BIGINT) FROM search_window WHERE edition = ?"
    windows, words = rows.execute(count, (job.edition,)).fetchone()
    sql = (
        "UPDATE search_edition SET windows = ?, words = ?, chunk_windows = ?, shared_windows = ?, languages = ?, "
        "space = ? WHERE number = ?"
    )
    languages = orjson.dumps(list(edition.languages)).decode()
    made = (edition.chunk_windows, edition.shared_windows, languages, edition.space)
    rows.execute(sql, (windows, words, *made, job.edition))
    sql = (
        "UPDATE vector_store_file SET status = 'completed', edition = making, making = NULL, worker = NULL, tries = 0, "
        f"usage_bytes = ?, error_code = NULL, error_message = NULL WHERE {_MINE}"
    )
    rows.execute(sql, (edition.usage_bytes, *_key(job)))
    if edition.space:
        sql = "INSERT INTO search_outbox (store, edition, space, gone) VALUES (?, ?, ?, 0)"
        rows.execute(sql, (job.store, job.edition, edition.space))
    return True


def _failed(rows: Rows, store: int, file_id: str, code: ErrorCode, message: str) -> None:
    sql = (
        "UPDATE vector_store_file SET status = 'failed', error_code = ?, error_message = ?, edition = NULL, "
        "making = NULL, worker = NULL, usage_bytes = 0 WHERE store = ? AND file_id = ?"
    )
    rows.execute(sql, (code, message, store, file_id))


def _let_go(rows: Rows, job: Job) -> None:
    """This process writes nothing more under the edition."""
    rows.execute("UPDATE search_edition SET worker = NULL WHERE number = ?", (job.edition,))
