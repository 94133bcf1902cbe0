"""What is over, as rules: which rows they are, and how one of them goes."""

# ruff: noqa: S608 - SQL is put together from constants of this package only

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from checkpoints import approvals, events
from checkpoints.database import Rows
from checkpoints.idempotency import KEPT_S

#: Seconds that no other write waits longer for.
_HOLD_S = 0.01
#: Rows looked for at once; a look does not hold the writer.
_PAGE = 1000
#: Seconds after which a silent process has no row of its own any more, and a write without its checkpoint is lost.
_LONG_S = 24 * 3600
#: A checkpoint's id begins with its time, in steps of 100 ns since the year 1582 (RFC 9562, "UUID Version 6").
_TICKS_1970 = 0x01B21DD213814000

#: True while the response of this id is not being made.
IDLE = "NOT EXISTS (SELECT 1 FROM run WHERE run.response_id = {})"

#: Removes the row that is named so.
Remove = Callable[[Rows, Sequence[Any]], object]


@dataclass(frozen=True, slots=True)
class Rule:
    """Rows that are over."""

    #: Which number of `Pruned` they count for.
    kind: str
    #: What names a row.
    columns: Sequence[str]
    #: FROM … WHERE …, true of every such row.
    over: str
    given: Sequence[Any]
    remove: Remove
    #: Makes finding them quick; need not be true when one is looked at again.
    among: str = ""

    def find(self, rows: Rows) -> list[Any]:
        names = ", ".join(self.columns)
        return rows.execute(f"SELECT {names} {self.over} {self.among} LIMIT {_PAGE}", self.given).fetchall()

    def count(self, rows: Rows) -> int:
        return rows.execute(f"SELECT COUNT(*) {self.over} {self.among}", self.given).fetchone()[0]

    def holds_for(self, rows: Rows, named: Sequence[Any]) -> bool:
        same = " AND ".join(f"{column} = ?" for column in self.columns)
        return rows.execute(f"SELECT 1 {self.over} AND {same}", (*self.given, *named)).fetchone() is not None


def some(rule: Rule, page: Sequence[Sequence[Any]], rows: Rows) -> tuple[int, int]:
    """Remove rows of a page until time is up; how many were looked at, and how many have gone."""
    until = time.monotonic() + _HOLD_S
    went = 0
    for looked, named in enumerate(page, 1):
        if rule.holds_for(rows, named):
            rule.remove(rows, named)
            went += 1
        if time.monotonic() >= until:
            return looked, went
    return len(page), went


def events_before(before: float) -> Rule:
    """Of responses that have ended, or are gone. Every response's first event is number 0."""
    over = (
        "FROM event k LEFT JOIN response r ON r.id = k.response_id LEFT JOIN checkpoint c ON c.key = r.checkpoint "
        f"WHERE k.start = 0 AND (c.id IS NULL OR c.id < ?) AND {IDLE.format('k.response_id')}"
    )
    # From one response with events to the next, past the others of each.
    known = (
        "WITH RECURSIVE known(id) AS (SELECT MIN(response_id) FROM event UNION ALL "
        "SELECT (SELECT MIN(e.response_id) FROM event e WHERE e.response_id > known.id) "
        "FROM known WHERE known.id IS NOT NULL) SELECT id FROM known WHERE id IS NOT NULL"
    )
    among = f"AND k.response_id IN ({known})"
    limit = id_at(before)
    return Rule("events", ("k.response_id",), over, (limit,), lambda rows, named: events.forget(rows, *named), among)


def keys(now: float) -> Rule:
    return _plain("idempotency", ("owner", "key"), "created_at < ?", now - KEPT_S)


def decisions(now: float) -> Rule:
    return _plain("approval", ("owner", "id"), approvals.OVER, now - approvals.KEPT_S)


def workers(now: float) -> Rule:
    return _plain("worker", ("id",), "beat_at < ?", now - _LONG_S)


def writes(now: float) -> Rule:
    """Writes of steps whose checkpoint was never stored."""
    mine = "SELECT 1 FROM checkpoint c WHERE c.thread = write.thread AND c.ns = write.ns AND c.id = write.checkpoint_id"
    over = f"checkpoint_id < ? AND NOT EXISTS ({mine})"
    return _plain("write", ("thread", "ns", "checkpoint_id", "task_id", "idx"), over, id_at(now - _LONG_S))


def _plain(table: str, columns: Sequence[str], over: str, limit: Any) -> Rule:
    """Rows that nothing hangs on."""
    same = " AND ".join(f"{column} = ?" for column in columns)
    sql = f"DELETE FROM {table} WHERE {same}"
    over = f"FROM {table} WHERE {over}"
    return Rule("leftovers", columns, over, (limit,), lambda rows, named: rows.execute(sql, named))


def id_at(unix_s: float) -> str:
    """Sorts before the ids of all checkpoints that were made later."""
    ticks = max(int(unix_s * 10_000_000) + _TICKS_1970, 0)
    return f"{ticks >> 28:08x}-{ticks >> 12 & 0xFFFF:04x}-6{ticks & 0xFFF:03x}"
