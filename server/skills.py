"""`/v1/skills`: folders of instructions and programs for containers, in versions."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import Field, TypeAdapter
from starlette.responses import Response

from checkpoints.skills import unknown_skill
from graph.errors import Json, NotFound, RequestError
from graph.skills import Skill, SkillVersion
from nodes.skills.bundle import BYTES, FILES
from server.house import House, body_of, house_of, owner_of
from server.http import first_of, json_response, not_in_list, page_of, page_wanted
from server.multipart import parts_of
from server.openapi import LIST, asks, takes, takes_form
from server.sending import file_response
from server.wire.items import Wire
from server.wire.problems import read

router = APIRouter(prefix="/v1/skills", tags=["skills"])
#: Of a form, beside its files.
_FIELDS = 20


class UpdateSkill(Wire):
    default_version: Annotated[str, Field(pattern=r"^\d{1,9}$")]


_UPDATE = TypeAdapter(UpdateSkill)


@router.post("", openapi_extra=takes_form("files"))
async def create(request: Request, owner: str = Depends(owner_of)) -> Response:
    files, _ = await _sent(request)
    return json_response(_shown(await house_of(request).skills.create(owner, files)))


@router.get("", openapi_extra=asks(*LIST))
async def list_skills(request: Request, owner: str = Depends(owner_of)) -> Response:
    page = page_wanted(request.query_params)
    found = await house_of(request).skills.rows.page(owner, page)
    if found is None:
        raise not_in_list(page.after or "")
    return json_response(first_of([_shown(skill) for skill in found], page))


@router.get("/{skill_id}")
async def retrieve(skill_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    return json_response(_shown(await _found(house_of(request), owner, skill_id)))


@router.post("/{skill_id}", openapi_extra=takes(UpdateSkill))
async def update(skill_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    house = house_of(request)
    await _found(house, owner, skill_id)
    body: Any = await body_of(request)
    read(_UPDATE, body)
    if not await house.skills.rows.prefer(owner, skill_id, int(body["default_version"])):
        raise _unknown_version(body["default_version"], "default_version")
    return json_response(_shown(await _found(house, owner, skill_id)))


@router.delete("/{skill_id}")
async def delete(skill_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    if not await house_of(request).skills.rows.remove(owner, skill_id):
        raise unknown_skill(skill_id)
    return json_response({"id": skill_id, "object": "skill.deleted", "deleted": True})


@router.get("/{skill_id}/content")
async def content(skill_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    return await _zip(request, await house_of(request).skills.found(owner, skill_id, None))


# ---------------------------------------------------------------- versions


@router.post("/{skill_id}/versions", openapi_extra=takes_form("files", "default"))
async def add_version(skill_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    house = house_of(request)
    await _found(house, owner, skill_id)
    files, fields = await _sent(request)
    default = fields.get("default", "").lower() in ("true", "1")
    return json_response(_version_shown(await house.skills.add(owner, skill_id, files, default=default)))


@router.get("/{skill_id}/versions", openapi_extra=asks(*LIST))
async def list_versions(skill_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    house = house_of(request)
    await _found(house, owner, skill_id)
    versions = await house.skills.rows.versions(owner, skill_id)
    return json_response(page_of([_version_shown(version) for version in versions], request.query_params))


@router.get("/{skill_id}/versions/{version}")
async def retrieve_version(skill_id: str, version: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    return json_response(_version_shown(await house_of(request).skills.found(owner, skill_id, version)))


@router.delete("/{skill_id}/versions/{version}")
async def delete_version(skill_id: str, version: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    found = await house_of(request).skills.found(owner, skill_id, version)
    if not await house_of(request).skills.rows.remove_version(owner, skill_id, found.version):
        raise _unknown_version(version)
    return json_response({"id": found.id, "object": "skill.version.deleted", "deleted": True, "version": version})


@router.get("/{skill_id}/versions/{version}/content")
async def version_content(skill_id: str, version: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    return await _zip(request, await house_of(request).skills.found(owner, skill_id, version))


# ---------------------------------------------------------------- shared


async def _sent(request: Request) -> tuple[dict[str, bytes], dict[str, str]]:
    """The files of a form by their paths, and its fields. Raises `RequestError`."""
    files: dict[str, bytes] = {}
    fields: dict[str, str] = {}
    left = BYTES
    async for part in parts_of(request, FILES + _FIELDS):
        if part.filename is None:
            fields[part.name] = await part.text()
            continue
        if part.name.partition("[")[0] != "files" or part.filename in files or len(files) >= FILES:
            message = f"Unexpected file '{part.filename[:100]}': up to {FILES} are taken in 'files', each once."
            raise RequestError(message, param="files", code="invalid_value")
        content = bytearray()
        async for piece in part.pieces:
            content += piece
            if len(content) > left:
                raise RequestError(f"A skill has at most {BYTES >> 20} MiB.", param="files", code="file_too_large")
        left -= len(content)
        files[part.filename] = bytes(content)
    return files, fields


async def _zip(request: Request, found: SkillVersion) -> Response:
    whole = b"".join([piece async for piece in house_of(request).skills.rows.read(found.place)])

    async def once() -> AsyncIterator[bytes]:
        yield whole

    return await file_response(once(), len(whole), f"{found.name}.zip")


async def _found(house: House, owner: str, id: str) -> Skill:
    found = await house.skills.rows.find(owner, id)
    if found is None:
        raise unknown_skill(id)
    return found


def _unknown_version(version: str, param: str = "version") -> NotFound:
    return NotFound(f"The skill has no version '{version[:20]}'.", param=param)


def _shown(skill: Skill) -> Json:
    return {
        "id": skill.id,
        "object": "skill",
        "created_at": skill.created_at,
        "name": skill.name,
        "description": skill.description,
        "default_version": str(skill.default_version),
        "latest_version": str(skill.latest_version),
    }


def _version_shown(version: SkillVersion) -> Json:
    return {
        "id": version.id,
        "object": "skill.version",
        "skill_id": version.skill_id,
        "created_at": version.created_at,
        "name": version.name,
        "description": version.description,
        "version": str(version.version),
    }
