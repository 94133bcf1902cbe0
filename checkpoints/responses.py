"""Responses by id: rows beside the checkpoints, written in the same transaction."""

# ruff: noqa: S608 - SQL is put together from constants of this package only

import asyncio
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from checkpoints import approvals, events, idempotency, runs
from checkpoints.checkpoint import Checkpoints, Row, find, log_ref, one_value
from checkpoints.database import Database, Rows
from checkpoints.index import GOING_ON, without_heads
from checkpoints.item_log import ItemLogs, LogRef
from checkpoints.page import Page, keyset
from graph.errors import Json, NotFound
from graph.ids import seed_of
from graph.state import Entry, ItemLog, Record

_UNFINISHED = "status IN ('queued', 'in_progress')"
_INTERRUPTED = {"code": "server_error", "message": "The response was interrupted when the server stopped."}


class Wanted(NamedTuple):
    """Which responses a list shows; `since` and `until` are Unix seconds, the first included."""

    status: str | None = None
    since: int | None = None
    until: int | None = None

    @property
    def sql(self) -> tuple[str, tuple[Any, ...]]:
        wants = {"status = ?": self.status, "created_at >= ?": self.since, "created_at < ?": self.until}
        asked = {sql: value for sql, value in wants.items() if value is not None}
        return "".join(f" AND {sql}" for sql in asked), tuple(asked.values())


@dataclass(frozen=True, slots=True)
class Stored:
    """A response as it was last written."""

    record: Record
    request: Json
    thread_id: str
    checkpoint_id: str
    #: Where its items end; for `items` and `own_items`.
    log: LogRef


class Responses:
    """What callers may address by a response's id. Another owner's ids are not found."""

    def __init__(self, database: Database, checkpoints: Checkpoints, logs: ItemLogs) -> None:
        self._database = database
        self._checkpoints = checkpoints
        self._logs = logs

    async def find(self, owner: str, response_id: str) -> Stored | None:
        return await asyncio.wrap_future(self._database.read(lambda rows: _find(rows, owner, response_id)))

    async def page(self, owner: str, wanted: Wanted, page: Page) -> list[Stored] | None:
        """One more than the page holds; None when `after` is not there."""

        def work(rows: Rows) -> list[Stored] | None:
            sql = "SELECT created_at, id FROM response WHERE id = ? AND owner = ?"
            after = rows.execute(sql, (page.after, owner)).fetchone() if page.after else None
            if page.after and after is None:
                return None
            where, given = wanted.sql
            beyond, behind = keyset(page, after)
            sql = f"SELECT id FROM response WHERE owner = ?{where}{beyond}"
            found = [_find(rows, owner, id) for (id,) in rows.execute(sql, (owner, *given, *behind)).fetchall()]
            return [stored for stored in found if stored]

        return await asyncio.wrap_future(self._database.read(work))

    async def offered(self, stored: Stored) -> list[Json]:
        """Functions of hosted tools as its model was offered them; see `graph.recording`."""

        def work(rows: Rows) -> list[Json]:
            sql = "c.key = (SELECT checkpoint FROM response WHERE id = ?)"
            found = find(rows, sql, (stored.record["id"],))
            return (one_value(rows, found[0].body, "offered") if found else None) or []

        return await asyncio.wrap_future(self._database.read(work))

    async def items(self, stored: Stored) -> ItemLog:
        """Every item up to the end of `stored`, shared with other readers. Raises `NotFound` when deleted meanwhile."""
        try:
            return await asyncio.wrap_future(self._database.read(lambda rows: self._read(rows, stored.log)))
        except LookupError as error:
            raise _unknown(stored.record["id"]) from error

    def _read(self, rows: Rows, ref: LogRef) -> ItemLog:
        return self._logs.read(rows, ref) if ref.length else ItemLog()

    async def own_items(self, stored: Stored) -> list[Entry]:
        """The response's own input and output; costs what they are, not what came before. Raises `NotFound`."""
        first = stored.record["input_at"]
        entries = await asyncio.wrap_future(
            self._database.read(lambda rows: self._logs.read_from(rows, stored.log, first))
        )
        if len(entries) < stored.log.length - first:
            raise _unknown(stored.record["id"])
        return entries

    async def find_item(self, owner: str, item_id: str) -> Entry | None:
        """The item of that id among a response's own, or among those a conversation was given."""
        entries = await asyncio.wrap_future(self._database.read(lambda rows: self._beside(rows, owner, item_id)))
        return next((entry for entry in entries if entry["item"].get("id") == item_id), None)

    def _beside(self, rows: Rows, owner: str, item_id: str) -> list[Entry]:
        """The entries made with the same seed as `item_id`, and others."""
        seed = seed_of(item_id)
        if row := _first(rows, "response", f"resp_{seed}", owner):
            stored = _find(rows, owner, row[0])
            return self._logs.read_from(rows, stored.log, stored.record["input_at"]) if stored else []
        if row := _first(rows, "conversation", f"conv_{seed}", owner):
            head = find(rows, "c.key = (SELECT checkpoint FROM conversation WHERE id = ?)", row)
            return self._read(rows, log_ref(head[0].body)) if head else []
        return []

    async def delete(self, owner: str, response_id: str) -> bool:
        """Make the id unknown, and free what no living response or conversation needs; responses after it live on."""
        done = await asyncio.wrap_future(self._database.write(lambda rows: self.remove(rows, owner, response_id)))
        await asyncio.wrap_future(self._database.shrink())
        return done

    def remove(self, rows: Rows, owner: str, response_id: str) -> bool:
        """`delete`, inside a transaction."""
        sql = "DELETE FROM response WHERE id = ? AND owner = ? RETURNING checkpoint"
        row = rows.execute(sql, (response_id, owner)).fetchone()
        if row is not None:
            runs.end(rows, response_id)
            events.forget(rows, response_id)
            idempotency.forget(rows, response_id)
            approvals.forget(rows, response_id)
            mine = "response_id = ? AND thread = (SELECT thread FROM checkpoint WHERE key = ?)"
            found = rows.execute(f"SELECT key FROM checkpoint WHERE key = ? OR ({mine})", (row[0], response_id, row[0]))
            self._checkpoints.drop(rows, without_heads(rows, [key for (key,) in found.fetchall()]))
        return row is not None

    async def expire(self, response_id: str, after_s: int) -> None:
        """Let the response be forgotten in `after_s` seconds."""
        sql = f"UPDATE response SET expires_at = CAST({self._database.clock} AS BIGINT) + ? WHERE id = ?"
        await asyncio.wrap_future(self._database.write(lambda rows: rows.execute(sql, (after_s, response_id)).rowcount))

    async def discard(self, response_id: str) -> None:
        """Drop all that a run has left, for a run that ended before its caller was told of it."""
        await asyncio.wrap_future(self._database.write(lambda rows: self._discard(rows, response_id)))

    def _discard(self, rows: Rows, response_id: str) -> None:
        found = rows.execute("SELECT key, thread FROM checkpoint WHERE response_id = ?", (response_id,)).fetchall()
        self._checkpoints.drop(rows, [key for key, _ in found])
        for thread in {thread for _, thread in found}:
            _drop_loose_writes(rows, thread)
        runs.end(rows, response_id)
        events.forget(rows, response_id)
        idempotency.forget(rows, response_id)
        approvals.forget(rows, response_id)
        rows.execute("UPDATE conversation SET holder = NULL WHERE holder = ?", (response_id,))

    def interrupt(self, rows: Rows, response_id: str, recorded: bool) -> bool:
        """Fail a response whose process has died; False, and nothing is left of it, when nobody was told of it.

        Of one that is `recorded`, nobody was told as long as it has no event.
        """
        if recorded and not events.read(rows, response_id, -1):
            self._discard(rows, response_id)
            return False
        row = rows.execute(f"SELECT owner FROM response WHERE id = ? AND {_UNFINISHED}", (response_id,)).fetchone()
        if row is None:
            if rows.execute("SELECT 1 FROM response WHERE id = ?", (response_id,)).fetchone() is None:
                self._discard(rows, response_id)
                return False
            return True
        end(rows, row[0], response_id, {"status": "failed", "error": _INTERRUPTED})
        return True

    async def cancel(self, owner: str, response_id: str) -> bool:
        """Whether the response is cancelled now; False when it had ended before. Nothing that is written later, by
        whoever was making it, changes that.
        """

        def work(rows: Rows) -> bool:
            epoch = runs.take(rows, response_id, None)
            return epoch is not None and end(rows, owner, response_id, {"status": "cancelled"})

        return await asyncio.wrap_future(self._database.write(work))


def end(rows: Rows, owner: str, response_id: str, change: Json) -> bool:
    """Give an unfinished response its end, beside what its checkpoint says; False when it has one."""
    stored = _find(rows, owner, response_id)
    if stored is None or stored.record["status"] not in GOING_ON:
        return False
    record = orjson.dumps({**stored.record, **change})
    rows.execute("UPDATE response SET status = ?, record = ? WHERE id = ?", (change["status"], record, response_id))
    return True


def _drop_loose_writes(rows: Rows, thread: int) -> None:
    """Writes of steps whose checkpoint was never stored."""
    rows.execute(
        "DELETE FROM write WHERE thread = ? AND NOT EXISTS (SELECT 1 FROM checkpoint c "
        "WHERE c.thread = write.thread AND c.ns = write.ns AND c.id = write.checkpoint_id)",
        (thread,),
    )


def _find(rows: Rows, owner: str, response_id: str) -> Stored | None:
    sql = "SELECT checkpoint, record, status FROM response WHERE id = ? AND owner = ?"
    indexed = rows.execute(sql, (response_id, owner)).fetchone()
    found = find(rows, "c.key = ?", (indexed[0],)) if indexed else []
    return _stored(rows, found[0], *indexed[1:]) if found else None


def _stored(rows: Rows, row: Row, record: bytes | None, status: str) -> Stored:
    """A response that waits for a process is queued by its row only: its checkpoint is what it will go on from."""
    kept: Record = orjson.loads(record) if record else one_value(rows, row.body, "response")
    return Stored(
        record={**kept, "status": status},
        request=one_value(rows, row.body, "request") or {},
        thread_id=row.address.thread_id,
        checkpoint_id=row.address.checkpoint_id,
        log=log_ref(row.body),
    )


def _first(rows: Rows, table: str, prefix: str, owner: str) -> Any:
    """The id that begins with `prefix`: what follows it is hex, which sorts before 'g'."""
    sql = f"SELECT id FROM {table} WHERE id >= ? AND id < ? AND owner = ?"
    return rows.execute(sql, (prefix, prefix + "g", owner)).fetchone()


def _unknown(response_id: str) -> NotFound:
    return NotFound(f"Response with id '{response_id}' not found.")
