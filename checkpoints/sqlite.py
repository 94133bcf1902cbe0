"""The store in one SQLite file: one writer thread, a few readers, write-ahead log."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Literal, TypeVar, cast

from checkpoints.database import Rows, Unusable, Work
from checkpoints.feed import LocalFeed
from checkpoints.item_log import LogCache
from checkpoints.lexicon import Fts5
from checkpoints.schema import must_migrate
from checkpoints.store import Store, store_on
from checkpoints.writes import Writes
from graph.errors import StoreUnavailable

T = TypeVar("T")
Synchronous = Literal["NORMAL", "FULL"]

_READERS = 2
_BUSY_S = 30.0
#: An item log's chunk is clustered with its key; on larger pages it fits without an overflow page.
_PAGE_BYTES = 8192
#: What the write-ahead log shrinks to when it has been copied.
_JOURNAL_BYTES = 64 * 2**20
#: Freed pages below this are kept for the next writes.
_SPARE_PAGES = 64
#: Freed pages given back at once, so that no write waits for more than some ten milliseconds.
_SHRINK_PAGES = 512
#: A file up to this size is read whole before it is opened; of a larger one, the beginning of every table.
_READ_WHOLE_BYTES = 32 * 2**20
#: What may be over a moment later, or when there is space again.
_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
}
_RETRY_AFTER_S = 5


class Damaged(Unusable):
    """The file is no database, or not a whole one. Nothing was written to it."""


@asynccontextmanager
async def open_sqlite(
    path: Path,
    *,
    cache_bytes: int = 128 * 2**20,
    pool: int = _READERS,
    synchronous: Synchronous = "NORMAL",
    version: str = "",
) -> AsyncGenerator[Store]:
    """Open the file, making and migrating it as needed; closing waits for the writes under way.

    `cache_bytes` bounds the decoded logs kept in memory, `pool` the connections that read, of which more than two are
    of no use. With `NORMAL` a killed process loses nothing that was
    acknowledged, and a power cut may lose the last moments; `FULL` waits for the disk at every commit. `version` is
    what the process says of itself to others. Raises `Damaged`, or another `Unusable`.
    """
    await asyncio.to_thread(_prepare, path)
    database = await asyncio.to_thread(SqliteDatabase, path, synchronous, min(pool, _READERS))
    try:
        yield store_on(database, LocalFeed(), LogCache(cache_bytes), version)
    finally:
        await asyncio.to_thread(database.close)


class SqliteDatabase:
    """`Database` on stdlib sqlite3; any thread and any event loop may use it."""

    clock = "((julianday('now') - 2440587.5) * 86400.0)"
    lexicon = Fts5()
    size = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"

    def __init__(self, path: Path, synchronous: Synchronous, readers: int = _READERS) -> None:
        self._readers = ThreadPoolExecutor(readers, "store-reader")
        self._connection = _connect(path, synchronous)
        self._idle: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        for _ in range(readers):
            self._idle.put(_connect(path, synchronous))
        # Longer than another process may keep us waiting.
        self._writes = Writes(lambda work: _transact(self._connection, "IMMEDIATE", work), 2 * _BUSY_S)

    def read(self, work: Work[T]) -> Future[T]:
        return self._readers.submit(self._read, work)

    def write(self, work: Work[T]) -> Future[T]:
        return self._writes.add(work)

    def shrink(self) -> Future[bool]:
        return self._writes.between(lambda: _shrink(self._connection))

    def vacuum(self) -> Future[None]:
        return self._writes.between(lambda: _empty_journal(self._connection))

    def pool(self) -> dict[str, int]:
        return {}

    def _read(self, work: Work[T]) -> T:
        connection = self._idle.get()
        try:
            return _transact(connection, "DEFERRED", work)
        finally:
            self._idle.put(connection)

    def close(self) -> None:
        """Waits for the work given so far."""
        self._readers.shutdown()
        self._writes.close()
        while not self._idle.empty():
            self._idle.get().close()
        self._connection.close()


class _Connection(sqlite3.Connection):
    def alone(self) -> None:
        """Nobody writes beside the transaction that writes."""


def _connect(path: Path, synchronous: Synchronous = "NORMAL") -> sqlite3.Connection:
    connection = sqlite3.connect(
        path,
        timeout=_BUSY_S,
        isolation_level=None,
        check_same_thread=False,
        factory=_Connection,
        cached_statements=256,
    )
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_BYTES}")
    return connection


def _transact(connection: sqlite3.Connection, kind: str, work: Work[T]) -> T:
    try:
        return _begun(connection, kind, work)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in _PASSING:
            raise
        message = f"The store cannot be used at the moment: {error}."
        raise StoreUnavailable(message, retry_after_s=_RETRY_AFTER_S) from error


def _begun(connection: sqlite3.Connection, kind: str, work: Work[T]) -> T:
    connection.execute(f"BEGIN {kind}")
    try:
        result = work(cast(Rows, connection))  # its optional parameter has no name, which pyright cannot match
        connection.execute("COMMIT")
        return result
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _shrink(connection: sqlite3.Connection) -> bool:
    free: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    if free > _SPARE_PAGES:
        # `execute` would take one step of it, which is one page.
        connection.executescript(f"PRAGMA incremental_vacuum({_SHRINK_PAGES})")
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    return free > _SPARE_PAGES + _SHRINK_PAGES


def _empty_journal(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def check(path: Path) -> None:
    """Raises `Damaged` for a file that is there and cannot be read."""
    if not path.exists() or not path.stat().st_size:
        return
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S)
    try:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        if tables and "alembic_version" not in tables:
            raise Unusable(f"{path} is the database of another program. Nothing was written to it.")
        for table in tables:
            connection.execute(f'SELECT 1 FROM "{table}" LIMIT 1').fetchone()  # noqa: S608 - its own tables' names
        found = connection.execute("PRAGMA quick_check(1)").fetchone() if _short(path) else ("ok",)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise
        found = (str(error),)
    finally:
        connection.close()
    if found != ("ok",):
        raise Damaged(f"{path} is damaged, or no database of this server: {found[0]}. Nothing was written to it.")


def _short(path: Path) -> bool:
    return path.stat().st_size <= _READ_WHOLE_BYTES


def _prepare(path: Path) -> None:
    check(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    connection = _connect(path)
    try:
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        current = _version(connection)
    finally:
        connection.close()
    if must_migrate(current):
        from checkpoints.migrations import migrate

        migrate(f"sqlite:///{path}")


def _version(connection: sqlite3.Connection) -> str | None:
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        return None
    return row[0] if row else None
