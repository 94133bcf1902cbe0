"""One checkpoint as rows: a small JSON body, blobs shared by content, and references into the item log.

Body: `c` the checkpoint less its values, `v` values as JSON, `t` values with tags (see `encoding`), `b` content hashes
of large values, `l` log references. `response_id` and `run_id` are columns, and left out of the stored metadata.
"""

# ruff: noqa: S608 - SQL is put together from constants of this package only

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import orjson
from langgraph.checkpoint.base import Checkpoint

from checkpoints.database import Rows
from checkpoints.encoding import dumps, is_tagged, loads, untagged
from checkpoints.item_log import ItemLogs, Kept, LogRef
from checkpoints.version import packed, unpacked
from graph.errors import Json
from graph.state import ItemLog

#: Values whose JSON is longer than this are stored once per content.
_BLOB_FROM_BYTES = 256
#: The channel that is always a log, and the one that differs every time.
_ITEMS, _RESPONSE = "items", "response"

#: Metadata that is kept in columns.
_INDEXED = ("run_id", "response_id")
_COLUMNS = "c.key, t.id, c.ns, c.id, c.parent_id, c.metadata, c.body, c.run_id, c.response_id"
_FROM = f"SELECT {_COLUMNS} FROM checkpoint c JOIN thread t ON t.key = c.thread"


class Address(NamedTuple):
    thread_id: str
    ns: str
    checkpoint_id: str


class Row(NamedTuple):
    """A checkpoint as stored."""

    key: int
    address: Address
    parent_id: str | None
    metadata: Json
    body: Json


class Checkpoints:
    """Reads, writes and drops checkpoints inside a transaction."""

    def __init__(self, logs: ItemLogs) -> None:
        self._logs = logs

    # ------------------------------------------------------------ writing

    def put(
        self, rows: Rows, at: Address, parent_id: str | None, checkpoint: Checkpoint, metadata: Json
    ) -> tuple[int, list[Kept]]:
        """Store a checkpoint; the logs returned may be remembered once the transaction has committed."""
        if (old := key_of(rows, at)) is not None:
            self.drop(rows, [old])
        values = checkpoint["channel_values"]
        parent = _logs_of(rows, at, parent_id)
        kept = {
            name: self._logs.append(rows, value, parent.get(name))
            for name, value in values.items()
            if _is_log(name, value)
        }
        body, hashes = _encode(rows, checkpoint, {name: log.ref for name, log in kept.items()})
        key = _insert(rows, at, parent_id, metadata, body)
        _refer(rows, key, {name: log.ref for name, log in kept.items()}, hashes)
        return key, list(kept.values())

    def drop(self, rows: Rows, keys: Iterable[int]) -> None:
        """Delete checkpoints, and every byte that only they needed. Their responses are gone with them."""
        if not (ordered := sorted(keys, reverse=True)):
            return
        rows.alone()
        lineages: set[int] = set()
        hashes: set[str] = set()
        threads: set[int] = set()
        for key in ordered:
            row = rows.execute(
                "DELETE FROM checkpoint WHERE key = ? RETURNING thread, ns, id, parent_id, body", (key,)
            ).fetchone()
            if row is None:
                continue
            thread, ns, id, parent_id, data = row
            body = orjson.loads(data)
            threads.add(thread)
            lineages |= {ref[0] for ref in body.get("l", {}).values()}
            hashes |= set(body.get("b", {}).values())
            _unrefer(rows, key, body)
            _step_back(rows, key, (thread, ns, parent_id))
            rows.execute("DELETE FROM write WHERE thread = ? AND ns = ? AND checkpoint_id = ?", (thread, ns, id))
        self._logs.free(rows, lineages)
        _free_blobs(rows, hashes)
        _forget_empty(rows, threads)

    # ------------------------------------------------------------ reading

    def values(self, rows: Rows, row: Row) -> Json:
        """Every channel value of `row`."""
        body = row.body
        found = {name: self._logs.read(rows, LogRef(*ref)) for name, ref in body.get("l", {}).items()}
        small = {**body.get("v", {}), **{name: untagged(value) for name, value in body.get("t", {}).items()}}
        return {**small, **{name: _blob(rows, hash) for name, hash in body.get("b", {}).items()}, **found}

    def checkpoint(self, rows: Rows, row: Row) -> Checkpoint:
        fields = {**unpacked(row.body["c"]), "id": row.address.checkpoint_id, "channel_values": self.values(rows, row)}
        return cast(Checkpoint, fields)


def find(rows: Rows, where: str, parameters: Sequence[Any]) -> list[Row]:
    """Checkpoints `c` of threads `t` that fit; `where` may end in ORDER BY and LIMIT."""
    return [_row(found) for found in rows.execute(f"{_FROM} WHERE {where}", parameters).fetchall()]


def one_value(rows: Rows, body: Json, name: str) -> Any:
    """One channel's value that is not a log; None when it has none."""
    if name in body.get("b", {}):
        return _blob(rows, body["b"][name])
    return untagged(body["t"][name]) if name in body.get("t", {}) else body.get("v", {}).get(name)


def log_ref(body: Json) -> LogRef:
    """Where the items of a checkpoint are."""
    return LogRef(*body.get("l", {}).get(_ITEMS, (0, 0)))


def key_of(rows: Rows, at: Address) -> int | None:
    sql = "SELECT c.key FROM checkpoint c JOIN thread t ON t.key = c.thread WHERE t.id = ? AND c.ns = ? AND c.id = ?"
    row = rows.execute(sql, at).fetchone()
    return row and row[0]


def thread_key(rows: Rows, thread_id: str) -> int:
    """The short key of a thread, made when it is new."""
    row = rows.execute("SELECT key FROM thread WHERE id = ?", (thread_id,)).fetchone()
    sql = "INSERT INTO thread (id) VALUES (?) ON CONFLICT DO NOTHING RETURNING key"
    row = row or rows.execute(sql, (thread_id,)).fetchone()
    return row[0] if row else thread_key(rows, thread_id)  # made by another between the two statements


def copy(rows: Rows, row: Row, thread_id: str) -> None:
    """The same checkpoint in another thread, values and log shared. It is nobody's response: deleting one leaves it."""
    body = row.body
    target = Address(thread_id, row.address.ns, row.address.checkpoint_id)
    key = _insert(rows, target, row.parent_id, row.metadata, orjson.dumps(body), ("run_id",))
    _refer(rows, key, {name: LogRef(*ref) for name, ref in body.get("l", {}).items()}, body.get("b", {}).values())


def _row(found: Sequence[Any]) -> Row:
    key, thread_id, ns, id, parent_id, metadata, body, run_id, response_id = found
    extra = {"run_id": run_id, "response_id": response_id}
    known = {name: value for name, value in extra.items() if value is not None}
    return Row(key, Address(thread_id, ns, id), parent_id, {**loads(metadata), **known}, orjson.loads(body))


def _is_log(name: str, value: Any) -> bool:
    return isinstance(value, ItemLog) or (name == _ITEMS and isinstance(value, list) and bool(cast(list[Any], value)))


def _logs_of(rows: Rows, at: Address, parent_id: str | None) -> dict[str, LogRef]:
    if parent_id is None:
        return {}
    sql = "SELECT c.body FROM checkpoint c JOIN thread t ON t.key = c.thread WHERE t.id = ? AND c.ns = ? AND c.id = ?"
    row = rows.execute(sql, (at.thread_id, at.ns, parent_id)).fetchone()
    return {name: LogRef(*ref) for name, ref in orjson.loads(row[0]).get("l", {}).items()} if row else {}


def _encode(rows: Rows, checkpoint: Checkpoint, logs: Mapping[str, LogRef]) -> tuple[bytes, set[str]]:
    """The body, and the hashes of the blobs it names (which are stored here)."""
    fields = packed({name: value for name, value in checkpoint.items() if name not in ("id", "channel_values")})
    refs = {name: list(ref) for name, ref in logs.items()}
    body: dict[str, dict[str, Any]] = {"c": fields, "v": {}, "t": {}, "b": {}, "l": refs}
    for name, value in checkpoint["channel_values"].items():
        if name in logs:
            continue
        data = _dumps_channel(name, value)
        if len(data) > _BLOB_FROM_BYTES and name != _RESPONSE:
            body["b"][name] = _keep_blob(rows, data)
        elif is_tagged(data):
            body["t"][name] = orjson.Fragment(data[1:])
        else:
            body["v"][name] = orjson.Fragment(data)
    return orjson.dumps({key: part for key, part in body.items() if part}), set(body["b"].values())


def _dumps_channel(name: str, value: Any) -> bytes:
    try:
        return dumps(value)
    except TypeError as error:
        raise TypeError(f"Channel '{name}': {error}") from error


def _keep_blob(rows: Rows, data: bytes) -> str:
    hash = hashlib.blake2b(data, digest_size=16).hexdigest()
    rows.execute("INSERT INTO blob (hash, data) VALUES (?, ?) ON CONFLICT DO NOTHING", (hash, data))
    return hash


def _blob(rows: Rows, hash: str) -> Any:
    row = rows.execute("SELECT data FROM blob WHERE hash = ?", (hash,)).fetchone()
    if row is None:
        raise LookupError(f"The value {hash} is gone.")
    return loads(row[0])


def _insert(
    rows: Rows, at: Address, parent_id: str | None, metadata: Json, body: bytes, columns: Sequence[str] = _INDEXED
) -> int:
    indexed = {name: metadata[name] for name in columns if name in metadata}
    rest = {name: value for name, value in metadata.items() if name not in indexed}
    return rows.execute(
        "INSERT INTO checkpoint (thread, ns, id, parent_id, run_id, response_id, metadata, body) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING key",
        (
            thread_key(rows, at.thread_id),
            at.ns,
            at.checkpoint_id,
            parent_id,
            indexed.get("run_id"),
            indexed.get("response_id"),
            dumps(rest),
            body,
        ),
    ).fetchone()[0]


def _refer(rows: Rows, key: int, logs: Mapping[str, LogRef], hashes: Iterable[str]) -> None:
    for name, ref in logs.items():
        sql = "INSERT INTO log_ref (lineage, length, checkpoint, channel) VALUES (?, ?, ?, ?)"
        rows.execute(sql, (*ref, key, name))
    for hash in set(hashes):
        rows.execute("INSERT INTO blob_ref (hash, checkpoint) VALUES (?, ?)", (hash, key))


def _unrefer(rows: Rows, key: int, body: Json) -> None:
    for lineage, length in body.get("l", {}).values():
        sql = "DELETE FROM log_ref WHERE lineage = ? AND length = ? AND checkpoint = ?"
        rows.execute(sql, (lineage, length, key))
    for hash in body.get("b", {}).values():
        rows.execute("DELETE FROM blob_ref WHERE hash = ? AND checkpoint = ?", (hash, key))
    rows.execute("DELETE FROM response WHERE checkpoint = ?", (key,))


def _step_back(rows: Rows, key: int, parent: tuple[int, str, str | None]) -> None:
    """A conversation whose head goes is where it was before."""
    rows.execute(
        "UPDATE conversation SET checkpoint = (SELECT key FROM checkpoint WHERE thread = ? AND ns = ? AND id = ?) "
        "WHERE checkpoint = ?",
        (*parent, key),
    )


def _free_blobs(rows: Rows, hashes: Iterable[str]) -> None:
    for hash in hashes:
        sql = "DELETE FROM blob WHERE hash = ? AND NOT EXISTS (SELECT 1 FROM blob_ref WHERE blob_ref.hash = blob.hash)"
        rows.execute(sql, (hash,))


def _forget_empty(rows: Rows, threads: Iterable[int]) -> None:
    for thread in threads:
        sql = "DELETE FROM thread WHERE key = ? AND NOT EXISTS (SELECT 1 FROM checkpoint WHERE thread = thread.key)"
        if rows.execute(sql, (thread,)).rowcount:
            rows.execute("DELETE FROM write WHERE thread = ?", (thread,))
