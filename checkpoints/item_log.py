"""The saver's idea: a log that only grows is stored once, however many checkpoints read it.

A log is cut into *lineages*. A lineage holds the entries written one after another along one branch, in chunks keyed
(lineage, start), and says where it left its parent lineage. A checkpoint stores a `LogRef`: a lineage and a length.
Continuing a head writes one chunk at the head's end; the second writer of one head finds the key taken and becomes a
new lineage, which costs a row. What a `LogRef` means never changes: a lineage whose end was freed is closed to writing.
"""

# ruff: noqa: S608 - SQL is put together from constants of this package only

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

from checkpoints.database import Rows
from checkpoints.encoding import dumps_plain
from graph.state import Entry, ItemLog

#: Bytes in memory per byte of JSON: dicts, lists and strings of typical items, and what readers put into `memo`.
_SWELL = 5

_BRANCH = """
WITH RECURSIVE branch(id, upto) AS (
  SELECT CAST(? AS BIGINT), CAST(? AS BIGINT)
  UNION ALL
  SELECT lineage.parent, CASE WHEN lineage.fork_at < branch.upto THEN lineage.fork_at ELSE branch.upto END
  FROM lineage JOIN branch ON lineage.id = branch.id WHERE lineage.parent IS NOT NULL
)
SELECT log.start, branch.upto, log.data
FROM branch JOIN log ON log.lineage = branch.id AND log.start < branch.upto
"""
_WHOLE = _BRANCH + "ORDER BY log.start"
#: From the chunk that holds entry `first` on.
_TAIL = (
    _BRANCH
    + """WHERE branch.upto > ? AND log.start >= COALESCE(
  (SELECT MAX(own.start) FROM log own WHERE own.lineage = branch.id AND own.start <= ?), 0)
ORDER BY log.start"""
)


class LogRef(NamedTuple):
    """The first `length` entries of what can be read along `lineage` and its ancestors."""

    lineage: int
    length: int


class Kept(NamedTuple):
    """A log that a transaction has stored, to be remembered when it has committed."""

    ref: LogRef
    log: ItemLog
    size_bytes: int


class LogCache:
    """Decoded logs, the longest one of each lineage, least recently used thrown out; for any thread.

    Bounded by `limit_bytes`, estimated from the size of the JSON; entries that two lineages share count twice.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._logs: OrderedDict[int, tuple[ItemLog, int]] = OrderedDict()
        self._lock = threading.Lock()
        self.size_bytes = 0

    def find(self, ref: LogRef) -> ItemLog | None:
        """The remembered log itself when it ends at `ref`, a part of it when it is longer."""
        with self._lock:
            log, _ = self._logs.get(ref.lineage, (None, 0))
            if log is None or len(log) < ref.length:
                return None
            self._logs.move_to_end(ref.lineage)
        return log if len(log) == ref.length else ItemLog(log[: ref.length], log.epoch)

    def size_of(self, lineage: int) -> int | None:
        """Estimated bytes of what is remembered of `lineage`."""
        with self._lock:
            return self._logs[lineage][1] if lineage in self._logs else None

    def keep(self, kept: Kept) -> None:
        with self._lock:
            log, size_bytes = self._logs.pop(kept.ref.lineage, (None, 0))
            self.size_bytes -= size_bytes
            if log is None or len(log) <= len(kept.log):
                log, size_bytes = kept.log, kept.size_bytes
            if size_bytes > self._limit_bytes:
                return
            self._logs[kept.ref.lineage] = (log, size_bytes)
            self.size_bytes += size_bytes
            while self.size_bytes > self._limit_bytes:
                _, (_, size_bytes) = self._logs.popitem(last=False)
                self.size_bytes -= size_bytes

    def clear(self) -> None:
        """Forget everything: another server may answer next, which does not know the last of it."""
        with self._lock:
            self._logs.clear()
            self.size_bytes = 0

    def cut(self, lineage: int, length: int) -> None:
        """Forget what is remembered of `lineage` from `length` on."""
        with self._lock:
            log, size_bytes = self._logs.pop(lineage, (None, 0))
            self.size_bytes -= size_bytes
            if log is not None and length:
                kept = log if len(log) <= length else ItemLog(log[:length], log.epoch)
                self._logs[lineage] = (kept, size_bytes)
                self.size_bytes += size_bytes


class ItemLogs:
    """Reads and writes logs inside a transaction."""

    def __init__(self, cache: LogCache) -> None:
        self._cache = cache

    def read(self, rows: Rows, ref: LogRef) -> ItemLog:
        """The log at `ref`; remembered, so do not change it. Raises `LookupError` when it was deleted."""
        if found := self._cache.find(ref):
            return found
        epoch = rows.execute("SELECT epoch FROM lineage WHERE id = ?", (ref.lineage,)).fetchone()
        chunks = rows.execute(_WHOLE, ref).fetchall()
        log = ItemLog(_entries(chunks), epoch and epoch[0])
        if len(log) != ref.length:
            raise LookupError(f"Log {ref.lineage} has {len(log)} entries, {ref.length} were expected.")
        self._cache.keep(Kept(ref, log, _SWELL * sum(len(data) for _, _, data in chunks)))
        return log

    def read_from(self, rows: Rows, ref: LogRef, first: int) -> list[Entry]:
        """Entries `first` to the end, without building the ones before."""
        if found := self._cache.find(ref):
            return found[first:]
        chunks = rows.execute(_TAIL, (*ref, first, first)).fetchall()
        start = min((chunk[0] for chunk in chunks), default=first)
        return _entries(chunks)[max(first - start, 0) :]

    def append(self, rows: Rows, log: list[Entry], parent: LogRef | None) -> Kept:
        """Store what `log` has more than `parent`; all of it, as a new log, when it is not a continuation."""
        own = log if isinstance(log, ItemLog) else ItemLog(log)
        if parent is not None:
            known = rows.execute("SELECT epoch, closed FROM lineage WHERE id = ?", (parent.lineage,)).fetchone()
            if known and known[0] == own.epoch and self._begins_alike(rows, own, parent):
                return self._continue(rows, own, parent, bool(known[1]))
        lineage, data = _new_lineage(rows, own.epoch, None, 0), dumps_plain(own[:])
        _insert(rows, LogRef(lineage, 0), data)
        return Kept(LogRef(lineage, len(own)), own, _SWELL * len(data))

    def _begins_alike(self, rows: Rows, log: ItemLog, parent: LogRef) -> bool:
        """One epoch may have forked: the entries where both end must be the same (they carry random ids)."""
        shared = min(len(log), parent.length)
        if not shared:
            return True
        return self.read_from(rows, LogRef(parent.lineage, shared), shared - 1) == [log[shared - 1]]

    def _continue(self, rows: Rows, log: ItemLog, parent: LogRef, closed: bool) -> Kept:
        if len(log) == parent.length:
            return Kept(parent, log, self._size_of(log, parent))
        if len(log) < parent.length:
            lineage = _new_lineage(rows, log.epoch, parent.lineage, len(log))
            return Kept(LogRef(lineage, len(log)), log, self._size_of(log, parent))
        data = dumps_plain(log[parent.length :])
        lineage = parent.lineage
        if closed or not _insert(rows, parent, data):
            lineage = _new_lineage(rows, log.epoch, parent.lineage, parent.length)
            _insert(rows, LogRef(lineage, parent.length), data)
        return Kept(LogRef(lineage, len(log)), log, self._size_of(log, parent) + _SWELL * len(data))

    def _size_of(self, log: ItemLog, ref: LogRef) -> int:
        known = self._cache.size_of(ref.lineage)
        return _SWELL * len(orjson.dumps(log)) if known is None else known

    def free(self, rows: Rows, lineages: Iterable[int]) -> None:
        """Delete the chunks of `lineages`, and of their ancestors, that no checkpoint and no branch needs."""
        pending = list(lineages)
        while pending:
            lineage = pending.pop()
            needed = _needed_of(rows, lineage)
            self._cache.cut(lineage, needed or 0)
            if needed is not None:
                _free_end(rows, lineage, needed)
            elif parent := _remove(rows, lineage):
                pending.append(parent)


def _entries(chunks: Iterable[tuple[int, int, bytes]]) -> list[Entry]:
    entries: list[Entry] = []
    for start, upto, data in chunks:
        entries += orjson.loads(data)[: upto - start]
    return entries


def _insert(rows: Rows, at: LogRef, data: bytes) -> bool:
    """Write a chunk; False when another has written there before."""
    sql = "INSERT INTO log (lineage, start, data) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
    return rows.execute(sql, (*at, data)).rowcount == 1


def _new_lineage(rows: Rows, epoch: str, parent: int | None, fork_at: int) -> int:
    sql = "INSERT INTO lineage (parent, fork_at, epoch, closed) VALUES (?, ?, ?, 0) RETURNING id"
    return rows.execute(sql, (parent, fork_at, epoch)).fetchone()[0]


def _needed_of(rows: Rows, lineage: int) -> int | None:
    """How many entries must stay readable along `lineage`; None when nobody reads it."""
    readers = "SELECT MAX(length) AS n FROM log_ref WHERE lineage = ?"
    branches = "SELECT MAX(fork_at) AS n FROM lineage WHERE parent = ?"
    sql = f"SELECT MAX(n) FROM ({readers} UNION ALL {branches}) AS needs"
    return rows.execute(sql, (lineage, lineage)).fetchone()[0]


def _free_end(rows: Rows, lineage: int, needed: int) -> None:
    if rows.execute("DELETE FROM log WHERE lineage = ? AND start >= ?", (lineage, needed)).rowcount:
        rows.execute("UPDATE lineage SET closed = 1 WHERE id = ?", (lineage,))


def _remove(rows: Rows, lineage: int) -> Any:
    """Delete `lineage` whole; returns its parent's id, if it had one."""
    row = rows.execute("DELETE FROM lineage WHERE id = ? RETURNING parent", (lineage,)).fetchone()
    rows.execute("DELETE FROM log WHERE lineage = ?", (lineage,))
    return row and row[0]
