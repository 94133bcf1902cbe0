"""The store in PostgreSQL: one writer thread, a pool of connections, any number of processes."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from threading import Lock
from typing import TypeVar

import psycopg
from psycopg import errors
from psycopg_pool import ConnectionPool, PoolTimeout
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential

from checkpoints.database import Work
from checkpoints.item_log import LogCache
from checkpoints.lexicon import Gin
from checkpoints.listen import PATIENCE, listening
from checkpoints.schema import must_migrate
from checkpoints.session import CONFLICTS, FREE, GROW, READ, Connection, Lost, NotAlone, configure, transact
from checkpoints.store import Store, store_on
from checkpoints.writes import Writes
from graph.errors import StoreUnavailable

T = TypeVar("T")

logger = logging.getLogger(__name__)

#: Seconds that work waits for its turn, and then for a connection, new attempts included.
_PATIENCE_S = 3.0
#: Attempts at work that found a key taken; were it no race, the key would stay taken.
_ATTEMPTS_AT_A_KEY = 5


@asynccontextmanager
async def open_postgres(
    url: str, *, cache_bytes: int = 128 * 2**20, pool: int = 10, version: str = ""
) -> AsyncGenerator[Store]:
    """Open the database, migrating it as needed; closing waits for the work under way.

    `url`: as libpq takes it. `pool`: connections at most, beside one that listens. `cache_bytes` and `version`: see
    `open_sqlite`. Raises `StoreUnavailable`, and `Unusable` for a database of a later version or another program.

    A database whose first number of the schema is ours may be used; one with a greater first number was migrated by
    a version that this one cannot write beside. So a rolling upgrade within one first number needs no pause.
    """
    await asyncio.to_thread(_prepare, url)
    cache = LogCache(cache_bytes)
    database = await asyncio.to_thread(PostgresDatabase, url, pool, cache.clear)
    try:
        async with listening(url) as feed:
            yield store_on(database, feed, cache, version)
    finally:
        await asyncio.to_thread(database.close)


class PostgresDatabase:
    """`Database` on psycopg; any thread and any event loop may use it."""

    clock = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)"
    lexicon = Gin()
    size = (
        "SELECT CAST(SUM(pg_total_relation_size(oid)) AS BIGINT) FROM pg_class "
        "WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
    )

    def __init__(self, url: str, pool: int, forget: Callable[[], None]) -> None:
        """`forget`: what to do when a connection was lost: the server that answers next may know less."""
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            url,
            kwargs={**PATIENCE, "autocommit": True},
            configure=configure,
            min_size=min(2, pool),
            max_size=pool,
            reconnect_timeout=1.0,  # whoever needs one next tries on
            open=True,
            name="graphnexus",
        )
        logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # or it speaks at every attempt
        self._forget = forget
        self._used: set[Connection] = set()
        self._away = False
        self._lost_at = 0.0
        self._losing = Lock()
        self._writes = Writes(self._write, _PATIENCE_S)
        #: One more than there are connections, so that somebody is there to grow impatient.
        self._readers = ThreadPoolExecutor(pool + 1, "store-reader")

    def read(self, work: Work[T]) -> Future[T]:
        return self._readers.submit(self._attempts, READ, work, time.monotonic() + _PATIENCE_S)

    def write(self, work: Work[T]) -> Future[T]:
        return self._writes.add(work)

    def shrink(self) -> Future[bool]:
        """Autovacuum does it."""
        done: Future[bool] = Future()
        done.set_result(False)
        return done

    def vacuum(self) -> Future[None]:
        return self._readers.submit(self._vacuum)

    def pool(self) -> dict[str, int]:
        """The pool's figures, as psycopg_pool names them."""
        return self._pool.get_stats()

    def close(self) -> None:
        """Waits for the work given so far."""
        self._readers.shutdown()
        self._writes.close()
        self._pool.close()

    def _write(self, work: Work[T]) -> T:
        until = time.monotonic() + _PATIENCE_S
        try:
            return self._attempts(GROW, work, until)
        except NotAlone:
            return self._attempts(FREE, work, until)

    def _attempts(self, begin: bytes, work: Work[T], until: float) -> T:
        """Do the work, again where that helps, until `until`."""

        def ended(state: RetryCallState) -> bool:
            error = state.outcome and state.outcome.exception()
            tries = _ATTEMPTS_AT_A_KEY if isinstance(error, errors.UniqueViolation) else state.attempt_number + 1
            return state.attempt_number >= tries or time.monotonic() >= until

        trying = Retrying(
            retry=retry_if_exception_type((Lost, *CONFLICTS)),
            stop=ended,
            wait=wait_random_exponential(multiplier=0.005, max=0.25),
            reraise=True,
        )
        try:
            return trying(self._once, begin, work, until)
        except (Lost, PoolTimeout) as error:
            raise self._unreachable() from error
        except errors.UniqueViolation:
            raise
        except CONFLICTS as error:
            message = "Others were writing the same rows all the time."
            raise StoreUnavailable(message, retry_after_s=1) from error

    def _once(self, begin: bytes, work: Work[T], until: float) -> T:
        connection = self._pool.getconn(max(until - time.monotonic(), 0.01))
        since = time.monotonic()
        self._used.add(connection)
        if self._away:
            self._away = False
            logger.info("The database is there again")
        try:
            return transact(connection, begin, work)
        finally:
            if connection.closed:
                self._lost(since)
            self._used.discard(connection)
            self._pool.putconn(connection)

    def _lost(self, since: float) -> None:
        """The server went away, and every other connection with it: replace those from before."""
        with self._losing:
            if since < self._lost_at:
                return
            self._lost_at = time.monotonic()
        self._forget()
        self._pool.drain()

    def _unreachable(self) -> StoreUnavailable:
        if len(self._used) == self._pool.max_size:
            return StoreUnavailable("Every connection to the database is in use.", retry_after_s=1)
        if not self._away:
            self._away = True
            logger.warning("The database cannot be reached")
        return StoreUnavailable("The database cannot be reached.", retry_after_s=2)

    def _vacuum(self) -> None:
        with self._pool.connection(_PATIENCE_S) as connection:
            connection.execute("SET statement_timeout = 0")
            try:
                connection.execute("VACUUM")
            finally:
                configure(connection)


def _prepare(url: str) -> None:
    try:
        with psycopg.connect(url, autocommit=True, **PATIENCE) as connection:
            wanting = must_migrate(_version(connection))
    except psycopg.OperationalError as error:
        raise StoreUnavailable(f"The database cannot be reached: {_one_line(error)}.", retry_after_s=2) from error
    if wanting:
        from checkpoints.migrations import migrate

        migrate("postgresql+psycopg://", lambda: psycopg.connect(url, **PATIENCE))


def _one_line(error: psycopg.Error) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")


def _version(connection: Connection) -> str | None:
    row = connection.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchone()
    if not (row and row[0]):
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return row[0] if row else None
