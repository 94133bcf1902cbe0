"""Who makes which response: leases, and the calls that were begun under them.

A row of `run` is there from a run's first write until its last. A background response waits in it without a worker.
"""

# ruff: noqa: S608 - SQL is put together from constants of this package only

import asyncio
from dataclasses import dataclass
from typing import NamedTuple

from checkpoints import approvals, events
from checkpoints.database import Database, Rows, Work
from checkpoints.feed import Feed
from graph.errors import LeaseLost
from graph.hold import Batch, Hold, Lease


class Waiting(NamedTuple):
    """A background response that waits for a process."""

    response_id: str
    owner: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """A response that was taken over, and what is known of it beside its checkpoint."""

    lease: Lease
    owner: str
    background: bool
    sealed: bytes | None
    #: Every event so far.
    frames: list[bytes]
    #: Item ids of hosted calls that are not safe to repeat and were begun.
    started: frozenset[str]


class Runs:
    """The runs of all processes on one database, seen from `worker`."""

    def __init__(self, database: Database, feed: Feed, worker: str) -> None:
        self._database = database
        self._feed = feed
        self.worker = worker

    async def claim(self, response_id: str) -> Claimed | None:
        """Take a response that nobody living makes; None when somebody does, or when it has ended, last event and all.

        A queued response is `in_progress` afterwards.
        """
        return await asyncio.wrap_future(self._database.write(lambda rows: _claim(rows, response_id, self.worker)))

    async def append(self, hold: Hold, batch: Batch) -> None:
        """Write events down. Raises `LeaseLost`."""
        await self._write(hold, lambda rows: events.insert(rows, hold.lease, batch))
        self._feed.tell(hold.lease.response_id)

    async def finish(self, hold: Hold, batch: Batch) -> None:
        """Write the last events down, end the run and free its conversation. Raises `LeaseLost`, also when it has ended
        before.
        """
        free = "UPDATE conversation SET holder = NULL, worker = NULL WHERE holder = ?"

        def work(rows: Rows) -> None:
            events.insert(rows, hold.lease, batch)
            end(rows, hold.lease.response_id)
            rows.execute(free, (hold.lease.response_id,))

        await self._write(hold, work)
        self._feed.tell(hold.lease.response_id)

    async def start_call(self, hold: Hold, item_id: str) -> None:
        """Note that a call begins which is not safe to repeat, and write down all events before it: whoever takes the
        response over must find the turn that asked for the call, or it would ask for another.

        Raises `LeaseLost`, and `StoreUnavailable` when that turn could not be kept.
        """
        sql = "INSERT INTO started_call (response_id, item_id) VALUES (?, ?) ON CONFLICT DO NOTHING"

        async with hold.along() as batch:
            hold.check_whole()

            def work(rows: Rows) -> None:
                rows.execute(sql, (hold.lease.response_id, item_id))
                events.insert(rows, hold.lease, batch)

            await self._write(hold, work)
        hold.check_whole()
        self._feed.tell(hold.lease.response_id)

    async def _write(self, hold: Hold, work: Work[object]) -> None:
        def held(rows: Rows) -> None:
            enter(rows, hold, self._database.clock)
            work(rows)

        await asyncio.wrap_future(self._database.write(held))
        hold.entered = True

    async def mine(self) -> frozenset[tuple[str, int]]:
        """`(response_id, epoch)` of every run this process has."""
        sql = "SELECT response_id, epoch FROM run WHERE worker = ?"
        found = self._database.read(lambda rows: rows.execute(sql, (self.worker,)).fetchall())
        return frozenset((response_id, epoch) for response_id, epoch in await asyncio.wrap_future(found))

    async def waiting(self, older_than_s: float) -> list[Waiting]:
        """Background responses that were begun that long ago and that no process makes, oldest first."""
        sql = (
            "SELECT response_id, owner, epoch FROM run WHERE worker IS NULL AND background = 1 "
            f"AND created_at < {self._database.clock} - ? ORDER BY created_at"
        )
        found = self._database.read(lambda rows: rows.execute(sql, (older_than_s,)).fetchall())
        return [Waiting(*row) for row in await asyncio.wrap_future(found)]


def enter(rows: Rows, hold: Hold, clock: str) -> None:
    """The first write of a run makes its row. Raises `LeaseLost` when another has it."""
    if hold.entered:
        return check(rows, hold.lease)
    lease = hold.lease
    if hold.upon_decisions and not approvals.begin(rows, lease.response_id):
        raise LeaseLost(lease.response_id)
    rows.execute(
        "INSERT INTO run (response_id, worker, epoch, background, recorded, owner, sealed, created_at) "
        f"VALUES (?, ?, ?, ?, ?, ?, ?, {clock}) ON CONFLICT DO NOTHING",
        (
            lease.response_id,
            lease.worker,
            lease.epoch,
            int(hold.background),
            int(hold.recorded),
            hold.owner,
            hold.sealed,
        ),
    )
    check(rows, lease)


def enter_unheld(rows: Rows, response_id: str, worker: str, clock: str) -> None:
    """A run nobody holds (it keeps no events, and its steps only if it fails) is known all the same, to be swept."""
    rows.execute(
        "INSERT INTO run (response_id, worker, epoch, background, recorded, created_at) "
        f"VALUES (?, ?, 0, 0, 0, {clock}) ON CONFLICT DO NOTHING",
        (response_id, worker),
    )


def check(rows: Rows, lease: Lease) -> None:
    """Raises `LeaseLost` unless the lease is the newest; holds others off until the transaction ends."""
    sql = "UPDATE run SET epoch = epoch WHERE response_id = ? AND epoch = ?"
    if not rows.execute(sql, (lease.response_id, lease.epoch)).rowcount:
        raise LeaseLost(lease.response_id)


def take(rows: Rows, response_id: str, worker: str | None) -> int | None:
    """Raise the epoch; gives it, or None when there is no such run."""
    sql = "UPDATE run SET epoch = epoch + 1, worker = ? WHERE response_id = ? RETURNING epoch"
    row = rows.execute(sql, (worker, response_id)).fetchone()
    return row and row[0]


def end(rows: Rows, response_id: str) -> None:
    for table in ("run", "started_call"):
        rows.execute(f"DELETE FROM {table} WHERE response_id = ?", (response_id,))


def _claim(rows: Rows, response_id: str, worker: str) -> Claimed | None:
    free = "worker IS NULL OR worker = ? OR NOT EXISTS (SELECT 1 FROM worker WHERE worker.id = run.worker)"
    sql = f"UPDATE run SET epoch = epoch + 1, worker = ? WHERE response_id = ? AND ({free}) RETURNING epoch"
    taken = rows.execute(sql, (worker, response_id, worker)).fetchone()
    if taken is None:
        return None
    rows.execute("UPDATE response SET status = 'in_progress' WHERE id = ? AND status = 'queued'", (response_id,))
    sql = "SELECT owner, background, sealed FROM run WHERE response_id = ?"
    owner, background, sealed = rows.execute(sql, (response_id,)).fetchone()
    started = rows.execute("SELECT item_id FROM started_call WHERE response_id = ?", (response_id,)).fetchall()
    return Claimed(
        lease=Lease(response_id, worker, taken[0]),
        owner=owner,
        background=bool(background),
        sealed=sealed,
        frames=events.read(rows, response_id, -1),
        started=frozenset(item_id for (item_id,) in started),
    )
