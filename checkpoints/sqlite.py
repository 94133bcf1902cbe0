"""The store in one SQLite file: one writer thread, a few readers, write-ahead log."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal, NamedTuple, TypeVar, cast

from checkpoints.database import Rows, Work
from checkpoints.feed import LocalFeed
from checkpoints.store import Store, store_on

T = TypeVar("T")
Synchronous = Literal["NORMAL", "FULL"]

#: The newest migration; a database that is there already starts without loading Alembic.
HEAD = "0002"
_READERS = 2
#: Writes in one transaction at most.
_BATCH = 64
_BUSY_S = 30.0
#: An item log's chunk is clustered with its key; on larger pages it fits without an overflow page.
_PAGE_BYTES = 8192
#: What the write-ahead log shrinks to when it has been copied.
_JOURNAL_BYTES = 64 * 2**20
#: Freed pages below this are kept for the next writes.
_SPARE_PAGES = 64


@asynccontextmanager
async def open_sqlite(
    path: Path, *, cache_bytes: int = 128 * 2**20, synchronous: Synchronous = "NORMAL", version: str = ""
) -> AsyncGenerator[Store]:
    """Open the file, making and migrating it as needed; closing waits for the writes under way.

    `cache_bytes` bounds the decoded logs kept in memory. With `NORMAL` a killed process loses nothing that was
    acknowledged, and a power cut may lose the last moments; `FULL` waits for the disk at every commit. `version` is
    what the process says of itself to others.
    """
    await asyncio.to_thread(_prepare, path)
    database = await asyncio.to_thread(SqliteDatabase, path, synchronous)
    try:
        yield store_on(database, LocalFeed(), cache_bytes, version)
    finally:
        await asyncio.to_thread(database.close)


class _Write(NamedTuple):
    work: Work[Any]
    done: Future[Any]


class SqliteDatabase:
    """`Database` on stdlib sqlite3; any thread and any event loop may use it."""

    clock = "((julianday('now') - 2440587.5) * 86400.0)"

    def __init__(self, path: Path, synchronous: Synchronous) -> None:
        self._writer = ThreadPoolExecutor(1, "store-writer")
        self._waiting: deque[_Write] = deque()
        self._readers = ThreadPoolExecutor(_READERS, "store-reader")
        self._connection = _connect(path, synchronous)
        self._idle: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        for _ in range(_READERS):
            self._idle.put(_connect(path, synchronous))

    def read(self, work: Work[T]) -> Future[T]:
        return self._readers.submit(self._read, work)

    def write(self, work: Work[T]) -> Future[T]:
        """Writes that wait for each other share a transaction; one that fails is undone alone."""
        done: Future[T] = Future()
        self._waiting.append(_Write(work, done))
        self._writer.submit(self._write_waiting)
        return done

    def _write_waiting(self) -> None:
        count = min(len(self._waiting), _BATCH)
        batch = [write for _ in range(count) if (write := self._waiting.popleft()).done.set_running_or_notify_cancel()]
        if batch and not self._write_all(batch):
            for write in batch:
                self._write_all([write])

    def _write_all(self, batch: Sequence[_Write]) -> bool:
        """In one transaction; False when one of several failed and none is written."""
        try:
            results = _transact(self._connection, "IMMEDIATE", lambda rows: [write.work(rows) for write in batch])
        except Exception as error:  # whatever it is, it belongs to whoever waits for it
            if len(batch) == 1:
                batch[0].done.set_exception(error)
            return len(batch) == 1
        for write, result in zip(batch, results, strict=True):
            write.done.set_result(result)
        return True

    def shrink(self) -> Future[None]:
        return self._writer.submit(_shrink, self._connection)

    def _read(self, work: Work[T]) -> T:
        connection = self._idle.get()
        try:
            return _transact(connection, "DEFERRED", work)
        finally:
            self._idle.put(connection)

    def close(self) -> None:
        """Waits for the work given so far."""
        self._readers.shutdown()
        self._writer.shutdown()
        for _ in range(_READERS):
            self._idle.get().close()
        self._connection.close()


def _connect(path: Path, synchronous: Synchronous = "NORMAL") -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_BYTES}")
    return connection


def _transact(connection: sqlite3.Connection, kind: str, work: Work[T]) -> T:
    connection.execute(f"BEGIN {kind}")
    try:
        result = work(cast(Rows, connection))  # its optional parameter has no name, which pyright cannot match
        connection.execute("COMMIT")
        return result
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _shrink(connection: sqlite3.Connection) -> None:
    if connection.execute("PRAGMA freelist_count").fetchone()[0] > _SPARE_PAGES:
        connection.execute("PRAGMA incremental_vacuum").fetchall()
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _prepare(path: Path) -> None:
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
    if current != HEAD:
        from checkpoints.migrations import migrate

        migrate(f"sqlite:///{path}")


def _version(connection: sqlite3.Connection) -> str | None:
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        return None
    return row and row[0]
