"""The skills of callers: made, found, and put into containers. Fits `nodes.container.port.Skills`."""

import asyncio
import base64
import binascii
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from graph.errors import Json, NotFound, RequestError
from graph.skills import Skill, SkillVersion
from nodes.skills.bundle import BYTES, Bundle

#: Beneath `/mnt/data`.
_FOLDER = ".skills"


class Rows(Protocol):
    """Where skills are kept; see `checkpoints/skills.py`."""

    async def create(self, owner: str, new: tuple[str, str, str], inline: str | None = None) -> Skill: ...

    async def inline(self, owner: str, digest: str) -> SkillVersion | None: ...

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

    async def create(self, owner: str, files: Mapping[str, bytes]) -> Skill:
        """Of one zip, or of files with paths. Raises `RequestError`."""
        bundle, packed = await asyncio.to_thread(_bundle, files)
        place = await self._written(packed)
        try:
            return await self.rows.create(owner, (bundle.name, bundle.description, place))
        except BaseException:
            await self.rows.drop([place])
            raise

    async def add(self, owner: str, skill_id: str, files: Mapping[str, bytes], *, default: bool) -> SkillVersion:
        """Another version. Raises `NotFound`, `RequestError`."""
        bundle, packed = await asyncio.to_thread(_bundle, files)
        place = await self._written(packed)
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
        """Raises `RequestError`, also for two of one name: they would be put into one folder."""
        found: dict[str, SkillVersion] = {}
        for index, skill in enumerate(skills):
            one = await self._one(owner, skill, f"{param}[{index}]")
            if one.name in found:
                message = f"Invalid '{param}': there are two skills of the name '{one.name}'."
                raise RequestError(message, param=f"{param}[{index}]", code="invalid_value")
            found[one.name] = one
        return [(one.skill_id, str(one.version)) for one in found.values()]

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

    async def _one(self, owner: str, skill: Json, param: str) -> SkillVersion:
        if skill["type"] == "inline":
            return await self._inline(owner, skill, param)
        id, version = skill.get("skill_id"), skill.get("version")
        if not isinstance(id, str):
            message = f"Missing required parameter: '{param}.skill_id'."
            raise RequestError(message, param=f"{param}.skill_id", code="missing_required_parameter")
        return await self.found(owner, id, None if version is None else str(version), f"{param}.version")

    async def _inline(self, owner: str, skill: Json, param: str) -> SkillVersion:
        """The same one, when the same one comes again: so the conversation finds its container again."""
        where = f"{param}.source.data"
        try:
            bundle, packed = await asyncio.to_thread(_bundle, {"inline.zip": _decoded(skill, where)})
        except RequestError as error:
            raise RequestError(error.message, param=where, code=error.code) from error
        digest = hashlib.sha256(packed).hexdigest()
        if known := await self.rows.inline(owner, digest):
            return known
        place = await self._written(packed)
        made = await self.rows.create(owner, (bundle.name, bundle.description, place), digest)
        return await self.found(owner, made.id, None, where)

    async def _written(self, packed: bytes) -> str:
        async def once() -> AsyncIterator[bytes]:
            yield packed

        place, _ = await self.rows.write(once(), 2 * BYTES)
        return place


def _bundle(files: Mapping[str, bytes]) -> tuple[Bundle, bytes]:
    """It, and as it is kept."""
    if not files:
        raise RequestError("Missing required parameter: 'files'.", param="files", code="missing_required_parameter")
    (only, content), *more = files.items()
    is_zip = not more and (only.lower().endswith(".zip") or content.startswith(b"PK\x03\x04"))
    bundle = Bundle.of_zip(content) if is_zip else Bundle.of(files.items())
    return bundle, bundle.packed()


def _decoded(skill: Json, param: str) -> bytes:
    source: Any = skill.get("source")
    encoded = source.get("data") if isinstance(source, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    try:
        return base64.b64decode(encoded if isinstance(encoded, str) else "?", validate=True)
    except (binascii.Error, ValueError):
        raise RequestError(f"Invalid '{param}': expected a zip in base64.", param=param, code="invalid_value") from None


def _number(skill: Skill, version: str | None) -> int | None:
    if version is None:
        return skill.default_version
    if version == "latest":
        return skill.latest_version
    return int(version) if version.isascii() and version.isdigit() and len(version) < 10 else None
