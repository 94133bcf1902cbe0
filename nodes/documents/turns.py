"""Turns at something scarce, of which one owner cannot have all."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class Turns:
    def __init__(self, count: int) -> None:
        """`count` at once; of one owner's all but one."""
        self._all = asyncio.Semaphore(count)
        self._share = max(1, count - 1)
        #: Of owners who have a turn, or wait for one.
        self._owners: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def taken(self, owner: str) -> AsyncGenerator[None]:
        """Wait for a turn, and have it."""
        own = self._owners.setdefault(owner, asyncio.Semaphore(self._share))
        async with own, self._all:
            yield
