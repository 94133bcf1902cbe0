"""Which checkpoints of a thread: listed page by page, chosen for deletion, or copied."""

# ruff: noqa: S608 - SQL is put together from constants of this package only

from collections.abc import Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import get_checkpoint_id

from checkpoints import checkpoint
from checkpoints.checkpoint import Row, find, thread_key
from checkpoints.database import Rows, Work


class Pages:
    """Walks checkpoints newest first; each `next` is one short transaction."""

    def __init__(
        self,
        config: RunnableConfig | None,
        before: RunnableConfig | None,
        filter: dict[str, Any],
        limit: int | None,
        size: int,
    ) -> None:
        self._where, self._parameters = _conditions(config, before)
        self._filter = filter
        self._left = limit
        self._size = size
        self._last: tuple[str, int] | None = None
        self._ended = limit == 0

    def next(self, rows: Rows) -> list[Row] | None:
        """The next checkpoints that fit, perhaps none of a page; None at the end."""
        if self._ended:
            return None
        after, cursor = ("(c.id, c.key) < (?, ?)", self._last) if self._last else ("1 = 1", ())
        where = " AND ".join([*self._where, after])
        page = find(rows, f"{where} ORDER BY c.id DESC, c.key DESC LIMIT ?", (*self._parameters, *cursor, self._size))
        self._ended = len(page) < self._size
        if page:
            self._last = (page[-1].address.checkpoint_id, page[-1].key)
        return self._limited([row for row in page if self._fits(row)])

    def _fits(self, row: Row) -> bool:
        return all(row.metadata.get(name) == value for name, value in self._filter.items())

    def _limited(self, page: list[Row]) -> list[Row]:
        if self._left is None:
            return page
        taken = page[: self._left]
        self._left -= len(taken)
        self._ended = self._ended or not self._left
        return taken


def _conditions(config: RunnableConfig | None, before: RunnableConfig | None) -> tuple[list[str], list[Any]]:
    wanted = config.get("configurable", {}) if config else {}
    limits = {
        "t.id = ?": wanted.get("thread_id"),
        "c.ns = ?": wanted.get("checkpoint_ns"),
        "c.id = ?": wanted.get("checkpoint_id"),
        "c.id < ?": before and get_checkpoint_id(before),
    }
    used = {sql: value for sql, value in limits.items() if value is not None}
    return [*used] or ["1 = 1"], [*used.values()]


def newest(rows: Rows, limit: int) -> list[str]:
    return [row[0] for row in rows.execute("SELECT id FROM thread ORDER BY key DESC LIMIT ?", (limit,)).fetchall()]


def all_of(rows: Rows, thread_id: str) -> list[int]:
    return _keys(rows, "t.id = ?", (thread_id,))


def old_of(rows: Rows, thread_id: str) -> list[int]:
    """All but the newest of each namespace, and but the heads of conversations."""
    newer = "EXISTS (SELECT 1 FROM checkpoint n WHERE n.thread = c.thread AND n.ns = c.ns AND n.id > c.id)"
    head = "EXISTS (SELECT 1 FROM conversation v WHERE v.checkpoint = c.key)"
    return _keys(rows, f"t.id = ? AND {newer} AND NOT {head}", (thread_id,))


def of_runs(rows: Rows, run_ids: Sequence[str]) -> list[int]:
    return [key for run_id in run_ids for key in _keys(rows, "c.run_id = ?", (run_id,))]


def _keys(rows: Rows, where: str, parameters: Sequence[Any]) -> list[int]:
    sql = f"SELECT c.key FROM checkpoint c JOIN thread t ON t.key = c.thread WHERE {where}"
    return [row[0] for row in rows.execute(sql, parameters).fetchall()]


def copy(source_id: str, target_id: str) -> Work[None]:
    """Work that gives the target thread every checkpoint and write of the source."""

    def work(rows: Rows) -> None:
        found = find(rows, "t.id = ? ORDER BY c.key", (source_id,))
        if not found:
            return
        for row in found:
            checkpoint.copy(rows, row, target_id)
        names = "ns, checkpoint_id, task_path, task_id, idx, channel, value"
        keys = thread_key(rows, target_id), thread_key(rows, source_id)
        rows.execute(f"INSERT INTO write (thread, {names}) SELECT ?, {names} FROM write WHERE thread = ?", keys)

    return work
