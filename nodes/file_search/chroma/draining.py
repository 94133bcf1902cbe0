"""Chroma is told what the database has and it has not, a little at a time, by whichever process comes to it."""

import asyncio
import logging
import shutil
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from graph.errors import StoreUnavailable
from graph.vector_stores import Move
from nodes.file_search.chroma.child import DATA, Child
from nodes.file_search.chroma.client import Chroma, ChromaFailed, Gone
from nodes.file_search.chroma.naming import Naming, numbers
from nodes.file_search.port import Moves

logger = logging.getLogger(__name__)

_LOOK_S, _AGAIN_S = 1.0, 5.0
#: Vectors told at once.
_TOGETHER = 200


class Draining:
    def __init__(self, chroma: Chroma, naming: Naming, moves: Moves, least: int, child: Child | None) -> None:
        """`least`: windows up to which a store is not told of; `child`: the server, if it is ours."""
        self._chroma = chroma
        self._naming = naming
        self._moves = moves
        self._least = least
        self._child = child
        self._compared = False

    @asynccontextmanager
    async def keeping(self) -> AsyncGenerator[None]:
        """Do it meanwhile."""
        task = asyncio.create_task(self._run(), name="chroma")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            await self._chroma.close()
            if self._child:
                await self._child.close()

    async def _run(self) -> None:
        away = False
        while True:
            try:
                busy = await self._step()
                away = False
                await asyncio.sleep(0 if busy else _LOOK_S)
            except (ChromaFailed, StoreUnavailable) as failed:
                if not away:
                    logger.warning("Chroma is not told of new files for now", extra={"why": str(failed)})
                away = True
                await asyncio.sleep(_AGAIN_S)

    async def _step(self) -> bool:
        """One edition; False when there was none."""
        move = await self._moves.take(self._least)
        if move is None:
            return False
        if not self._compared:
            self._compared = True
            await self._compare()
        name = await self._naming.name(move.store, move.space)
        if move.gone:
            await self._forget(move, name)
        else:
            await self._put(move, name)
        if not await self._moves.done(move) and not move.gone:
            await self._forget(move, name)  # it has gone meanwhile
        return True

    async def _put(self, move: Move, name: str) -> None:
        beyond = 0
        while some := await self._moves.vectors(move, beyond, _TOGETHER):
            await self._chroma.put(name, {window: numbers(vector) for window, vector in some}, move.edition)
            beyond = some[-1][0]

    async def _forget(self, move: Move, name: str) -> None:
        if not await self._moves.lives(move.store):
            await self._chroma.drop(name)
            return
        with suppress(Gone):
            await self._chroma.forget(name, move.edition)

    # ------------------------------------------------------------ once, before the first

    async def _compare(self) -> None:
        """What Chroma has must be what it was told, or it is told anew; what nobody knows goes."""
        prefix = await self._naming.prefix()
        wanted = {
            await self._naming.name(store, space): (store, windows)
            for store, space, windows in await self._moves.expected()
        }
        for name in await self._chroma.names():
            if name.startswith(prefix):
                store, windows = wanted.get(name, (0, 0))
                if not store or await self._chroma.count(name) < windows:
                    await self._chroma.drop(name)
                    if store:
                        await self._moves.anew(store)
        if self._child and self._child.mine:
            await asyncio.to_thread(_sweep, self._child.directory / DATA)


def _sweep(data: Path) -> None:
    """Chroma leaves the directories of collections that were dropped."""
    database = sqlite3.connect(f"file:{data / 'chroma.sqlite3'}?mode=ro", uri=True, timeout=5)
    try:
        living = {id for (id,) in database.execute("SELECT id FROM segments")}
    finally:
        database.close()
    for directory in data.iterdir():
        if directory.is_dir() and directory.name not in living:
            shutil.rmtree(directory, ignore_errors=True)
