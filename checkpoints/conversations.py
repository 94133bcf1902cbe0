"""Conversations: a name for a thread and its head, with metadata and a lock."""

# ruff: noqa: S608 - SQL is put together from constants of this package only

import asyncio
import time
from dataclasses import dataclass

import orjson

from checkpoints.checkpoint import Checkpoints
from checkpoints.database import Database, Rows
from checkpoints.index import abandoned, without_heads
from graph.errors import Json


@dataclass(frozen=True, slots=True)
class Conversation:
    """`checkpoint_id` is the head, None while there are no items."""

    id: str
    owner: str
    thread_id: str
    checkpoint_id: str | None
    metadata: Json
    created_at: int


class Conversations:
    """Another owner's ids are not found."""

    def __init__(self, database: Database, checkpoints: Checkpoints, worker: str) -> None:
        """`worker`: the process that takes conversations here."""
        self._database = database
        self._checkpoints = checkpoints
        self._worker = worker

    async def create(self, conversation: Conversation) -> None:
        """The head is found by `thread_id` and `checkpoint_id` when one is given."""
        await asyncio.wrap_future(self._database.write(lambda rows: _insert(rows, conversation)))

    async def find(self, owner: str, id: str) -> Conversation | None:
        return await asyncio.wrap_future(self._database.read(lambda rows: _find(rows, owner, id)))

    async def update(self, owner: str, id: str, metadata: Json) -> Conversation | None:
        """Replace the metadata; the conversation as it is then."""

        def work(rows: Rows) -> Conversation | None:
            sql = "UPDATE conversation SET metadata = ?, used_at = ? WHERE id = ? AND owner = ?"
            rows.execute(sql, (orjson.dumps(metadata), int(time.time()), id, owner))
            return _find(rows, owner, id)

        return await asyncio.wrap_future(self._database.write(work))

    async def delete(self, owner: str, id: str) -> bool:
        """Forget the row, and the items that no living response needs."""
        done = await asyncio.wrap_future(self._database.write(lambda rows: self.remove(rows, owner, id)))
        await asyncio.wrap_future(self._database.shrink())
        return done

    def remove(self, rows: Rows, owner: str, id: str) -> bool:
        """`delete`, inside a transaction."""
        sql = "DELETE FROM conversation WHERE id = ? AND owner = ? RETURNING thread_id, checkpoint"
        row = rows.execute(sql, (id, owner)).fetchone()
        if row is None:
            return False
        nobodys = rows.execute(
            "SELECT c.key FROM checkpoint c JOIN thread t ON t.key = c.thread WHERE t.id = ? AND c.response_id IS NULL "
            "AND NOT EXISTS (SELECT 1 FROM response r WHERE r.checkpoint = c.key)",
            (row[0],),
        ).fetchall()
        keys = [key for (key,) in nobodys] + abandoned(rows, row[1])
        self._checkpoints.drop(rows, without_heads(rows, keys))
        return True

    async def lock(self, owner: str, id: str, holder: str) -> bool:
        """Take the conversation for one response, without waiting; False when another has it, or there is none.

        A response that can be read as ended holds it no more, though its last event may still be on its way to disk.
        """
        ended = "EXISTS (SELECT 1 FROM response WHERE id = holder AND status NOT IN ('queued', 'in_progress'))"
        sql = (
            "UPDATE conversation SET holder = ?, worker = ?, used_at = ? WHERE id = ? AND owner = ? "
            f"AND (holder IS NULL OR holder = ? OR {ended})"
        )
        given = (holder, self._worker, int(time.time()), id, owner, holder)
        work = self._database.write(lambda rows: rows.execute(sql, given).rowcount)
        return await asyncio.wrap_future(work) == 1

    async def unlock(self, id: str, holder: str, *, unless_made: bool = False) -> None:
        """Give it back; nothing happens when `holder` does not have it, or (`unless_made`) is being made."""
        idle = " AND NOT EXISTS (SELECT 1 FROM run WHERE run.response_id = conversation.holder)"
        sql = "UPDATE conversation SET holder = NULL, worker = NULL WHERE id = ? AND holder = ?"
        sql += idle if unless_made else ""
        await asyncio.wrap_future(self._database.write(lambda rows: rows.execute(sql, (id, holder)).rowcount))


def _insert(rows: Rows, conversation: Conversation) -> None:
    rows.execute(
        "INSERT INTO conversation (id, owner, thread_id, checkpoint, metadata, created_at, used_at) VALUES (?, ?, ?, "
        "(SELECT c.key FROM checkpoint c JOIN thread t ON t.key = c.thread WHERE t.id = ? AND c.ns = '' AND c.id = ?), "
        "?, ?, ?)",
        (
            conversation.id,
            conversation.owner,
            conversation.thread_id,
            conversation.thread_id,
            conversation.checkpoint_id,
            orjson.dumps(conversation.metadata),
            conversation.created_at,
            conversation.created_at,
        ),
    )


def _find(rows: Rows, owner: str, id: str) -> Conversation | None:
    row = rows.execute(
        "SELECT v.id, v.owner, v.thread_id, c.id, v.metadata, v.created_at "
        "FROM conversation v LEFT JOIN checkpoint c ON c.key = v.checkpoint WHERE v.id = ? AND v.owner = ?",
        (id, owner),
    ).fetchone()
    if row is None:
        return None
    id, owner, thread_id, checkpoint_id, metadata, created_at = row
    return Conversation(id, owner, thread_id, checkpoint_id, orjson.loads(metadata), created_at)
