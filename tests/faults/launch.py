"""`python -m tests.faults.launch serve …` is the same command line, on stores that stop where a test says.

`FAULTS_PORT` is where the test listens, `FAULTS_CLOCK` the seconds by which this process' clock is wrong, and
`FAULTS_VERSION` the version it takes itself for.
"""

import os
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import server
from checkpoints import STORES, Store, open_sqlite
from checkpoints.feed import LocalFeed
from checkpoints.sqlite import SqliteDatabase
from checkpoints.store import store_on
from tests.faults.agent import Agent
from tests.faults.watched import Watched


def main() -> None:
    if wrong_by := float(os.environ.get("FAULTS_CLOCK", 0)):
        shift_clock(wrong_by)
    server.__version__ = os.environ.get("FAULTS_VERSION", server.__version__)
    if port := os.environ.get("FAULTS_PORT"):
        STORES["sqlite"] = _sqlite(Agent(int(port)))
    from server.cli import main as command_line

    command_line()


def shift_clock(by_s: float) -> None:
    """Python's own clock, for every module that asks it later."""
    true, true_ns = time.time, time.time_ns
    time.time = lambda: true() + by_s
    time.time_ns = lambda: true_ns() + int(by_s * 1e9)


def _sqlite(agent: Agent) -> Any:
    @asynccontextmanager
    async def opened(
        path: Path, *, cache_bytes: int = 2**20, synchronous: Any = "NORMAL", version: str = ""
    ) -> AsyncGenerator[Store]:
        async with open_sqlite(path):  # makes and migrates it
            pass
        database = SqliteDatabase(path, synchronous)
        try:
            yield store_on(Watched(database, agent), LocalFeed(), cache_bytes, version)
        finally:
            database.close()

    return opened


if __name__ == "__main__":
    main()
