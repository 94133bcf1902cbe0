"""The events of responses that can be streamed again: batches of frames, keyed by the number of their first."""

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

from checkpoints.database import Database, Rows
from checkpoints.feed import Feed
from graph.hold import Batch, Lease

_END = b"\n\n"
#: Seconds after which a reader looks for itself; a wake-up may get lost.
_LOOK_S = 1.0


class Read(NamedTuple):
    """What was there: `frames` in order, and whether none will follow."""

    frames: list[bytes]
    ended: bool


class Events:
    def __init__(self, database: Database, feed: Feed) -> None:
        self._database = database
        self._feed = feed

    async def follow(self, response_id: str, after: int = -1) -> AsyncIterator[list[bytes]]:
        """Frames whose sequence number is above `after`, in batches, whichever process writes them; until the last.

        An empty batch tells that nothing has come for a second.
        """
        with self._feed.watch(response_id) as told:
            while True:
                told.clear()
                found = await self.read(response_id, after)
                if found.frames:
                    after += len(found.frames)
                    yield found.frames
                elif found.ended:
                    return
                else:
                    try:
                        await asyncio.wait_for(told.wait(), _LOOK_S)
                    except TimeoutError:
                        yield []

    async def read(self, response_id: str, after: int) -> Read:
        """Frames whose sequence number is above `after`."""

        def work(rows: Rows) -> Read:
            frames = read(rows, response_id, after)
            running = rows.execute("SELECT 1 FROM run WHERE response_id = ?", (response_id,)).fetchone()
            return Read(frames, running is None)

        return await asyncio.wrap_future(self._database.read(work))

    async def any(self, response_id: str) -> bool:
        """Whether the response can be streamed again."""
        sql = "SELECT 1 FROM event WHERE response_id = ? AND start = 0"
        found = self._database.read(lambda rows: rows.execute(sql, (response_id,)).fetchone())
        return await asyncio.wrap_future(found) is not None


def insert(rows: Rows, lease: Lease, batch: Batch) -> None:
    """Inside a transaction that has checked the lease. A batch that grew since a commit nobody heard of replaces it."""
    if batch.frames:
        rows.execute(
            "INSERT INTO event (response_id, start, epoch, data) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (response_id, start) DO UPDATE SET epoch = excluded.epoch, data = excluded.data",
            (lease.response_id, batch.start, lease.epoch, b"".join(batch.frames)),
        )


def read(rows: Rows, response_id: str, after: int) -> list[bytes]:
    """Frames above `after`, up to the first that is missing."""
    sql = (
        "SELECT start, data FROM event WHERE response_id = ? AND start >= COALESCE("
        "(SELECT MAX(start) FROM event WHERE response_id = ? AND start <= ?), 0) ORDER BY start"
    )
    frames: list[bytes] = []
    at = after + 1
    for start, data in rows.execute(sql, (response_id, response_id, at)).fetchall():
        batch = [frame + _END for frame in bytes(data).split(_END)[:-1]]
        if start > at:
            break
        frames += batch[at - start :]
        at = max(at, start + len(batch))
    return frames


def forget(rows: Rows, response_id: str) -> None:
    rows.execute("DELETE FROM event WHERE response_id = ?", (response_id,))
