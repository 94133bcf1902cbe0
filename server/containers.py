"""`/v1/containers`: where code runs, and the files it reads and makes."""

import time
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from graph.containers import Container, ContainerFile, Fresh
from graph.errors import Json, NotFound, RequestError
from nodes.container.declaration import check_auto
from nodes.container.live import free_path
from server.house import House, body_of, house_of, owner_of
from server.http import first_of, json_response, not_in_list, page_of, page_wanted
from server.multipart import form_of, is_form
from server.openapi import LIST, asks, takes, takes_form
from server.sending import file_response
from server.wire.container import CREATE_CONTAINER, CREATE_CONTAINER_FILE, CreateContainer, CreateContainerFile
from server.wire.problems import read

router = APIRouter(prefix="/v1/containers", tags=["containers"])

#: A form with the file, or the name of one that is here already.
_FILE = takes_form("file")
_FILE["requestBody"]["content"] |= takes(CreateContainerFile)["requestBody"]["content"]


@router.post("", openapi_extra=takes(CreateContainer))
async def create(request: Request, owner: str = Depends(owner_of)) -> Response:
    house = house_of(request)
    body: Any = await body_of(request)
    read(CREATE_CONTAINER, body)
    check_auto(body)
    made, files = await house.containers.make(owner, body)
    await house.shelf.rows.create(made)
    try:
        taken: set[str] = set()
        for file in files:
            copied = await house.shelf.add(owner, made.id, await house.containers.copy(owner, file.id, taken))
            taken.add(copied.path)
    except RequestError:
        await house.containers.delete(owner, made.id)
        raise
    return json_response(_shown(await _found(house, owner, made.id)))


@router.get("", openapi_extra=asks(*LIST, "name"))
async def list_containers(request: Request, owner: str = Depends(owner_of)) -> Response:
    page = page_wanted(request.query_params)
    found = await house_of(request).shelf.rows.page(owner, page, request.query_params.get("name"))
    if found is None:
        raise not_in_list(page.after or "")
    return json_response(first_of([_shown(container) for container in found], page))


@router.get("/{container_id}")
async def retrieve(container_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    """Looking at it is a use, as at OpenAI, unless it has expired."""
    house = house_of(request)
    found = await _found(house, owner, container_id)
    if not _is_expired(found):
        await house.shelf.rows.touch(owner, container_id)
    return json_response(_shown(found))


@router.delete("/{container_id}")
async def delete(container_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    if not await house_of(request).containers.delete(owner, container_id):
        raise _unknown(container_id)
    return json_response({"id": container_id, "object": "container.deleted", "deleted": True})


# ---------------------------------------------------------------- files


@router.post("/{container_id}/files", openapi_extra=_FILE)
async def add_file(container_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    house = house_of(request)
    await _found(house, owner, container_id)
    sent = _sent if is_form(request) else _named
    return json_response(_file_shown(await house.shelf.add(owner, container_id, await sent(request, owner))))


async def _sent(request: Request, owner: str) -> Fresh:
    """The file that a form brings along; it takes the place of one of the same name."""
    form = await form_of(request)
    return Fresh(free_path(form.filename, ()), "user", form.chunks())


async def _named(request: Request, owner: str) -> Fresh:
    """A copy of the file of the Files API that a JSON body names."""
    body: Any = await body_of(request)
    read(CREATE_CONTAINER_FILE, body)
    return await house_of(request).containers.copy(owner, body["file_id"])


@router.get("/{container_id}/files", openapi_extra=asks(*LIST))
async def list_files(container_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    files = await house_of(request).shelf.rows.files(owner, container_id)
    if files is None:
        raise _unknown(container_id)
    ordered = sorted(files, key=lambda file: (file.created_at, file.id))
    return json_response(page_of([_file_shown(file) for file in ordered], request.query_params))


@router.get("/{container_id}/files/{file_id}")
async def retrieve_file(container_id: str, file_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    return json_response(_file_shown(await _file(house_of(request), owner, container_id, file_id)))


@router.delete("/{container_id}/files/{file_id}")
async def delete_file(container_id: str, file_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    house = house_of(request)
    await _found(house, owner, container_id)
    if not await house.shelf.remove(owner, container_id, file_id):
        raise _unknown_file(file_id)
    return json_response({"id": file_id, "object": "container.file.deleted", "deleted": True})


@router.get("/{container_id}/files/{file_id}/content")
async def content(container_id: str, file_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    house = house_of(request)
    file = await _file(house, owner, container_id, file_id)
    return await file_response(house.shelf.read(file), file.size_bytes, file.filename)


# ---------------------------------------------------------------- shared


async def _found(house: House, owner: str, id: str) -> Container:
    found = await house.shelf.rows.find(owner, id)
    if found is None:
        raise _unknown(id)
    return found


async def _file(house: House, owner: str, container_id: str, id: str) -> ContainerFile:
    files = await house.shelf.rows.files(owner, container_id)
    if files is None:
        raise _unknown(container_id)
    for file in files:
        if file.id == id:
            return file
    raise _unknown_file(id)


def _unknown(id: str) -> NotFound:
    return NotFound(f"Container with id '{id}' not found.")


def _unknown_file(id: str) -> NotFound:
    return NotFound(f"Container file with id '{id}' not found.")


def _is_expired(container: Container) -> bool:
    return time.time() - container.last_active_at > 60 * container.idle_minutes


def _shown(container: Container) -> Json:
    policy = {"type": "allowlist", "allowed_domains": list(container.domains)}
    return {
        "id": container.id,
        "object": "container",
        "name": container.name,
        "status": "expired" if _is_expired(container) else "running",
        "created_at": int(container.created_at),
        "last_active_at": int(container.last_active_at),
        "expires_after": {"anchor": "last_active_at", "minutes": container.idle_minutes},
        "memory_limit": container.memory_limit,
        "network_policy": policy if container.domains else {"type": "disabled"},
    }


def _file_shown(file: ContainerFile) -> Json:
    return {
        "id": file.id,
        "object": "container.file",
        "container_id": file.container_id,
        "path": file.path,
        "bytes": file.size_bytes,
        "source": file.source,
        "created_at": int(file.created_at),
    }
