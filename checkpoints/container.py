"""A container and its files as rows."""

# ruff: noqa: S608 - SQL is put together from constants of this package only

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from checkpoints.approval import plain
from checkpoints.database import Rows
from graph.containers import Container, ContainerFile, Lease
from graph.errors import RequestError, StoreUnavailable

COLUMNS = (
    "id, owner, name, created_at, used_at, idle_minutes, memory_limit, domains, sealed, skills, epoch, saved, "
    "calls > saved_calls, brought"
)
FILE_COLUMNS = "id, container_id, path, size_bytes, source, created_at, place"
#: True of a container that nobody living holds; takes this process's id.
FREE = "(holder IS NULL OR holder = ? OR NOT EXISTS (SELECT 1 FROM worker WHERE worker.id = container.holder))"


class Bounds(NamedTuple):
    """Of the files of one container; and in bytes of all files of one owner."""

    files: int
    size_bytes: int
    quota_bytes: int | None = None


def container_of(row: Sequence[Any]) -> Container:
    id, owner, name, created_at, used_at, minutes, memory, domains, sealed, skills = row[:10]
    mounted = [(skill, version) for skill, version in orjson.loads(skills)]
    return Container(
        id, owner, name, created_at, used_at, minutes, memory, tuple(orjson.loads(domains)), sealed, mounted
    )


def lease_of(row: Sequence[Any]) -> Lease:
    epoch, saved, lost, brought = row[10:14]
    return Lease(container_of(row), epoch, saved, bool(lost), frozenset(orjson.loads(brought)))


def insert(rows: Rows, container: Container, clock: str) -> None:
    """Made and used now."""
    sql = (
        "INSERT INTO container (id, owner, name, created_at, used_at, idle_minutes, memory_limit, domains, sealed, "
        f"skills, epoch, calls, saved_calls, brought) VALUES (?, ?, ?, {clock}, {clock}, ?, ?, ?, ?, ?, 0, 0, 0, '[]') "
        "ON CONFLICT DO NOTHING"
    )
    domains, skills = (orjson.dumps(value).decode() for value in (list(container.domains), list(container.skills)))
    given = (container.idle_minutes, container.memory_limit, domains, container.sealed, skills)
    rows.execute(sql, (container.id, container.owner, container.name, *given))


def find(rows: Rows, owner: str, id: str) -> Container | None:
    sql = f"SELECT {COLUMNS} FROM container WHERE id = ? AND owner = ?"
    row = rows.execute(sql, (plain(id), owner)).fetchone()
    return container_of(row) if row else None


def touch(rows: Rows, owner: str, id: str, clock: str) -> bool:
    """It is used now, and nobody else changes its files until the end of this transaction; False when there is none."""
    sql = f"UPDATE container SET used_at = {clock} WHERE id = ? AND owner = ?"
    return rows.execute(sql, (plain(id), owner)).rowcount == 1


def remove(rows: Rows, owner: str, id: str, clock: str) -> list[str] | None:
    """Forget it; where its bytes were, which are loose now. None when there is none."""
    sql = "DELETE FROM container WHERE id = ? AND owner = ? RETURNING saved"
    row = rows.execute(sql, (plain(id), owner)).fetchone()
    if row is None:
        return None
    gone = rows.execute("DELETE FROM container_file WHERE container_id = ? RETURNING place", (id,)).fetchall()
    places = [place for (place,) in [*gone, row] if place]
    loosen(rows, places, clock)
    return places


def bring(rows: Rows, id: str, file_ids: Sequence[str]) -> None:
    """Remember that copies of these files are in it; whoever does it holds the row."""
    if file_ids:
        (known,) = rows.execute("SELECT brought FROM container WHERE id = ?", (id,)).fetchone()
        all_ids = orjson.dumps(sorted({*orjson.loads(known), *file_ids})).decode()
        rows.execute("UPDATE container SET brought = ? WHERE id = ?", (all_ids, id))


def loosen(rows: Rows, places: Sequence[str], clock: str) -> None:
    """Bytes that go unless a row comes to name them."""
    for place in places:
        rows.execute(f"INSERT INTO container_loose (place, since) VALUES (?, {clock}) ON CONFLICT DO NOTHING", (place,))


def fasten(rows: Rows, place: str) -> None:
    """A row names these bytes now. Raises `StoreUnavailable` when they took so long to write that they have gone."""
    if not forget(rows, [place]):
        raise StoreUnavailable("A file took too long to write.")


def forget(rows: Rows, places: Sequence[str]) -> int:
    """Loose bytes that have gone."""
    return sum(rows.execute("DELETE FROM container_loose WHERE place = ?", (place,)).rowcount for place in places)


# ---------------------------------------------------------------- files


def files(rows: Rows, container_id: str) -> list[ContainerFile]:
    sql = f"SELECT {FILE_COLUMNS} FROM container_file WHERE container_id = ? ORDER BY path"
    return [ContainerFile(*row) for row in rows.execute(sql, (container_id,)).fetchall()]


def check(rows: Rows, owner: str, file: ContainerFile, bounds: Bounds) -> None:
    """Raises `RequestError` when a container, or its owner, has no room for a file."""
    sql = (
        "SELECT COUNT(*), CAST(COALESCE(SUM(size_bytes), 0) AS BIGINT) FROM container_file "
        "WHERE container_id = ? AND path <> ?"
    )
    count, size_bytes = rows.execute(sql, (file.container_id, file.path)).fetchone()
    if count >= bounds.files:
        raise RequestError(f"A container holds at most {bounds.files} files.", param="file")
    if size_bytes + file.size_bytes > bounds.size_bytes:
        message = f"The files of a container may have {bounds.size_bytes} bytes together, and have {size_bytes}."
        raise RequestError(message, param="file", code="file_too_large")
    if bounds.quota_bytes is not None and (used := _used(rows, owner)) + file.size_bytes > bounds.quota_bytes:
        message = f"Your files may have {bounds.quota_bytes} bytes together, and have {used}: delete some first."
        raise RequestError(message, param="file", code="storage_limit_exceeded")


def _used(rows: Rows, owner: str) -> int:
    """Bytes of all files of an owner, those in containers and others."""
    inside = (
        "SELECT CAST(COALESCE(SUM(f.size_bytes), 0) AS BIGINT) FROM container c "
        "JOIN container_file f ON f.container_id = c.id WHERE c.owner = ?"
    )
    outside = "SELECT CAST(COALESCE(SUM(size_bytes), 0) AS BIGINT) FROM file WHERE owner = ?"
    return sum(rows.execute(sql, (owner,)).fetchone()[0] for sql in (inside, outside))


def keep(rows: Rows, file: ContainerFile, clock: str) -> ContainerFile:
    """The file as it is kept. One that is changed keeps its id and its birth; the bytes it had are loose then."""
    sql = "SELECT place FROM container_file WHERE container_id = ? AND path = ?"
    before = rows.execute(sql, (file.container_id, file.path)).fetchone()
    fasten(rows, file.key)
    sql = (
        f"INSERT INTO container_file ({FILE_COLUMNS}) VALUES (?, ?, ?, ?, ?, {clock}, ?) "
        "ON CONFLICT (container_id, path) DO UPDATE SET size_bytes = excluded.size_bytes, source = excluded.source, "
        f"place = excluded.place RETURNING {FILE_COLUMNS}"
    )
    given = (file.id, file.container_id, file.path, file.size_bytes, file.source, file.key)
    kept = ContainerFile(*rows.execute(sql, given).fetchone())
    if before:
        loosen(rows, before, clock)
    return kept


def drop(rows: Rows, container_id: str, file: ContainerFile, clock: str) -> bool:
    """Forget a file; False when it was changed meanwhile."""
    sql = "DELETE FROM container_file WHERE container_id = ? AND path = ? AND place = ?"
    if not rows.execute(sql, (container_id, file.path, file.key)).rowcount:
        return False
    loosen(rows, [file.key], clock)
    return True
