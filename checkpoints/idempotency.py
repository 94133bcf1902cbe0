"""Idempotency keys: which response a caller's key stands for. The unique key of the table decides between replicas."""

# ruff: noqa: S608 - SQL is put together from constants of this package only

import asyncio
from typing import NamedTuple, TypeVar

from checkpoints.database import Database, Rows, Work

T = TypeVar("T")

#: How long a key stands for its response, in seconds.
KEPT_S = 24 * 3600
#: After this many seconds a key whose response was never seen is free, whoever took it.
_NEVER_BEGAN_S = 900
_GONE = (
    "NOT EXISTS (SELECT 1 FROM response WHERE response.id = idempotency.response_id) "
    "AND NOT EXISTS (SELECT 1 FROM run WHERE run.response_id = idempotency.response_id)"
)
_DEAD = "NOT EXISTS (SELECT 1 FROM worker WHERE worker.id = idempotency.worker)"
_BEGUN = (
    "SELECT 1 FROM response WHERE id = ? AND (status NOT IN ('queued', 'in_progress') "
    "OR EXISTS (SELECT 1 FROM event WHERE response_id = response.id AND start = 0))"
)


class Attempt(NamedTuple):
    """The request that has a key."""

    response_id: str
    body_hash: bytes
    #: Whether its response can be read. Before that it may still fail, and the key is free again.
    begun: bool


class Idempotency:
    """Keys of all owners, seen from the process `worker`."""

    def __init__(self, database: Database, worker: str) -> None:
        self._database = database
        self._worker = worker
        #: Responses that did not begin here, and whose keys may still be taken.
        self._failed: set[str] = set()

    async def take(self, owner: str, key: str, mine: Attempt) -> Attempt:
        """The attempt that has the key: `mine` when nobody had it, else the earlier one as it stands now."""
        row = (owner, key, mine.body_hash, mine.response_id, self._worker)
        try:
            return await self._write(lambda rows: _take(rows, row, self._database.clock))
        except BaseException:  # it may have been written all the same
            self._failed.add(mine.response_id)
            raise

    async def release(self, response_id: str) -> None:
        """The response did not begin: its key is free, later at the latest if the store is away now."""
        self._failed.add(response_id)
        await self._write(lambda rows: None)

    async def _write(self, work: Work[T]) -> T:
        failed = frozenset(self._failed)

        def free_first(rows: Rows) -> T:
            for response_id in failed:
                rows.execute(f"DELETE FROM idempotency WHERE response_id = ? AND {_GONE}", (response_id,))
            return work(rows)

        done = await asyncio.wrap_future(self._database.write(free_first))
        self._failed -= failed
        return done


def forget(rows: Rows, response_id: str) -> None:
    rows.execute("DELETE FROM idempotency WHERE response_id = ?", (response_id,))


def expire(rows: Rows, clock: str) -> int:
    """Drop the keys whose time is over; gives their number."""
    return rows.execute(f"DELETE FROM idempotency WHERE created_at < {clock} - ?", (KEPT_S,)).rowcount


def _take(rows: Rows, row: tuple[str, str, bytes, str, str], clock: str) -> Attempt:
    _free(rows, row[:2], clock)
    sql = (
        "INSERT INTO idempotency (owner, key, body_hash, response_id, worker, created_at) "
        f"VALUES (?, ?, ?, ?, ?, {clock}) ON CONFLICT DO NOTHING"
    )
    rows.execute(sql, row)
    sql = "SELECT response_id, body_hash FROM idempotency WHERE owner = ? AND key = ?"
    found = rows.execute(sql, row[:2]).fetchone()
    if found is None:  # given back between the two statements
        return _take(rows, row, clock)
    begun = rows.execute(_BEGUN, found[:1]).fetchone() is not None
    return Attempt(found[0], bytes(found[1]), begun)


def _free(rows: Rows, named: tuple[str, str], clock: str) -> None:
    """Drop the key when its time is over, or when its response is gone and nobody is about to begin it."""
    abandoned = f"{_GONE} AND (created_at < {clock} - ? OR {_DEAD})"
    sql = f"DELETE FROM idempotency WHERE owner = ? AND key = ? AND (created_at < {clock} - ? OR ({abandoned}))"
    rows.execute(sql, (*named, KEPT_S, _NEVER_BEGAN_S))
