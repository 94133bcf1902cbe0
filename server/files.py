"""`/v1/files`: files of callers, streamed to storage and back."""

from collections.abc import Sequence

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from checkpoints.files import Named, unknown_file
from checkpoints.page import Page
from graph.errors import Json, RequestError
from graph.files import File
from server.house import house_of, owner_of
from server.http import first_of, json_response, not_in_list, page_wanted
from server.multipart import form_of
from server.openapi import LIST, asks, takes_form
from server.sending import file_response
from server.wire.file import checked_form, safe_name

router = APIRouter(prefix="/v1/files", tags=["files"])

#: Files are listed in longer pages than other things. Source: CONTRACT of the Responses API, "Pagination".
_LONGEST = 10_000


@router.post("", openapi_extra=takes_form("file", "purpose"))
async def create(request: Request, owner: str = Depends(owner_of)) -> Response:
    """The bytes go to storage as they come; the file is there when the whole form was read and is right."""
    files = house_of(request).files
    form = await form_of(request)
    place, size = await files.write(form.chunks())
    try:
        said = checked_form(form.fields)
        named = Named(safe_name(form.filename), said["purpose"], expires_s(said))
        return json_response(shown(await files.add(owner, named, place, size)))
    except RequestError:
        await files.drop([place])
        raise


@router.get("", openapi_extra=asks(*LIST, "purpose"))
async def list_files(request: Request, owner: str = Depends(owner_of)) -> Response:
    query = request.query_params
    page = page_wanted(query, longest=_LONGEST, default=_LONGEST)
    found = await house_of(request).files.page(owner, page, query.get("purpose") or None)
    if found is None:
        raise not_in_list(page.after or "")
    return json_response(_listed(found, page))


@router.get("/{file_id}")
async def retrieve(file_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    return json_response(shown(await _found(request, owner, file_id)))


@router.delete("/{file_id}")
async def delete(file_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    if not await house_of(request).files.remove(owner, file_id):
        raise unknown_file(file_id)
    house_of(request).searching.sweep_soon()
    return json_response({"id": file_id, "object": "file", "deleted": True})


@router.get("/{file_id}/content")
async def content(file_id: str, request: Request, owner: str = Depends(owner_of)) -> Response:
    file = await _found(request, owner, file_id)
    return await file_response(house_of(request).files.read(owner, file_id), file.size_bytes, file.filename)


async def _found(request: Request, owner: str, id: str) -> File:
    found = await house_of(request).files.find(owner, id)
    if found is None:
        raise unknown_file(id)
    return found


def expires_s(said: Json) -> int | None:
    after: Json | None = said.get("expires_after")
    return after["seconds"] if after else None


def shown(file: File) -> Json:
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.size_bytes,
        "created_at": file.created_at,
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
        "expires_at": file.expires_at,
        "status_details": None,
    }


def _listed(found: Sequence[File], page: Page) -> Json:
    return first_of([shown(file) for file in found], page)
