"""Sandboxes kept ready, so that code need not wait for one to open."""

import asyncio
import logging
from typing import Protocol

from nodes.sandbox.port import Broken, Room, Sandbox

logger = logging.getLogger(__name__)


class Ways(Protocol):
    """The ways to have sandboxes, as one: see `choose.Choice`."""

    @property
    def name(self) -> str: ...
    async def problem(self) -> str | None: ...
    async def refusal(self, room: Room) -> str | None: ...
    async def open(self, room: Room) -> Sandbox: ...
    async def close(self) -> None: ...


class Pool:
    """Fits `Ways`: `size` sandboxes of one room are kept open in advance, and replaced when they are taken."""

    def __init__(self, ways: Ways, room: Room, size: int) -> None:
        self._ways = ways
        self._room = room
        self._size = size
        self._ready: list[Sandbox] = []
        self._filling: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def name(self) -> str:
        return self._ways.name

    @property
    def ready(self) -> int:
        """How many wait to be taken."""
        return len(self._ready)

    @property
    def _opening(self) -> bool:
        return self._filling is not None and not self._filling.done()

    async def problem(self) -> str | None:
        return await self._ways.problem()

    async def refusal(self, room: Room) -> str | None:
        """As of the ways. Whoever asks is about to want one: from then on they are kept ready, not before."""
        refusal = await self._ways.refusal(room)
        if refusal is None:
            self.fill()
        return refusal

    def fill(self) -> None:
        """Begin to open what is missing; what goes wrong then is told to those who open one themselves."""
        if not self._closed and self._size and not self._opening:
            self._filling = asyncio.create_task(self._fill())

    async def open(self, room: Room) -> Sandbox:
        taken = await self._taken(room)
        try:
            return taken or await self._ways.open(room)
        except Broken:
            if not self._ready and not self._opening:
                raise
            await self._pause()
            await self._give_up()  # those that wait count among those that are open
            return await self._ways.open(room)
        finally:
            self.fill()

    async def filled(self) -> None:
        """Wait until what `fill` has begun has come to its end."""
        if self._filling:
            await asyncio.wait([self._filling])

    async def open_anew(self, room: Room) -> Sandbox:
        """Whether one is ready or not."""
        return await self._ways.open(room)

    async def close(self) -> None:
        self._closed = True
        await self._pause()
        await self._give_up()
        await self._ways.close()

    async def _pause(self) -> None:
        if self._filling:
            self._filling.cancel()
        await self.filled()

    async def _give_up(self) -> None:
        while self._ready:
            await self._ready.pop().close()

    async def _taken(self, room: Room) -> Sandbox | None:
        """One that was kept ready for such a room, and still lives."""
        while room == self._room and self._ready:
            sandbox = self._ready.pop(0)
            if sandbox.alive:
                return sandbox
            await sandbox.close()
        return None

    async def _fill(self) -> None:
        try:
            while len(self._ready) < self._size and not await self._ways.problem():
                self._ready.append(await self._ways.open(self._room))
        except Broken as broken:
            logger.info("no sandbox is kept ready", extra={"reason": str(broken)})
