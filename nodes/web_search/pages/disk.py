"""Pages on disk: SQLite in one file, for all processes of a machine, across restarts.

The standard library's `sqlite3` is used: diskcache pickles what it keeps and is not maintained any more. A file that
cannot be used costs a warning and nothing else: every page in it can be fetched again.
"""

import asyncio
import json
import logging
import sqlite3
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TypeVar

from nodes.fetching import Version
from nodes.web_search.pages.webpage import Kept, Webpage

logger = logging.getLogger(__name__)
T = TypeVar("T")
#: Of the table below; a file with another one is made anew.
_SHAPE = 1
_TABLE = """
CREATE TABLE page (
    url TEXT PRIMARY KEY, content BLOB NOT NULL, fetched REAL NOT NULL, etag TEXT NOT NULL, modified TEXT NOT NULL,
    used REAL NOT NULL, bytes INTEGER NOT NULL
);
CREATE INDEX page_used ON page (used, bytes);
"""
#: All but the latest, so many bytes of them.
_FORGET = """
DELETE FROM page WHERE url IN (
    SELECT url FROM (SELECT url, SUM(bytes) OVER (ORDER BY used DESC, url) AS held FROM page) WHERE held > ?
)
"""
_WAIT_S = 2.0
#: A use is noted so much later than the one before that reading seldom writes.
_USED_S = 600.0
#: How much is left when there is too much.
_LEFT = 0.9


class Disk:
    def __init__(self, path: Path, limit_bytes: int) -> None:
        self._path = path
        self._limit_bytes = limit_bytes
        self._lock = Lock()
        self._opened: sqlite3.Connection | None = None
        self._broken = False

    async def get(self, url: str) -> Kept | None:
        return await self._in_thread(lambda file: _read(file, url))

    async def put(self, url: str, kept: Kept) -> None:
        await self._in_thread(lambda file: _write(file, url, kept, self._limit_bytes))

    async def close(self) -> None:
        await asyncio.to_thread(self._closed)

    async def _in_thread(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        return None if self._broken else await asyncio.to_thread(self._done, work)

    def _closed(self) -> None:
        with self._lock:
            self._broken = True
            if self._opened:
                self._opened.close()

    def _done(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        with self._lock:
            try:
                self._opened = self._opened or _opened(self._path)
                with self._opened:
                    return work(self._opened)
            except sqlite3.OperationalError as error:  # busy, or full
                logger.warning("A page was not kept on disk", extra={"path": str(self._path), "reason": str(error)})
            except (sqlite3.Error, OSError, ValueError, zlib.error) as error:
                self._broken = True
                logger.warning("Pages are not kept on disk", extra={"path": str(self._path), "reason": str(error)})
            return None


def _opened(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    file = sqlite3.connect(path, timeout=_WAIT_S, check_same_thread=False)
    try:
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = NORMAL")
        with file:
            _shape(file)
    except sqlite3.Error:
        file.close()
        raise
    return file


def _shape(file: sqlite3.Connection) -> None:
    file.execute("BEGIN IMMEDIATE")  # several processes may come at once
    if file.execute("PRAGMA user_version").fetchone()[0] != _SHAPE:
        file.execute("DROP TABLE IF EXISTS page")
        for statement in _TABLE.split(";"):
            file.execute(statement)
        file.execute(f"PRAGMA user_version = {_SHAPE}")


def _read(file: sqlite3.Connection, url: str) -> Kept | None:
    found = file.execute("SELECT content, fetched, etag, modified, used FROM page WHERE url = ?", [url]).fetchone()
    if found is None:
        return None
    content, fetched, etag, modified, used = found
    if time.time() - used > _USED_S:
        file.execute("UPDATE page SET used = ? WHERE url = ?", [time.time(), url])
    at, title, lines = json.loads(zlib.decompress(content))
    return Kept(Webpage(at, title, tuple(lines)), fetched, Version(at, etag, modified))


def _write(file: sqlite3.Connection, url: str, kept: Kept, limit_bytes: int) -> None:
    page, version = kept.page, kept.version
    content = zlib.compress(json.dumps([page.url, page.title, page.lines]).encode(), 1)
    size = len(content) + len(url)
    row = [url, content, kept.fetched, version.etag, version.modified, time.time(), size]
    file.execute("INSERT OR REPLACE INTO page VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    (held,) = file.execute("SELECT SUM(bytes) FROM page").fetchone()
    if held > limit_bytes:
        file.execute(_FORGET, [limit_bytes * _LEFT])
