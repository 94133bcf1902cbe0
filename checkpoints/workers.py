"""The living processes on one database, and what the dead have left behind."""

# ruff: noqa: S608 - SQL is put together from constants of this package only

import asyncio
from typing import NamedTuple

from checkpoints import runs
from checkpoints.database import Database, Rows
from checkpoints.responses import Responses

_DEAD = "NOT EXISTS (SELECT 1 FROM worker WHERE worker.id = {})"
_LEFT = f"run.worker IS NOT NULL AND {_DEAD.format('run.worker')}"


class Swept(NamedTuple):
    """What a sweep found of the dead."""

    #: Background responses that wait for another process now.
    requeued: list[runs.Waiting]
    #: Foreground responses that have failed and whose last event is still to be said.
    unfinished: list[str]
    #: Foreground responses that have failed, or left nothing behind.
    ended: int
    #: Processes that were found dead.
    dead: int


class Known(NamedTuple):
    """A process, as it has said of itself."""

    id: str
    version: str
    silent_s: float


class Workers:
    """`id` is this process; times are the database's."""

    def __init__(self, database: Database, responses: Responses, id: str, version: str) -> None:
        self._database = database
        self._responses = responses
        self.id = id
        self._version = version

    async def beat(self) -> None:
        """Say that this process lives."""
        sql = (
            f"INSERT INTO worker (id, version, beat_at) VALUES (?, ?, {self._database.clock}) "
            "ON CONFLICT (id) DO UPDATE SET beat_at = excluded.beat_at"
        )
        write = self._database.write(lambda rows: rows.execute(sql, (self.id, self._version)).rowcount)
        await asyncio.wrap_future(write)

    async def leave(self) -> None:
        """This process ends: what it still has is left to the next sweep."""
        sql = "DELETE FROM worker WHERE id = ?"
        await asyncio.wrap_future(self._database.write(lambda rows: rows.execute(sql, (self.id,)).rowcount))

    async def alive(self) -> list[str]:
        """Ids of the processes that have said so since the last sweep that found them silent."""
        found = self._database.read(lambda rows: rows.execute("SELECT id FROM worker").fetchall())
        return [id for (id,) in await asyncio.wrap_future(found)]

    async def known(self) -> list[Known]:
        """The processes on this database, and how long each has been silent."""
        sql = f"SELECT id, version, {self._database.clock} - beat_at FROM worker ORDER BY id"
        found = self._database.read(lambda rows: rows.execute(sql).fetchall())
        return [Known(*row) for row in await asyncio.wrap_future(found)]

    async def sweep(self, silent_s: float) -> Swept:
        """End or hand on what processes had that have been silent that long. Any process may, at any time."""
        return await asyncio.wrap_future(self._database.write(lambda rows: self._sweep(rows, silent_s)))

    def _sweep(self, rows: Rows, silent_s: float) -> Swept:
        sql = f"DELETE FROM worker WHERE id <> ? AND beat_at < {self._database.clock} - ?"
        dead = rows.execute(sql, (self.id, silent_s)).rowcount
        swept = Swept(self._requeue(rows), [], 0, dead)
        ended = 0
        # Theirs are ours first: of two that sweep at a time, one has them.
        sql = (
            f"UPDATE run SET epoch = epoch + 1, worker = ? WHERE background = 0 AND {_LEFT} "
            "RETURNING response_id, recorded"
        )
        for response_id, recorded in rows.execute(sql, (self.id,)).fetchall():
            if self._responses.interrupt(rows, response_id, bool(recorded)) and recorded:
                swept.unfinished.append(response_id)
            else:
                runs.end(rows, response_id)
                ended += 1
        _unlock(rows)
        return swept._replace(ended=ended)

    def _requeue(self, rows: Rows) -> list[runs.Waiting]:
        sql = (
            f"UPDATE run SET epoch = epoch + 1, worker = NULL WHERE background = 1 AND {_LEFT} "
            "RETURNING response_id, owner, epoch"
        )
        return [runs.Waiting(*row) for row in rows.execute(sql).fetchall()]


def _unlock(rows: Rows) -> None:
    """Conversations held for responses that nobody makes any more."""
    nobody = "NOT EXISTS (SELECT 1 FROM run WHERE run.response_id = conversation.holder)"
    dead = _DEAD.format("conversation.worker")
    sql = f"UPDATE conversation SET holder = NULL, worker = NULL WHERE holder IS NOT NULL AND {dead} AND {nobody}"
    rows.execute(sql)
