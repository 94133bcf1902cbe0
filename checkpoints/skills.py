"""Skills as rows, with their bytes: fits `nodes.skills.skills.Rows`. Another owner's are not found."""

# ruff: noqa: S608 - SQL is put together from constants of this package only

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

from checkpoints.approval import plain
from checkpoints.database import Database, Rows, Work
from checkpoints.page import Page, keyset
from checkpoints.places import Places, fasten, loosen
from checkpoints.storage import Storage
from graph.errors import NotFound, RequestError
from graph.ids import new_id
from graph.skills import Skill, SkillVersion

#: Seconds that a skill of a request stays without a container, and how many go at once.
_INLINE_S, _MANY = 86_400, 100
_LATEST = "(SELECT MAX(v.version) FROM skill_version v WHERE v.skill_id = s.id)"
_SKILL = (
    f"SELECT s.id, s.created_at, s.default_version, {_LATEST}, d.name, d.description FROM skill s "
    "JOIN skill_version d ON d.skill_id = s.id AND d.version = s.default_version WHERE s.owner = ?"
)
_VERSION = "v.id, v.skill_id, v.version, v.name, v.description, v.created_at, v.place"
_OF_OWNER = "FROM skill_version v JOIN skill s ON s.id = v.skill_id WHERE s.owner = ? AND s.id = ?"


class Skills:
    def __init__(self, database: Database, storage: Storage) -> None:
        self._database = database
        self._places = Places(database, storage)

    # ------------------------------------------------------------ read

    async def find(self, owner: str, id: str) -> Skill | None:
        return await self._read(lambda rows: _found(rows, owner, id))

    async def page(self, owner: str, page: Page) -> Sequence[Skill] | None:
        """Skills in the order they were made, one more than the page holds; None when `after` is not there."""

        def work(rows: Rows) -> list[Skill] | None:
            sql = "SELECT created_at, id FROM skill WHERE id = ? AND owner = ? AND inline IS NULL"
            after = rows.execute(sql, (plain(page.after), owner)).fetchone() if page.after else None
            if page.after and after is None:
                return None
            beyond, given = keyset(page, after)
            beyond = beyond.replace("created_at", "s.created_at").replace(", id", ", s.id")
            sql = f"{_SKILL} AND s.inline IS NULL{beyond}"
            return [_skill_of(row) for row in rows.execute(sql, (owner, *given)).fetchall()]

        return await self._read(work)

    async def version(self, owner: str, id: str, version: int) -> SkillVersion | None:
        sql = f"SELECT {_VERSION} {_OF_OWNER} AND v.version = ?"
        row = await self._read(lambda rows: rows.execute(sql, (owner, plain(id), version)).fetchone())
        return _version_of(row) if row else None

    async def inline(self, owner: str, digest: str) -> SkillVersion | None:
        """One that came with a request before; it stays for another while."""
        sql = f"UPDATE skill SET created_at = {self._database.clock} WHERE owner = ? AND inline = ? RETURNING id"
        row = await self._write(lambda rows: rows.execute(sql, (owner, digest)).fetchone())
        return await self.version(owner, row[0], 1) if row else None

    async def versions(self, owner: str, id: str) -> Sequence[SkillVersion]:
        """All of them, the oldest first."""
        sql = f"SELECT {_VERSION} {_OF_OWNER} ORDER BY v.version"
        found = await self._read(lambda rows: rows.execute(sql, (owner, plain(id))).fetchall())
        return [_version_of(row) for row in found]

    def read(self, place: str) -> AsyncGenerator[bytes]:
        return self._places.storage.read(place)

    # ------------------------------------------------------------ changed

    async def write(self, chunks: AsyncIterator[bytes], limit_bytes: int) -> tuple[str, int]:
        return await self._places.write(chunks, limit_bytes)

    async def drop(self, places: Sequence[str]) -> None:
        await self._places.delete(places)

    async def create(self, owner: str, new: tuple[str, str, str], inline: str | None = None) -> Skill:
        """A skill with its first version: name, description, and where its zip is. `inline`: the digest of one that
        came with a request, and is not listed."""
        id, clock = new_id("skill_"), self._database.clock

        def work(rows: Rows) -> Skill | None:
            sql = (
                "INSERT INTO skill (id, owner, created_at, default_version, newest, inline) "
                f"VALUES (?, ?, {clock}, 1, 1, ?)"
            )
            rows.execute(sql, (id, owner, inline))
            self._insert(rows, id, 1, new)
            return _found(rows, owner, id)

        made = await self._write(work)
        assert made  # noqa: S101  # in this transaction
        return made

    async def add(self, owner: str, skill_id: str, new: tuple[str, str, str], *, default: bool) -> SkillVersion:
        """Another version: name, description, and where its zip is. Raises `NotFound`."""

        def work(rows: Rows) -> int:
            sql = "UPDATE skill SET newest = newest + 1 WHERE id = ? AND owner = ? RETURNING newest"
            row = rows.execute(sql, (plain(skill_id), owner)).fetchone()
            if row is None:
                raise unknown_skill(skill_id)
            self._insert(rows, skill_id, row[0], new)
            if default:
                rows.execute("UPDATE skill SET default_version = newest WHERE id = ?", (skill_id,))
            return row[0]

        found = await self.version(owner, skill_id, await self._write(work))
        if found is None:
            raise unknown_skill(skill_id)
        return found

    async def prefer(self, owner: str, id: str, version: int) -> bool:
        """Make a version the default one; False when there is none such."""
        sql = (
            "UPDATE skill SET default_version = ? WHERE id = ? AND owner = ? AND EXISTS "
            "(SELECT 1 FROM skill_version v WHERE v.skill_id = skill.id AND v.version = ?)"
        )
        return await self._write(lambda rows: rows.execute(sql, (version, plain(id), owner, version)).rowcount) == 1

    async def remove(self, owner: str, id: str) -> bool:
        """Forget a skill and all its versions; False when there is none."""
        clock = self._database.clock

        def work(rows: Rows) -> list[str] | None:
            if not rows.execute("DELETE FROM skill WHERE id = ? AND owner = ?", (plain(id), owner)).rowcount:
                return None
            gone = rows.execute("DELETE FROM skill_version WHERE skill_id = ? RETURNING place", (id,)).fetchall()
            places = [place for (place,) in gone]
            loosen(rows, places, clock)
            return places

        places = await self._write(work)
        await self.drop(places or [])
        return places is not None

    async def remove_version(self, owner: str, id: str, version: int) -> bool:
        """False when there is none. Raises `RequestError` for the default one."""
        clock = self._database.clock

        def work(rows: Rows) -> list[str]:
            found = _found(rows, owner, id)
            if found is None:
                return []
            sql = "DELETE FROM skill_version WHERE skill_id = ? AND version = ? RETURNING place"
            places = [place for (place,) in rows.execute(sql, (id, version)).fetchall()]
            if places and found.default_version == version:
                message = "The default version cannot be deleted: make another one the default, or delete the skill."
                raise RequestError(message, param="version", code="invalid_value")
            loosen(rows, places, clock)
            return places

        places = await self._write(work)
        await self.drop(places)
        return bool(places)

    async def expire(self) -> int:
        """Forget those that came with a request a while ago and are in no container; their number."""
        clock = self._database.clock

        def work(rows: Rows) -> list[str]:
            held = "SELECT 1 FROM container c WHERE c.owner = skill.owner AND c.skills LIKE '%\"' || skill.id || '\"%'"
            old = f"inline IS NOT NULL AND created_at < {clock} - {_INLINE_S} AND NOT EXISTS ({held})"
            gone = rows.execute(f"SELECT id FROM skill WHERE {old} LIMIT {_MANY}").fetchall()
            places: list[str] = []
            for id in gone:
                rows.execute("DELETE FROM skill WHERE id = ?", id)
                sql = "DELETE FROM skill_version WHERE skill_id = ? RETURNING place"
                places += [place for (place,) in rows.execute(sql, id).fetchall()]
            loosen(rows, places, clock)
            return places

        count = 0
        while places := await self._write(work):
            await self.drop(places)
            count += len(places)
        return count

    def _insert(self, rows: Rows, skill_id: str, version: int, new: tuple[str, str, str]) -> None:
        name, description, place = new
        fasten(rows, place)
        sql = (
            "INSERT INTO skill_version (skill_id, version, id, name, description, created_at, place) "
            f"VALUES (?, ?, ?, ?, ?, {self._database.clock}, ?)"
        )
        rows.execute(sql, (skill_id, version, new_id("skillver_"), name, description, place))

    async def _read(self, work: Work[Any]) -> Any:
        return await asyncio.wrap_future(self._database.read(work))

    async def _write(self, work: Work[Any]) -> Any:
        return await asyncio.wrap_future(self._database.write(work))


def unknown_skill(id: str) -> NotFound:
    return NotFound(f"Skill with id '{id[:100]}' not found.", param="skill_id")


def _found(rows: Rows, owner: str, id: str) -> Skill | None:
    row = rows.execute(f"{_SKILL} AND s.id = ?", (owner, plain(id))).fetchone()
    return _skill_of(row) if row else None


def _skill_of(row: Sequence[Any]) -> Skill:
    id, created_at, default, latest, name, description = row
    return Skill(id, int(created_at), default, latest, name, description)


def _version_of(row: Sequence[Any]) -> SkillVersion:
    id, skill_id, version, name, description, created_at, place = row
    return SkillVersion(id, skill_id, version, name, description, int(created_at), place)
