"""`python -m tests.faults.launch serve …` is the same command line, on stores that stop where a test says.

`FAULTS_PORT` is where the test listens, `FAULTS_CLOCK` the seconds by which this process' clock is wrong, and
`FAULTS_VERSION` the version it takes itself for.
"""

import asyncio
import os
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import server
from checkpoints import STORES, Store, open_postgres, open_sqlite
from checkpoints.feed import LocalFeed
from checkpoints.item_log import LogCache
from checkpoints.listen import listening
from checkpoints.postgres import PostgresDatabase
from checkpoints.sqlite import SqliteDatabase
from checkpoints.store import store_on
from tests.faults.agent import Agent
from tests.faults.watched import Watched

CACHE_BYTES = 2**20


def main() -> None:
    if wrong_by := float(os.environ.get("FAULTS_CLOCK", 0)):
        shift_clock(wrong_by)
    server.__version__ = os.environ.get("FAULTS_VERSION", server.__version__)
    if port := os.environ.get("FAULTS_PORT"):
        agent = Agent(int(port))
        STORES.update(sqlite=_sqlite(agent), postgresql=_postgresql(agent))
    from server.cli import main as command_line

    command_line()


def shift_clock(by_s: float) -> None:
    """Python's own clock, for every module that asks it later."""
    true, true_ns = time.time, time.time_ns
    time.time = lambda: true() + by_s
    time.time_ns = lambda: true_ns() + int(by_s * 1e9)


def _sqlite(agent: Agent) -> Any:
    @asynccontextmanager
    async def opened(path: Path, *, version: str = "", **_: Any) -> AsyncGenerator[Store]:
        async with open_sqlite(path):  # makes and migrates it
            pass
        database = SqliteDatabase(path, "NORMAL")
        try:
            yield store_on(Watched(database, agent), LocalFeed(), LogCache(CACHE_BYTES), version)
        finally:
            await asyncio.to_thread(database.close)

    return opened


def _postgresql(agent: Agent) -> Any:
    @asynccontextmanager
    async def opened(url: str, *, pool: int = 10, version: str = "", **_: Any) -> AsyncGenerator[Store]:
        async with open_postgres(url, pool=1):
            pass
        cache = LogCache(CACHE_BYTES)
        database = PostgresDatabase(url, pool, cache.clear)
        try:
            async with listening(url) as feed:
                yield store_on(Watched(database, agent), feed, cache, version)
        finally:
            await asyncio.to_thread(database.close)

    return opened


if __name__ == "__main__":
    main()
