"""Wake-ups between processes: one connection that listens to what triggers on the tables say."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg

from checkpoints.feed import LocalFeed

logger = logging.getLogger(__name__)

#: Where the triggers of migration 0002 say the id of the response that has news.
CHANNEL = "graphnexus"
_AGAIN_S = 1.0
#: Seconds without a word after which the connection is tried.
_SILENT_S = 10.0
#: Seconds to make a connection, and to notice that the other side is gone.
PATIENCE: dict[str, Any] = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 9000,
    "application_name": "graphnexus",
}


@asynccontextmanager
async def listening(url: str) -> AsyncGenerator[LocalFeed]:
    """A feed of what any process on the database writes. While the database is away nobody is told anything."""
    feed = LocalFeed()
    task = asyncio.create_task(_listen(url, feed), name="store-listener")
    try:
        yield feed
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _listen(url: str, feed: LocalFeed) -> None:
    away = False
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(url, autocommit=True, **PATIENCE) as connection:
                await connection.execute(f"LISTEN {CHANNEL}")
                if away:
                    logger.info("The database tells of events again")
                away = False
                feed.tell_all()  # what was said meanwhile was not heard
                await _hear(connection, feed)
        except (psycopg.Error, OSError):
            if not away:
                logger.warning("The database does not tell of events; readers look every second")
            away = True
            await asyncio.sleep(_AGAIN_S)


async def _hear(connection: psycopg.AsyncConnection, feed: LocalFeed) -> None:
    while True:
        async for notice in connection.notifies(timeout=_SILENT_S):
            feed.tell(notice.payload)
        await connection.execute("SELECT 1")
