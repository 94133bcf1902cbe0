"""Chroma is told what the database has and it has not, a little at a time, by whichever process comes to it.

A collection that is there has all that Chroma was told of its store; one that is not there is told everything anew.
"""

import asyncio
import logging
import shutil
import sqlite3
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import NamedTuple

from graph.errors import StoreUnavailable
from graph.vector_stores import Move, Told
from nodes.file_search.chroma.child import DATA, Child
from nodes.file_search.chroma.client import Chroma, ChromaFailed, Gone
from nodes.file_search.chroma.naming import Naming
from nodes.file_search.port import Moves

logger = logging.getLogger(__name__)

_LOOK_S, _AGAIN_S, _END_S = 1.0, 5.0, 3.0
#: Vectors told at once.
_TOGETHER = 200


class Status(NamedTuple):
    #: And the vectors in them.
    collections: Mapping[str, int]
    #: Rows of the outbox.
    waiting: int


class Draining:
    def __init__(self, chroma: Chroma, naming: Naming, moves: Moves, least: int, child: Child | None) -> None:
        """`least`: windows up to which a store is not told of; `child`: the server, if it is ours."""
        self._chroma = chroma
        self._naming = naming
        self._moves = moves
        self._least = least
        self._child = child
        self._compared = False
        #: Collections were dropped, and their directories are still there.
        self._littered = False
        #: The row that was taken last: another has its turn before it comes again.
        self._last = 0
        self._ending = self._resting = False

    @asynccontextmanager
    async def keeping(self) -> AsyncGenerator[None]:
        """Do it meanwhile."""
        task = asyncio.create_task(self._run(), name="chroma")
        try:
            yield
        finally:
            self._ending = True
            await asyncio.wait([task], timeout=0 if self._resting else _END_S)
            task.cancel()
            await asyncio.wait([task])
            await self.close()

    async def close(self) -> None:
        await self._chroma.close()
        if self._child:
            await self._child.close()

    async def rebuild(self) -> int:
        """All is told anew; how many files that is. Searches look at every vector until then."""
        count = await self._moves.anew()
        for name in await self._names():
            await self._drop(name)
        await self._sweep()
        return count

    async def status(self) -> Status:
        counts = {name: await self._chroma.count(name) for name in await self._names()}
        return Status(counts, await self._moves.waiting())

    async def _run(self) -> None:
        failed = False
        while not self._ending:
            try:
                pause = 0 if await self._step() else _LOOK_S
                failed = False
            except (ChromaFailed, StoreUnavailable) as error:
                if not failed:
                    logger.warning("Chroma is not told of new files for now", extra={"why": str(error)})
                failed, pause = True, _AGAIN_S
            self._resting = True
            await asyncio.sleep(pause)
            self._resting = False

    async def _step(self) -> bool:
        """One edition; False when there was none."""
        if not self._compared:
            await self._compare()
            self._compared = True
        move = await self._moves.take(self._least, self._last)
        self._last = move.number if move else 0
        if move is None:
            await self._sweep()
            return False
        if await self._told(move):
            await self._moves.done(move)
        return True

    async def _told(self, move: Move) -> bool:
        """False when it stands among others now, that are to be told anew."""
        name = await self._naming.name(move.store, move.space)
        if move.interrupted and self._child:
            await self._moves.anew(move.store)
            await self._drop(name)
            return move.gone
        if move.gone:
            await self._forget(move, name)
            return True
        try:
            beyond = 0
            while not self._ending and (some := await self._moves.vectors(move, beyond, _TOGETHER)):
                await self._chroma.put(name, move.edition, some)
                beyond = some[-1][0]
        except Gone:
            await self._moves.anew(move.store)
            await self._chroma.make(name)
            self._last, self._littered = 0, True
            return False
        return not self._ending

    async def _forget(self, move: Move, name: str) -> None:
        if await self._moves.lives(move.store):
            with suppress(Gone):
                await self._chroma.forget(name, move.edition)
        else:
            await self._drop(name)

    async def _drop(self, name: str) -> None:
        await self._chroma.drop(name)
        self._littered = True

    async def _names(self) -> list[str]:
        prefix = await self._naming.prefix()
        return [name for name in await self._chroma.names() if name.startswith(prefix)]

    async def _compare(self) -> None:
        """At the start: what Chroma has must be what it was told, or it is told anew; what nobody knows goes."""
        told = await self._moves.expected()
        if not told:
            return  # nor is a server started
        wanted = {await self._naming.name(one.store, one.space): one for one in told}
        names = await self._names()
        for name in names:
            if name not in wanted:
                await self._drop(name)
        for name, one in wanted.items():
            if name not in names:
                await self._moves.anew(one.store)
            elif not await self._whole(name, one):
                await self._moves.anew(one.store)
                await self._drop(name)
        self._littered = True

    async def _whole(self, name: str, told: Told) -> bool:
        try:
            has = await self._chroma.count(name)
        except Gone:
            return False
        return has >= told.windows or has >= await self._moves.count(told.store, told.space)

    async def _sweep(self) -> None:
        if self._child and self._littered:
            self._littered = False
            with suppress(sqlite3.Error, OSError):
                await asyncio.to_thread(_swept, self._child.directory / DATA)


def _swept(data: Path) -> None:
    """Chroma leaves the directories of collections that were dropped. Those that are there are looked at first: one
    that is made meanwhile is not among them."""
    there = [path for path in data.iterdir() if path.is_dir()]
    with closing(sqlite3.connect(f"file:{data / 'chroma.sqlite3'}?mode=ro", uri=True, timeout=5)) as database:
        living = {id for (id,) in database.execute("SELECT id FROM segments")}
    for directory in there:
        if directory.name not in living:
            shutil.rmtree(directory, ignore_errors=True)
