"""What a checkpoint means for the rows beside it: whose response it holds, and the head of its conversation."""

import time
import uuid
from typing import Any, cast

from checkpoints import runs
from checkpoints.database import Rows
from graph.errors import Json, LeaseLost, conversation_locked
from graph.hold import Hold
from graph.state import Record

_FINISHED = ("completed", "incomplete")
#: Statuses of responses that have not ended.
GOING_ON = ("queued", "in_progress")


def index(rows: Rows, key: int, value: Any, metadata: Json, hold: Hold | None) -> list[int]:
    """Note whose response checkpoint `key` holds and move its conversation's head; returns checkpoints to drop.

    A record counts only in checkpoints of the run that made it: it stays in the state of the runs after it. A run
    that does not say which response it makes (Studio's) may only go on with an unfinished one.
    """
    record = _made_here(value, metadata)
    if record is not None:
        queued = hold is not None and hold.queued
        _upsert(rows, key, {**record, "status": "queued"} if queued else record, metadata)
        if record["status"] not in GOING_ON and not (hold and hold.recorded):
            runs.end(rows, record["id"])
    conversation_id = metadata.get("conversation_id")
    if conversation_id is None:
        return []
    moves = _moves_head(record, metadata)
    if moves or (hold and hold.queued):
        _check_holder(rows, conversation_id, metadata.get("response_id"), hold)
    if moves:
        return _move_head(rows, conversation_id, key)
    _begin_elsewhere(rows, conversation_id)
    return []


def ended(value: Any, metadata: Json) -> bool:
    """Whether the checkpoint of these holds a response that has ended."""
    record = _made_here(value, metadata)
    return record is not None and record["status"] not in GOING_ON


def _made_here(value: Any, metadata: Json) -> Record | None:
    if not isinstance(value, dict):
        return None
    record = cast(Record, value)
    if not all(isinstance(record.get(name), str) for name in ("id", "owner", "status")):
        return None
    return record if metadata.get("response_id", record["id"]) == record["id"] else None


def _moves_head(record: Record | None, metadata: Json) -> bool:
    """An edit does; a run does when it has finished well."""
    return "response_id" not in metadata or (record is not None and record["status"] in _FINISHED)


def _upsert(rows: Rows, key: int, record: Record, metadata: Json) -> None:
    rows.execute(
        "INSERT INTO response (id, owner, checkpoint, status, created_at, completed_at, previous_response_id, "
        "conversation_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET checkpoint = "
        "excluded.checkpoint, status = excluded.status, completed_at = excluded.completed_at, record = NULL "
        "WHERE response.owner = excluded.owner AND (response.status IN ('queued', 'in_progress') OR ? = 1)",
        (
            record["id"],
            record["owner"],
            key,
            record["status"],
            record.get("created_at"),
            record.get("completed_at"),
            record.get("previous_response_id"),
            metadata.get("conversation_id"),
            int(metadata.get("response_id") is not None),
        ),
    )


def _check_holder(rows: Rows, conversation_id: str, response_id: str | None, hold: Hold | None) -> None:
    """A response that does not hold its conversation any more: another may have gone on.

    It is somebody else's to end, `LeaseLost`, unless it is ours: then it can only fail, `RequestError`.
    """
    if response_id is None:
        return
    sql = "SELECT holder FROM conversation WHERE id = ?"
    row = rows.execute(sql, (conversation_id,)).fetchone()
    if row is None or row[0] == response_id:
        return
    if hold is None:
        raise LeaseLost(response_id)
    raise conversation_locked()


def _move_head(rows: Rows, conversation_id: str, key: int) -> list[int]:
    """Point a conversation at a checkpoint; returns the old head when only the conversation still needed it."""
    old = rows.execute("SELECT checkpoint FROM conversation WHERE id = ?", (conversation_id,)).fetchone()
    rows.execute(
        "UPDATE conversation SET checkpoint = ?, used_at = ?, thread_id = (SELECT t.id FROM checkpoint c JOIN thread t "
        "ON t.key = c.thread WHERE c.key = ?) WHERE id = ?",
        (key, int(time.time()), key, conversation_id),
    )
    return abandoned(rows, old[0]) if old else []


def _begin_elsewhere(rows: Rows, conversation_id: str) -> None:
    """A conversation without a head leaves its thread to the run that is under way, which may not end well.

    The next run would go on from the thread's newest checkpoint, since it has no head to name.
    """
    sql = "UPDATE conversation SET thread_id = ? WHERE id = ? AND checkpoint IS NULL"
    rows.execute(sql, (str(uuid.uuid4()), conversation_id))


def abandoned(rows: Rows, key: int | None) -> list[int]:
    """`key`, when it is the checkpoint of a response that was deleted."""
    found = rows.execute(
        "SELECT key FROM checkpoint c WHERE c.key = ? AND c.response_id IS NOT NULL "
        "AND NOT EXISTS (SELECT 1 FROM response r WHERE r.id = c.response_id)",
        (key,),
    ).fetchall()
    return [row[0] for row in found]


def without_heads(rows: Rows, keys: list[int]) -> list[int]:
    """Those that are not the head of a conversation."""
    sql = "SELECT 1 FROM conversation WHERE checkpoint = ?"
    return [key for key in keys if rows.execute(sql, (key,)).fetchone() is None]
