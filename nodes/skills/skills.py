"""The skills of callers: made, found, and put into containers. Fits `nodes.container.port.Skills`."""

import asyncio
import base64
import binascii
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from graph.errors import Json, NotFound, RequestError
from graph.skills import Skill, SkillVersion
from nodes.skills.bundle import BYTES, Bundle

#: Beneath `/mnt/data`.
_FOLDER = ".skills"


class Rows(Protocol):
    """Where skills are kept; see `checkpoints/skills.py`."""

    async def create(self, owner: str, name: str, description: str, place: str, *, listed: bool = True) -> Skill: ...

    async def add(self, owner: str, skill_id: str, new: tuple[str, str, str], *, default: bool) -> SkillVersion: ...

    async def find(self, owner: str, id: str) -> Skill | None: ...

    async def version(self, owner: str, id: str, version: int) -> SkillVersion | None: ...

    async def write(self, chunks: AsyncIterator[bytes], limit_bytes: int) -> tuple[str, int]: ...

    async def drop(self, places: Sequence[str]) -> None: ...

    def read(self, place: str) -> AsyncGenerator[bytes]: ...


R = TypeVar("R", bound=Rows)


class Skills(Generic[R]):
    """Another owner's are not found."""

    def __init__(self, rows: R) -> None:
        self.rows = rows

    async def create(self, owner: str, files: Mapping[str, bytes], *, listed: bool = True) -> Skill:
        """Of one zip, or of files with paths. Raises `RequestError`."""
        bundle = await asyncio.to_thread(_bundle, files)
        place = await self._written(bundle)
        try:
            return await self.rows.create(owner, bundle.name, bundle.description, place, listed=listed)
        except BaseException:
            await self.rows.drop([place])
            raise

    async def add(self, owner: str, skill_id: str, files: Mapping[str, bytes], *, default: bool) -> SkillVersion:
        """Another version. Raises `NotFound`, `RequestError`."""
        bundle = await asyncio.to_thread(_bundle, files)
        place = await self._written(bundle)
        try:
            return await self.rows.add(owner, skill_id, (bundle.name, bundle.description, place), default=default)
        except BaseException:
            await self.rows.drop([place])
            raise

    async def found(self, owner: str, id: str, version: str | None, param: str = "version") -> SkillVersion:
        """The version of that number, the `latest`, or the default one. Raises `NotFound`."""
        skill = await self.rows.find(owner, id)
        if skill is None:
            raise NotFound(f"Skill with id '{id[:100]}' not found.", param=param.replace("version", "skill_id"))
        number = _number(skill, version)
        found = await self.rows.version(owner, id, number) if number else None
        if found is None:
            raise NotFound(f"The skill has no version '{str(version)[:20]}'.", param=param)
        return found

    # ------------------------------------------------------------ seen from containers

    async def chosen(self, owner: str, skills: Sequence[Json], param: str) -> Sequence[tuple[str, str]]:
        return [await self._one(owner, skill, f"{param}[{index}]") for index, skill in enumerate(skills)]

    async def told(self, owner: str, skill: tuple[str, str]) -> str:
        found = await self.rows.version(owner, skill[0], int(skill[1]))
        return f"- {found.name}: {found.description} (/mnt/data/{_FOLDER}/{found.name}/SKILL.md)" if found else ""

    async def files(self, owner: str, skill: tuple[str, str]) -> AsyncGenerator[tuple[str, bytes]]:
        found = await self.rows.version(owner, skill[0], int(skill[1]))
        if found is None:
            return
        content = b"".join([piece async for piece in self.rows.read(found.place)])
        bundle = await asyncio.to_thread(Bundle.of_zip, content)
        for path, inside in bundle.files.items():
            yield f"{_FOLDER}/{found.name}/{path}", inside

    async def _one(self, owner: str, skill: Json, param: str) -> tuple[str, str]:
        if skill["type"] == "inline":
            made = await self.create(owner, {"inline.zip": _inline(skill, param)}, listed=False)
            return made.id, str(made.latest_version)
        id, version = skill.get("skill_id"), skill.get("version")
        if not isinstance(id, str):
            message = f"Missing required parameter: '{param}.skill_id'."
            raise RequestError(message, param=f"{param}.skill_id", code="missing_required_parameter")
        found = await self.found(owner, id, None if version is None else str(version), f"{param}.version")
        return found.skill_id, str(found.version)

    async def _written(self, bundle: Bundle) -> str:
        content = await asyncio.to_thread(bundle.packed)

        async def once() -> AsyncIterator[bytes]:
            yield content

        place, _ = await self.rows.write(once(), 2 * BYTES)
        return place


def _bundle(files: Mapping[str, bytes]) -> Bundle:
    if not files:
        raise RequestError("Missing required parameter: 'files'.", param="files", code="missing_required_parameter")
    (only, content), *more = files.items()
    packed = not more and (only.lower().endswith(".zip") or content.startswith(b"PK\x03\x04"))
    return Bundle.of_zip(content) if packed else Bundle.of(files)


def _inline(skill: Json, param: str) -> bytes:
    source: Any = skill.get("source")
    encoded = source.get("data") if isinstance(source, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    try:
        return base64.b64decode(encoded if isinstance(encoded, str) else "?", validate=True)
    except (binascii.Error, ValueError):
        message = f"Invalid '{param}.source.data': expected a zip in base64."
        raise RequestError(message, param=f"{param}.source.data", code="invalid_value") from None


def _number(skill: Skill, version: str | None) -> int | None:
    if version is None:
        return skill.default_version
    if version == "latest":
        return skill.latest_version
    return int(version) if version.isascii() and version.isdigit() and len(version) < 10 else None
