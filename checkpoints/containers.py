"""Containers: their rows, who holds them, and which bytes nobody needs any more.

One process at a time runs code in a container: it holds a lease, which is worth as much as the process is alive by
`checkpoints.workers`. Files may be added and removed by any process at any time.
"""

# ruff: noqa: S608 - SQL is put together from constants of this package only

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from checkpoints import container as row
from checkpoints.container import Bounds
from checkpoints.database import Database, Rows, Work
from checkpoints.feed import Feed
from checkpoints.page import Page, keyset
from graph.containers import Container, ContainerFile, Held, Lease
from graph.errors import LeaseLost, NotFound

T = TypeVar("T")


class Containers:
    """Another owner's containers are not found."""

    def __init__(self, database: Database, feed: Feed, worker: str) -> None:
        """`worker`: the process that takes containers here."""
        self._database = database
        self._feed = feed
        self._worker = worker

    # ------------------------------------------------------------ containers

    async def create(self, container: Container) -> None:
        """A second time does nothing."""
        clock = self._database.clock
        await self._write(lambda rows: row.insert(rows, container, clock))

    async def find(self, owner: str, id: str) -> Container | None:
        return await self._read(lambda rows: row.find(rows, owner, id))

    async def page(self, owner: str, page: Page, name: str | None = None) -> Sequence[Container] | None:
        """Containers in the order they were made, one more than the page holds; None when `after` is not there."""

        def work(rows: Rows) -> list[Container] | None:
            after = row.find(rows, owner, page.after) if page.after else None
            if page.after and after is None:
                return None
            beyond, given = keyset(page, (after.created_at, after.id) if after else None)
            named, names = (" AND name = ?", (row.plain(name),)) if name is not None else ("", ())
            sql = f"SELECT {row.COLUMNS} FROM container WHERE owner = ?{named}{beyond}"
            return [row.container_of(found) for found in rows.execute(sql, (owner, *names, *given)).fetchall()]

        return await self._read(work)

    async def touch(self, owner: str, id: str) -> bool:
        """It is used; False when there is none."""
        clock = self._database.clock
        return await self._write(lambda rows: row.touch(rows, owner, id, clock))

    async def remove(self, owner: str, id: str) -> Sequence[str] | None:
        """Forget it and its files: where its bytes were, which are loose now. None when there is none."""
        clock = self._database.clock
        return await self._write(lambda rows: row.remove(rows, owner, id, clock))

    # ------------------------------------------------------------ who has it

    def watch(self, id: str | None = None) -> AbstractContextManager[asyncio.Event]:
        """An event that is set when a container may be free, or (None) when one of this process is wanted or gone."""
        return self._feed.watch(id or self._worker)

    async def take(self, id: str) -> Lease | None:
        """Have it, whoever of the dead had it; None when somebody living has it, who is asked to let go.

        Raises `NotFound`.
        """
        clock = self._database.clock
        sql = (
            f"UPDATE container SET holder = ?, epoch = epoch + 1, wanted = NULL, used_at = {clock} "
            f"WHERE id = ? AND {row.FREE} RETURNING {row.COLUMNS}"
        )

        def work(rows: Rows) -> Lease | None:
            found = rows.execute(sql, (self._worker, id, self._worker)).fetchone()
            if found:
                return row.lease_of(found)
            if rows.execute("SELECT 1 FROM container WHERE id = ?", (id,)).fetchone() is None:
                raise NotFound(f"Container with id '{id}' not found.")
            rows.execute("UPDATE container SET wanted = ? WHERE id = ? AND wanted IS NULL", (self._worker, id))
            return None

        return await self._write(work)

    async def held(self) -> Mapping[str, Held]:
        """The containers that this process holds, by id."""
        sql = "SELECT id, epoch, wanted IS NOT NULL FROM container WHERE holder = ?"
        found = await self._read(lambda rows: rows.execute(sql, (self._worker,)).fetchall())
        return {id: Held(epoch, bool(wanted)) for id, epoch, wanted in found}

    async def begin(self, lease: Lease) -> Sequence[ContainerFile]:
        """A call is about to be made: the files there are. Raises `LeaseLost`."""

        def work(rows: Rows) -> list[ContainerFile]:
            self._hold(rows, lease, "calls = calls + 1")
            return row.files(rows, lease.container.id)

        return await self._write(work)

    async def save(self, lease: Lease, place: str | None) -> str | None:
        """The variables are there from now on, or (None) there are none; where they were before. Raises `LeaseLost`."""
        clock = self._database.clock

        def work(rows: Rows) -> str | None:
            sql = "SELECT saved FROM container WHERE id = ?"
            before = rows.execute(sql, (lease.container.id,)).fetchone()
            self._hold(rows, lease, "saved_calls = calls, saved = ?", place)
            if place:
                row.fasten(rows, place)
            row.loosen(rows, [before[0]] if before[0] else [], clock)
            return before[0]

        return await self._write(work)

    async def release(self, id: str, epoch: int) -> None:
        """Let others have it; nothing happens when another has it already."""
        sql = "UPDATE container SET holder = NULL, wanted = NULL WHERE id = ? AND holder = ? AND epoch = ?"
        given = (id, self._worker, epoch)
        await self._write(lambda rows: rows.execute(sql, given).rowcount)

    def _hold(self, rows: Rows, lease: Lease, change: str, *given: str | None) -> None:
        sql = (
            f"UPDATE container SET {change}, used_at = {self._database.clock} WHERE id = ? AND holder = ? AND epoch = ?"
        )
        if not rows.execute(sql, (*given, lease.container.id, self._worker, lease.epoch)).rowcount:
            raise LeaseLost(lease.container.id)

    # ------------------------------------------------------------ files

    async def files(self, owner: str, id: str) -> Sequence[ContainerFile] | None:
        """By path; None when there is no such container."""

        def work(rows: Rows) -> list[ContainerFile] | None:
            return row.files(rows, id) if row.find(rows, owner, id) else None

        return await self._read(work)

    async def add(self, owner: str, file: ContainerFile, bounds: Bounds, brought: Sequence[str] = ()) -> ContainerFile:
        """Keep a file that a caller has sent. Raises `NotFound`, `RequestError`."""
        clock = self._database.clock

        def work(rows: Rows) -> ContainerFile:
            if not row.touch(rows, owner, file.container_id, clock):
                raise NotFound(f"Container with id '{file.container_id}' not found.")
            row.check(rows, owner, file, bounds)
            row.bring(rows, file.container_id, brought)
            return row.keep(rows, file, clock)

        return await self._write(work)

    async def settle(
        self, lease: Lease, kept: Sequence[ContainerFile], bounds: Bounds, brought: Sequence[str] = ()
    ) -> Sequence[ContainerFile]:
        """Keep files that a call has made or changed: as they are now. `brought`: ids of the files of the Files API
        that are in the container with them. Raises `LeaseLost`, `RequestError`."""
        clock = self._database.clock

        def work(rows: Rows) -> list[ContainerFile]:
            self._hold(rows, lease, "epoch = epoch")
            row.bring(rows, lease.container.id, brought)
            return [settled(rows, file) for file in kept]

        def settled(rows: Rows, file: ContainerFile) -> ContainerFile:
            row.check(rows, lease.container.owner, file, bounds)
            return row.keep(rows, file, clock)

        return await self._write(work)

    async def forget(self, lease: Lease, gone: Sequence[ContainerFile]) -> None:
        """Files that a call has removed. Raises `LeaseLost`."""
        clock = self._database.clock

        def work(rows: Rows) -> None:
            self._hold(rows, lease, "epoch = epoch")
            for file in gone:
                row.drop(rows, lease.container.id, file, clock)

        await self._write(work)

    async def drop(self, owner: str, file: ContainerFile) -> bool:
        """Forget a file that a caller wants gone; False when it was changed meanwhile, or has gone."""
        clock = self._database.clock

        def work(rows: Rows) -> bool:
            known = row.touch(rows, owner, file.container_id, clock)
            return known and row.drop(rows, file.container_id, file, clock)

        return await self._write(work)

    # ------------------------------------------------------------ bytes that nobody needs

    async def loosen(self, places: Sequence[str]) -> None:
        """Bytes are about to be written there: unless a row comes to name them, they go."""
        clock = self._database.clock
        await self._write(lambda rows: row.loosen(rows, places, clock))

    async def loose(self, older_than_s: float, limit: int = 100) -> Sequence[str]:
        """Where bytes are that have been loose for so long."""
        past = f"since <= {self._database.clock} - ? ORDER BY since LIMIT {limit:d}"
        sql = f"SELECT place FROM container_loose WHERE {past}"
        found = await self._read(lambda rows: rows.execute(sql, (older_than_s,)).fetchall())
        return [place for (place,) in found]

    async def gone(self, places: Sequence[str]) -> None:
        """Loose bytes that were deleted."""
        await self._write(lambda rows: row.forget(rows, places))

    async def _read(self, work: Work[T]) -> T:
        return await asyncio.wrap_future(self._database.read(work))

    async def _write(self, work: Work[T]) -> Any:
        return await asyncio.wrap_future(self._database.write(work))
